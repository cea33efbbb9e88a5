"""Decides how many pixels the parts of a heatmap get; figures that stand beside each other get the same.

The width of a page is not known where figures are made. So a figure has the width that it wants, and the least one at
which its numbers can be read: in between, the browser makes its square cells smaller, below, it scrolls.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FIGURE = 272  # a side of a small grid: with 8×8 cells, two of them stand above the fold at 1024×768
LARGEST, SMALLEST = 44, 28  # a cell's side, as far as numbers and FIGURE allow
NUMBERED = 36  # rows or columns up to which cells have numbers; beyond, hovering tells them
UNNUMBERED = 16  # a cell's side where there are more
WRITTEN_OUT = 7  # rows or columns up to which numbers have a zero before the point
LEAST_WIDTH = 320  # of a figure: a phone's, and what a title needs
LETTER = 0.53  # mean width of a letter, in font sizes
DIGIT = 6.5  # width of a digit that Plotly makes 10 pixels high
TITLE, SUBTITLE, AXIS = 16, 12, 13  # font sizes
BAR = 62  # the colour bar with its numbers


@dataclass(frozen=True)
class Pixels:
    """Holds the sizes of the parts of a heatmap, in pixels.

    Attributes:
        cell, least: sides of a cell, as it wants to be and at least.
        width, least_width, height: of the whole figure.
        left, right, top, bottom: margins.
        label: font size of layers' names; ``angle`` turns those of the columns.
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
    """Share out a figure's pixels.

    Args:
        rows, columns: labels.
        letters: of the longest number.
        subtitles: of all figures that stand beside each other.
        axes: titles of the rows' axis and of the columns'.
    """
    most = max(len(rows), len(columns))
    least = math.ceil(DIGIT * letters) + 2 if most <= NUMBERED else UNNUMBERED
    cell = max(least, min(LARGEST, FIGURE // most), SMALLEST if most <= NUMBERED else 0)
    label = 12 if cell > UNNUMBERED else 11
    angle, (across, down) = (-45, (0.71, 0.71)) if cell > UNNUMBERED else (-90, (0.0, 1.0))
    longest = max(map(len, columns)) * LETTER * label
    beside = len(lines(axes[0], cell * len(rows), AXIS)) * 17
    left = math.ceil(max(max(map(len, rows)) * LETTER * label + 14 + beside, longest * across - cell / 2))
    below = len(lines(axes[1], LEAST_WIDTH - 20, AXIS)) * 17
    bottom = math.ceil((longest + label) * down) + 14 + below
    width = max(LEAST_WIDTH, left + cell * len(columns) + BAR)
    least_width = max(LEAST_WIDTH, left + least * len(columns) + BAR)
    said = max(len(lines(text, least_width, SUBTITLE)) for text in subtitles)
    top = 36 + 16 * said
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
        width: pixels.
        size: of the letters, pixels.

    >>> lines("End layer of a network", 80, 13)
    ['End layer', 'of a', 'network']
    """
    return textwrap.wrap(text, max(8, int(width / (LETTER * size)))) or [""]
