"""Draws an exported figure as a whole: title, panels, notes and caption on a page of the wanted size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from stitchlab.export.captions import caption, heading, letter, notes
from stitchlab.export.options import SIZES, SLIDE_HEIGHT, Options
from stitchlab.export.shown import Panel, panels
from stitchlab.export.vector import curves, heatmaps
from stitchlab.export.vector.letters import CAPITAL, LINE, lines
from stitchlab.export.vector.rows import Row
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.export.vector.style import Style
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import FADED, SEQUENTIAL
from stitchlab.results.run import Run

MARGIN, GAP = 0.6, heatmaps.GAP_OF_ROWS  # around all, and between rows, in font sizes
SHARES: dict[type, float] = {Grid: 1.8, Curves: 1.0}
TITLE = 1.15  # in font sizes
MOST_TITLE = 4  # lines


def figure(run: Run, options: Options) -> Sheet:
    """Draw a figure of a run. Raises UnknownName for what the run does not have."""
    shown, size = panels(run, options), options.points
    style = Style(
        size=size,
        dark=options.dark,
        values=options.values,
        selected=options.cell,
        sequential=SEQUENTIAL if options.colours == "viridis" else "Cividis",
    )
    wide, margin = SIZES[options.size] * INCH, MARGIN * size
    high = SLIDE_HEIGHT * INCH if options.size == "slide" else None
    title, room = heading(run, options), wide - 2 * margin
    above = lines(title, room, TITLE * size, most=MOST_TITLE, bold=True) if title else []
    said = caption(run, options) if options.caption else notes(shown)
    below_size = size if options.caption else style.small
    below = lines(said, room, below_size) if said else []
    head = margin + (len(above) * LINE * TITLE + 0.7 * bool(above)) * size
    foot = 0.6 * size * bool(below) + len(below) * LINE * below_size + margin
    rows = _rows(shown, style, options, room, high and high - head - foot)
    content = sum(row.height for row in rows) + GAP * size * (len(rows) - 1)
    sheet = Sheet(wide, high or head + content + foot, options.dark)
    for k, words in enumerate(above):
        sheet.text(margin, margin + (k * LINE + CAPITAL) * TITLE * size, words, TITLE * size, bold=True)
    _draw(sheet, rows, style, head + ((high - head - foot - content) / 2 if high else 0))
    for k, words in enumerate(below):
        sheet.text(
            margin,
            sheet.height - foot + 0.6 * size + (k * LINE + CAPITAL) * below_size,
            words,
            below_size,
            colour=None if options.caption else FADED[options.dark],
        )
    return sheet


def drawn(run: Run, suffix: str, options: Options) -> bytes:
    """Make a figure of a run as a file.

    Args:
        run: what is drawn.
        suffix: ``svg``, ``pdf`` or ``png``.
        options: what is shown, and how.

    Raises UnknownName for what the run does not have; StitchLabError where that is not computed.
    """
    return figure(run, options).file(
        suffix, dpi=options.dpi, title=heading(run, options) or run.title, description=caption(run, options)
    )


def _rows(
    shown: Sequence[Panel], style: Style, options: Options, room: float, height: float | None
) -> list[Row | curves.CurveRow]:
    """Set panels in rows: heatmaps and curves each with their like; a limited height is shared out by `SHARES`."""
    rows: list[Row | curves.CurveRow] = []
    parts = [list(same) for _, same in groupby(enumerate(shown), key=lambda numbered: type(numbered[1].draws))]
    every = sum(SHARES[type(part[0][1].draws)] for part in parts)
    for part in parts:
        share = SHARES[type(part[0][1].draws)] / every
        limit = height and (height + GAP * style.size) * share - GAP * style.size
        letters = [letter(options, k) for k, _ in part]
        grids = [panel.draws for _, panel in part if isinstance(panel.draws, Grid)]
        lined = [panel.draws for _, panel in part if isinstance(panel.draws, Curves)]
        if grids:
            data = shown[0].run.record["data"]["label"]
            together = [len(list(alike)) for _, alike in groupby(panel.item for _, panel in part)]
            rows += heatmaps.arranged(grids, letters, together, style, data, room, limit)
        else:
            rows += curves.arranged(lined, letters, style.size, room, limit)
    return rows


def _draw(sheet: Sheet, rows: Sequence[Row | curves.CurveRow], style: Style, y: float) -> None:
    """Draw rows below each other, from y on; all numbers in cells have one size."""
    heat = [row for row in rows if isinstance(row, Row)]
    number = style.number([grid for row in heat for grid in row.grids], min(row.cell for row in heat)) if heat else None
    left = (sheet.width - max(row.width for row in rows)) / 2
    for k, row in enumerate(rows):
        if isinstance(row, Row):
            heatmaps.draw(sheet, row, left, y, number, f"row-{k}")
        else:
            curves.draw(sheet, row, left, y, f"row-{k}")
        y += row.height + GAP * style.size
