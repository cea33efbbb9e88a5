"""Draws a whole exported figure: title, panels, notes and caption on a page of the size in the options."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from stitchlab.export.captions import caption, heading, letter, notes
from stitchlab.export.options import SLIDE_HEIGHT_IN, WIDTHS_IN, ImageSuffix, Options
from stitchlab.export.shown import Panel, panels
from stitchlab.export.vector import curves, heatmaps
from stitchlab.export.vector.letters import CAPITAL, LINE, lines
from stitchlab.export.vector.rows import Row
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.export.vector.style import Style
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import FADED
from stitchlab.results.run import Run

# In font sizes.
MARGIN = 0.6  # around the figure
GAP = heatmaps.GAP_OF_ROWS
TITLE = 1.15

HEIGHT_SHARES: dict[type, float] = {Grid: 1.8, Curves: 1.0}  # of a page whose height is limited
MAX_TITLE_LINES = 4


def figure(run: Run, options: Options) -> Sheet:
    """Draw a figure of a run. Raises UnknownName if the run lacks something that is shown; StitchLabError."""
    shown, size = panels(run, options), options.points
    style = Style.of(options, selected=options.cell)
    page_width, margin = WIDTHS_IN[options.size] * INCH, MARGIN * size
    height = SLIDE_HEIGHT_IN * INCH if options.size == "slide" else None
    title, room = heading(run, options), page_width - 2 * margin
    above = lines(title, room, TITLE * size, max_lines=MAX_TITLE_LINES, bold=True) if title else []
    text = caption(run, options) if options.caption else notes(shown)
    below_size = size if options.caption else style.small
    below = lines(text, room, below_size) if text else []
    head = margin + (len(above) * LINE * TITLE + 0.7 * bool(above)) * size
    foot = 0.6 * size * bool(below) + len(below) * LINE * below_size + margin
    rows = _rows(shown, style, options, room, height and height - head - foot)
    content = sum(row.height for row in rows) + GAP * size * (len(rows) - 1)
    sheet = Sheet(page_width, height or head + content + foot, options.dark)
    for k, words in enumerate(above):
        sheet.text(margin, margin + (k * LINE + CAPITAL) * TITLE * size, words, TITLE * size, bold=True)
    _draw(sheet, rows, style, head + ((height - head - foot - content) / 2 if height else 0))
    for k, words in enumerate(below):
        sheet.text(
            margin,
            sheet.height - foot + 0.6 * size + (k * LINE + CAPITAL) * below_size,
            words,
            below_size,
            colour=None if options.caption else FADED[options.dark],
        )
    return sheet


def figure_file(run: Run, suffix: ImageSuffix, options: Options) -> bytes:
    """Draw a figure of a run as a file.

    Args:
        run: the run to draw.
        suffix: the kind of file.
        options: what is shown, and how.

    Raises UnknownName if the run lacks something that is shown; StitchLabError if that is not computed.
    """
    return figure(run, options).file(
        suffix, dpi=options.dpi, title=heading(run, options) or run.title, description=caption(run, options)
    )


def _rows(
    shown: Sequence[Panel], style: Style, options: Options, room: float, height: float | None
) -> list[Row | curves.CurveRow]:
    """Arrange panels in rows, either of heatmaps or of curves; a limited height is divided by `HEIGHT_SHARES`."""
    rows: list[Row | curves.CurveRow] = []
    parts = [list(part) for _, part in groupby(enumerate(shown), key=lambda numbered: type(numbered[1].content))]
    all_shares = sum(HEIGHT_SHARES[type(part[0][1].content)] for part in parts)
    for part in parts:
        share = HEIGHT_SHARES[type(part[0][1].content)] / all_shares
        limit = height and (height + GAP * style.size) * share - GAP * style.size
        letters = [letter(options, k) for k, _ in part]
        grids = [panel.content for _, panel in part if isinstance(panel.content, Grid)]
        charts = [panel.content for _, panel in part if isinstance(panel.content, Curves)]
        if grids:
            data = shown[0].run.record["data"]["label"]
            group_sizes = [len(list(group)) for _, group in groupby(panel.item for _, panel in part)]
            rows += heatmaps.arranged(grids, letters, group_sizes, style, data, room, limit)
        else:
            rows += curves.arranged(charts, letters, style.size, room, limit)
    return rows


def _draw(sheet: Sheet, rows: Sequence[Row | curves.CurveRow], style: Style, y: float) -> None:
    """Draw rows below each other from y on; the numbers in all cells have the same font size."""
    heatmap_rows = [row for row in rows if isinstance(row, Row)]
    number = (
        style.number([grid for row in heatmap_rows for grid in row.grids], min(row.cell for row in heatmap_rows))
        if heatmap_rows
        else None
    )
    left = (sheet.width - max(row.width for row in rows)) / 2
    for k, row in enumerate(rows):
        if isinstance(row, Row):
            heatmaps.draw(sheet, row, left, y, number, f"row-{k}")
        else:
            curves.draw(sheet, row, left, y, f"row-{k}")
        y += row.height + GAP * style.size
