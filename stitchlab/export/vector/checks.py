"""Draws checks into files: the table, with a coloured cell for each verdict, and the evidence for one of its cells.

All lengths are points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stitchlab.catalog.checks import CHECKS
from stitchlab.export.options import SLIDE_HEIGHT_IN, WIDTHS_IN, Options
from stitchlab.export.vector import curves, heatmaps
from stitchlab.export.vector.letters import CAPITAL, LINE, cut, width
from stitchlab.export.vector.page import GAP, MARGIN
from stitchlab.export.vector.rows import Row
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.export.vector.style import Style
from stitchlab.figures.checks import Figure, describe, first_rows, label, sign
from stitchlab.figures.colours import mixed
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import GROUND, INK, MUTED, REFERENCE, VERDICTS
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.table import CheckRow

# In font sizes.
ROW_HEIGHT = 2.7
HEADING_HEIGHT = 3.1
COLUMN_PADDING = 0.9

MIN_FONT_SIZE = 3.8  # points
MIN_NAMES_SHARE = 0.22  # of the table's width, for the names of measures


def table(answers: Answers, options: Options) -> Sheet:
    """Draw the table, a row for each measure and a column for each check: the first statistic, coloured by its verdict.

    The font size is the one in the options if all columns fit, else smaller; below `MIN_FONT_SIZE` names are cut.
    """
    results, subjects = first_rows(answers), answers.suite.subjects
    page_width, margin = WIDTHS_IN[options.size] * INCH, MARGIN * options.points
    limit = SLIDE_HEIGHT_IN * INCH if options.size == "slide" else None
    columns = {
        name: COLUMN_PADDING + max(width("✓ pass", 1), *(width(word, 1, True) for word in check.label.split()))
        for name, check in CHECKS.items()
    }
    names_width = 1 + max(width(label(subject), 1) for subject in subjects)
    size = max(MIN_FONT_SIZE, min(options.points, (page_width - 2 * margin) / (names_width + sum(columns.values()))))
    size = min(size, (limit - 2 * margin) / (HEADING_HEIGHT + ROW_HEIGHT * len(subjects))) if limit else size
    scale = min(size, (page_width - 2 * margin) * (1 - MIN_NAMES_SHARE) / sum(columns.values()))
    spare = max(0.0, page_width - 2 * margin - names_width * size - scale * sum(columns.values())) / len(columns)
    left, top = (
        page_width - margin - scale * sum(columns.values()) - spare * len(columns),
        margin + HEADING_HEIGHT * size,
    )
    sheet = Sheet(page_width, limit or top + ROW_HEIGHT * size * len(subjects) + margin, options.dark)
    for i, subject in enumerate(subjects):
        middle = top + (i + 0.5) * ROW_HEIGHT * size + CAPITAL / 2 * size
        sheet.text(margin, middle, cut(label(subject), left - margin - 0.5 * size, size), size)
    x = left
    for name, column in columns.items():
        across, heading = column * scale + spare, CHECKS[name].label.split()
        for k, words in enumerate(heading):
            down = top - 0.6 * scale - (len(heading) - 1 - k) * LINE * scale
            sheet.text(x + across / 2, down, words, scale, across="center", bold=True)
        for i, subject in enumerate(subjects):
            row_top, row_end = (top + place * ROW_HEIGHT * size for place in (i, i + 1))
            box = (x + 0.6, row_top + 0.6, x + across - 0.6, row_end - 0.6)
            _cell(sheet, box, results.get((name, subject)), name, subject, scale)
        x += across
    sheet.line(np.array([(margin, top - 0.3), (page_width - margin, top - 0.3)]), INK[options.dark], 0.6)
    return sheet


def evidence(figures: Sequence[Figure], options: Options, data: str) -> Sheet:
    """Draw the figures of the evidence below each other, first heatmaps, then curves.

    Args:
        figures: as `stitchlab.export.checks.figures` returns them.
        options: size, colours and letters.
        data: the name of the data set.
    """
    size, page_width = options.points, WIDTHS_IN[options.size] * INCH
    margin = MARGIN * size
    height = SLIDE_HEIGHT_IN * INCH if options.size == "slide" else None
    style = Style.of(options)
    contents = [describe(figure) for figure in figures]
    grids = [content for content in contents if isinstance(content, Grid)]
    charts = [content for content in contents if isinstance(content, Curves)]
    parts = bool(grids) + bool(charts)
    room, share = page_width - 2 * margin, height and (height - 2 * margin - GAP * size * (parts - 1)) / parts
    rows: list[Row | curves.CurveRow] = []
    if grids:
        rows += heatmaps.arranged(grids, [""] * len(grids), [1] * len(grids), style, data, room, share)
    if charts:
        rows += curves.arranged(charts, [""] * len(charts), size, room, share)
    content = sum(row.height for row in rows) + GAP * size * (len(rows) - 1)
    sheet = Sheet(page_width, height or content + 2 * margin, options.dark)
    marks = [figure["marks"] for figure in figures if figure["kind"] == "matrix"]
    _draw(sheet, rows, style, (sheet.height - content) / 2, iter(marks))
    return sheet


def _draw(sheet: Sheet, rows: Sequence[Row | curves.CurveRow], style: Style, y: float, marks: Iterator[Any]) -> None:
    """Draw rows below each other from y on; ``marks`` lists, for each heatmap, the cells [row, column] to frame."""
    for k, row in enumerate(rows):
        left = (sheet.width - row.width) / 2
        if isinstance(row, Row):
            heatmaps.draw(sheet, row, left, y, style.number(row.grids, row.cell), f"row-{k}")
            for x, places in zip(row.lefts_of_grids(left), marks, strict=False):
                for i, j in places:
                    corner = np.array([x + j * row.cell, y + row.top + i * row.cell])
                    sheet.frame([*corner, *(corner + row.cell)], INK[style.dark], 1.0, f"row-{k}-mark-{i}-{j}")
        else:
            curves.draw(sheet, row, left, y, f"row-{k}")
        y += row.height + GAP * style.size


def _cell(
    sheet: Sheet,
    box: tuple[float, float, float, float],
    row: CheckRow | None,
    check: str,
    subject: str,
    size: float,
) -> None:
    """Draw a cell of the table: in the colour of the verdict, with its sign and word, and the number below."""
    mark, word = sign(CHECKS[check], subject, row)
    middle, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if row is None:
        sheet.text(middle, down + CAPITAL / 2 * size, mark, size, across="center", colour=REFERENCE)
        return
    sheet.rectangles(np.array([box]), _fill(row.verdict, sheet.dark), f"{check}-{subject}")
    texts = (
        [mark, "no data"]
        if row.value is None
        else [f"{mark} {word}" if row.verdict in ("pass", "fail") else mark, f"{row.value:z.2f}".replace("-", "−")]
    )
    for k, words in enumerate(texts):
        sheet.text(middle, down + ((k - 0.5) * LINE + CAPITAL / 2) * size, words, size, across="center")


def _fill(verdict: str, dark: bool) -> str:
    """Return the colour of a verdict, mixed with the ground so that text on it is legible."""
    colour, share = VERDICTS.get(verdict, (MUTED[dark], 0.5))
    return mixed(colour, GROUND[dark], share)
