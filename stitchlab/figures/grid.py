"""Describe a heatmap of cells as data before it is drawn: its numbers, their colours, and the cells with a star.

Rows are front layers, columns are end layers. Pages and files draw the same description.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stitchlab.catalog.methods import Direction
from stitchlab.figures import alt
from stitchlab.figures.pixels import MAX_LEADING_ZERO_LAYERS
from stitchlab.figures.ranges import Values
from stitchlab.figures.template import DIVERGING, REVERSED, SEQUENTIAL

HOLLOW = 0.62  # size of the hole in a hollow star, as a share of the star
VEIL = 0.5  # opacity of the grey over a doubtful column


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Describe a heatmap.

    Attributes:
        values: (front layers, end layers); NaN (not computed yet, or undefined) is drawn grey.
        front, end: names of the two networks.
        low, high: ends of the colour range.
        better: whether higher or lower values mean more similar layers, so that the best cells of each column get a
            star; empty: no cell gets one.
        diverging: colours diverge from the middle of the range, with red at the high end.
        red_low: red is at the low end instead.
        log: colours follow the logarithm; values of 0 and below get the lowest colour.
        by_chance: end layers whose star is hollow, because permuted images are as similar (`stitchlab.results.chance`).
        beside: further numbers of each cell, which hovering shows, with their names.
        doubtful: end layers whose columns are pale and marked †, because their numbers are not believed.
    """

    title: str
    subtitle: str
    values: Values
    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]
    front: str
    end: str
    low: float
    high: float
    better: Direction | Literal[""] = ""
    diverging: bool = False
    red_low: bool = False
    log: bool = False
    by_chance: tuple[str, ...] = ()
    beside: tuple[tuple[str, Values], ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def scale(self) -> str:
        """Return Plotly's name of its colour scale."""
        return (REVERSED if self.red_low else DIVERGING) if self.diverging else SEQUENTIAL

    @property
    def narrow(self) -> bool:
        """Tell whether numbers are written without the zero before the point."""
        return max(len(self.front_layers), len(self.end_layers)) > MAX_LEADING_ZERO_LAYERS


def describe(grid: Grid) -> str:
    """Write the alternative text of a heatmap."""
    doubtful = f"Not believed: {', '.join(grid.doubtful)}." if grid.doubtful else ""
    return " ".join(
        filter(
            None, (f"Heatmap of {grid.title}: " + alt.matrix(grid.values, grid.front_layers, grid.end_layers), doubtful)
        )
    )


def coloured(grid: Grid) -> tuple[Values, float, float]:
    """Return the numbers that are turned into colours, and the ends of their range."""
    if not grid.log:
        return grid.values, grid.low, grid.high
    return np.log10(np.maximum(grid.values, grid.low)), math.log10(grid.low), math.log10(grid.high)


def stars(grid: Grid) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (row, column) of the best cells of each column: first those with a full star, then with a hollow one."""
    best = best_of_columns(grid.values, grid.better) if grid.better else []
    hollow = [cell for cell in best if grid.end_layers[cell[1]] in grid.by_chance]
    return [cell for cell in best if cell not in hollow], hollow


def best_of_columns(values: Values, better: Direction) -> list[tuple[int, int]]:
    """Return (row, column) of the best cells of each column; several if they are equal, none if it has no value."""
    signed = values if better == "higher" else -values
    best = np.fmax.reduce(signed, axis=0)  # NaN only in columns that are all NaN
    return [(int(row), int(column)) for row, column in np.argwhere(signed == best)]


def number(value: float, narrow: bool = False) -> str:
    """Write a number for a cell, with at most two decimals; a narrow one has no zero before the point.

    >>> number(0.974), number(-0.001), number(31.4), number(12345.0)
    ('0.97', '0.00', '31.4', '1e4')
    >>> number(0.974, narrow=True), number(-0.12, narrow=True), number(1.0, narrow=True), number(1.23, narrow=True)
    ('.97', '−.12', '1.0', '1.23')
    """
    size = abs(value)
    if np.isnan(value):
        return ""
    if size >= 9999.5:
        text = f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    else:
        text = f"{value:z.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
    if narrow and size < 1.005:
        text = text.replace("0.", ".").replace("1.00", "1.0")
    return text.replace("-", "−")
