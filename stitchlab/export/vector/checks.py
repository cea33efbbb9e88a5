"""Draws checks as figures in files: the table with a coloured cell for each verdict, and the evidence for one cell.

All lengths are points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stitchlab.catalog.checks import CHECKS
from stitchlab.export.options import SIZES, SLIDE_HEIGHT, Options
from stitchlab.export.vector import curves, heatmaps
from stitchlab.export.vector.letters import CAPITAL, LINE, cut, width
from stitchlab.export.vector.page import GAP, MARGIN
from stitchlab.export.vector.rows import Row
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.export.vector.style import Style
from stitchlab.figures.checks import described, first_rows, label, sign
from stitchlab.figures.colours import mixed
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import GROUND, INK, MUTED, REFERENCE, SEQUENTIAL, VERDICTS
from stitchlab.results.checks.answers import Answers

ROW, HEAD, COLUMN = 2.7, 3.1, 0.9  # in font sizes: height of a row and of the heading, room around a column's letters
LEAST, NAMES = 3.8, 0.22  # points: letters of a table that has no room for more; the least share of the width of names


def table(answers: Answers, options: Options) -> Sheet:
    """Draw the table: measures by checks, in each cell the first statistic, with its verdict by colour and by word.

    Letters are as large as was asked for where all columns fit, else smaller; where that is too small, names are cut.
    """
    found, subjects = first_rows(answers), answers.suite.subjects
    wide, margin = SIZES[options.size] * INCH, MARGIN * options.points
    limit = SLIDE_HEIGHT * INCH if options.size == "slide" else None
    columns = {
        name: COLUMN + max(width("✓ pass", 1), *(width(word, 1, True) for word in check.label.split()))
        for name, check in CHECKS.items()
    }
    named = 1 + max(width(label(subject), 1) for subject in subjects)
    size = max(LEAST, min(options.points, (wide - 2 * margin) / (named + sum(columns.values()))))
    size = min(size, (limit - 2 * margin) / (HEAD + ROW * len(subjects))) if limit else size
    scale = min(size, (wide - 2 * margin) * (1 - NAMES) / sum(columns.values()))
    spare = max(0.0, wide - 2 * margin - named * size - scale * sum(columns.values())) / len(columns)
    left, top = wide - margin - scale * sum(columns.values()) - spare * len(columns), margin + HEAD * size
    sheet = Sheet(wide, limit or top + ROW * size * len(subjects) + margin, options.dark)
    for i, subject in enumerate(subjects):
        middle = top + (i + 0.5) * ROW * size + CAPITAL / 2 * size
        sheet.text(margin, middle, cut(label(subject), left - margin - 0.5 * size, size), size)
    x = left
    for name, column in columns.items():
        across, heading = column * scale + spare, CHECKS[name].label.split()
        for k, words in enumerate(heading):
            down = top - 0.6 * scale - (len(heading) - 1 - k) * LINE * scale
            sheet.text(x + across / 2, down, words, scale, across="center", bold=True)
        for i, subject in enumerate(subjects):
            box = (x + 0.6, top + i * ROW * size + 0.6, x + across - 0.6, top + (i + 1) * ROW * size - 0.6)
            _cell(sheet, box, found, name, subject, scale)
        x += across
    sheet.line(np.array([(margin, top - 0.3), (wide - margin, top - 0.3)]), INK[options.dark], 0.6)
    return sheet


def evidence(figures: Sequence[Mapping[str, Any]], options: Options, data: str) -> Sheet:
    """Draw figures of evidence below each other, curves and heatmaps each with their like.

    Args:
        figures: as `stitchlab.export.checks.figures` returns them.
        options: size, colours and letters.
        data: name of the data set.
    """
    size, wide = options.points, SIZES[options.size] * INCH
    margin = MARGIN * size
    high = SLIDE_HEIGHT * INCH if options.size == "slide" else None
    style = Style(
        size=size,
        dark=options.dark,
        values=options.values,
        sequential=SEQUENTIAL if options.colours == "viridis" else "Cividis",
    )
    shown = [described(figure) for figure in figures]
    grids = [each for each in shown if isinstance(each, Grid)]
    lined = [each for each in shown if isinstance(each, Curves)]
    parts = bool(grids) + bool(lined)
    room, share = wide - 2 * margin, high and (high - 2 * margin - GAP * size * (parts - 1)) / parts
    rows: list[Row | curves.CurveRow] = []
    if grids:
        rows += heatmaps.arranged(grids, [""] * len(grids), [1] * len(grids), style, data, room, share)
    if lined:
        rows += curves.arranged(lined, [""] * len(lined), size, room, share)
    content = sum(row.height for row in rows) + GAP * size * (len(rows) - 1)
    sheet = Sheet(wide, high or content + 2 * margin, options.dark)
    marks = [figure["marks"] for figure in figures if figure["kind"] == "matrix"]
    _draw(sheet, rows, style, (sheet.height - content) / 2, iter(marks))
    return sheet


def _draw(sheet: Sheet, rows: Sequence[Row | curves.CurveRow], style: Style, y: float, marks: Iterator[Any]) -> None:
    """Draw rows below each other, from y on; ``marks`` are cells [row, column] of each heatmap that get a frame."""
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
    found: Mapping[tuple[str, str], Any],
    name: str,
    subject: str,
    size: float,
) -> None:
    """Draw a rectangle in the colour of the verdict, with its sign and word, and the number below."""
    row = found.get((name, subject))
    mark, word = sign(CHECKS[name], subject, row)
    middle, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if row is None:
        sheet.text(middle, down + CAPITAL / 2 * size, mark, size, across="center", colour=REFERENCE)
        return
    sheet.rectangles(np.array([box]), _fill(row.verdict, sheet.dark), f"{name}-{subject}")
    said = (
        [mark, "no data"]
        if row.value is None
        else [f"{mark} {word}" if row.verdict in ("pass", "fail") else mark, f"{row.value:z.2f}".replace("-", "−")]
    )
    for k, words in enumerate(said):
        sheet.text(middle, down + ((k - 0.5) * LINE + CAPITAL / 2) * size, words, size, across="center")


def _fill(verdict: str, dark: bool) -> str:
    """Lay a verdict's colour over the ground, so thin that letters can be read on it."""
    colour, share = VERDICTS.get(verdict, (MUTED[dark], 0.5))
    return mixed(colour, GROUND[dark], share)
