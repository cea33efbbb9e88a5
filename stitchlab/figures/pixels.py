"""Compute the sizes of the parts of a heatmap in pixels; figures that stand beside each other get the same.

The width of the page is not known when figures are drawn. So a figure has two widths: the one that it should have, and
the smallest one at which its numbers can be read. Between the two the browser makes the square cells smaller; on a page
that is narrower still, the figure scrolls.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GRID_SIDE_PX = 272  # of a small grid: two grids of 8×8 cells fit on a screen of 1024×768 without scrolling
MAX_CELL_PX = 44
MIN_CELL_PX = 28  # unless the numbers need more room
UNNUMBERED_CELL_PX = 16  # a cell's side if cells have no numbers
MAX_NUMBERED_LAYERS = 36  # rows or columns: if there are more, cells have no numbers, and hovering shows them
MAX_LEADING_ZERO_LAYERS = 7  # rows or columns: if there are more, numbers have no zero before the point
MIN_FIGURE_WIDTH_PX = 320  # width of a phone; a title needs as much
LETTER = 0.53  # mean width of a letter, in font sizes
DIGIT = 6.5  # width in pixels of a digit that is 10 pixels high
TITLE = 16  # font size in pixels, as the next two
SUBTITLE = 12
AXIS = 13
COLOUR_BAR_PX = 62  # with its numbers
TITLE_LINE_PX = 17  # height of a line of an axis title


@dataclass(frozen=True)
class Pixels:
    """Hold the sizes of the parts of a heatmap, in pixels.

    Attributes:
        cell, least: side of a cell on a page that is wide enough, and smallest side at which numbers can be read.
        width, least_width, height: of the whole figure; ``least_width`` has cells of the smallest side.
        left, right, top, bottom: margins.
        label: font size of the layers' names.
        angle: of the names of columns, in degrees.
    """

    cell: int
    least: int
    width: int
    least_width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    label: int
    angle: int


def room(
    rows: Sequence[str], columns: Sequence[str], *, letters: int, subtitles: Iterable[str], axes: tuple[str, str]
) -> Pixels:
    """Divide a figure's pixels among its parts.

    Args:
        rows, columns: labels of the layers.
        letters: number of letters of the longest number.
        subtitles: of all figures that stand beside each other.
        axes: title of the rows' axis, and of the columns' axis.
    """
    layers = max(len(rows), len(columns))
    numbered = layers <= MAX_NUMBERED_LAYERS
    least = math.ceil(DIGIT * letters) + 2 if numbered else UNNUMBERED_CELL_PX
    cell = max(least, min(MAX_CELL_PX, GRID_SIDE_PX // layers), MIN_CELL_PX if numbered else 0)
    slanted = cell > UNNUMBERED_CELL_PX
    label = 12 if slanted else 11
    angle, (across, down) = (-45, (0.71, 0.71)) if slanted else (-90, (0.0, 1.0))
    longest_column = max(map(len, columns)) * LETTER * label
    row_title = len(lines(axes[0], cell * len(rows), AXIS)) * TITLE_LINE_PX
    left = math.ceil(max(max(map(len, rows)) * LETTER * label + 14 + row_title, longest_column * across - cell / 2))
    column_title = len(lines(axes[1], MIN_FIGURE_WIDTH_PX - 20, AXIS)) * TITLE_LINE_PX
    bottom = math.ceil((longest_column + label) * down) + 14 + column_title
    width = max(MIN_FIGURE_WIDTH_PX, left + cell * len(columns) + COLOUR_BAR_PX)
    least_width = max(MIN_FIGURE_WIDTH_PX, left + least * len(columns) + COLOUR_BAR_PX)
    subtitle_lines = max(len(lines(text, least_width, SUBTITLE)) for text in subtitles)
    top = 36 + 16 * subtitle_lines
    return Pixels(
        cell=cell,
        least=least,
        width=width,
        least_width=least_width,
        height=top + cell * len(rows) + bottom,
        left=left,
        right=width - left - cell * len(columns),
        top=top,
        bottom=bottom,
        label=label,
        angle=angle,
    )


def lines(text: str, width: float, size: int) -> list[str]:
    """Break a text into lines that fit into a width, at spaces where possible.

    Args:
        text: one paragraph.
        width: in pixels.
        size: font size in pixels.

    >>> lines("End layer of a network", 80, 13)
    ['End layer', 'of a', 'network']
    """
    return textwrap.wrap(text, max(8, int(width / (LETTER * size)))) or [""]
