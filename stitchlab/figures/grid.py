"""Describes a grid of cells as data, before anything draws it: its numbers, their colours, which cells get a star.

Rows are front layers, columns end layers. Pages and files draw the same grids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stitchlab.figures import alt
from stitchlab.figures.pixels import WRITTEN_OUT
from stitchlab.figures.ranges import Values
from stitchlab.figures.template import DIVERGING, REVERSED, SEQUENTIAL

HOLLOW = 0.62  # how much of a hollow star's size shows the cell
VEIL = 0.5  # how much of a doubtful column the grey covers


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Describes a heatmap.

    Attributes:
        values: (front layers, end layers); NaN is drawn grey: not computed yet, or undefined.
        low, high: ends of the colour range.
        better: ``higher`` or ``lower``: the best cells of each column get a star; empty: none does.
        diverging: colours around the middle of the range, red at its high end.
        red_low: red at its low end instead.
        log: colours follow the logarithm; values of 0 and below get the lowest.
        by_chance: end layers whose star is hollow: permuted images get as far (`stitchlab.results.chance`).
        beside: further numbers of each cell, for who points at it, by what they are called.
        doubtful: end layers whose columns are marked † and pale: their numbers do not deserve belief.
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
    better: str = ""
    diverging: bool = False
    red_low: bool = False
    log: bool = False
    by_chance: tuple[str, ...] = ()
    beside: tuple[tuple[str, Values], ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def scale(self) -> str:
        """Return Plotly's name of its colours."""
        return (REVERSED if self.red_low else DIVERGING) if self.diverging else SEQUENTIAL

    @property
    def narrow(self) -> bool:
        """Tell whether numbers are written without the zero before the point."""
        return max(len(self.front_layers), len(self.end_layers)) > WRITTEN_OUT


def describe(grid: Grid) -> str:
    """Say what a heatmap shows to those who do not see it."""
    doubtful = f"Not to be believed: {', '.join(grid.doubtful)}." if grid.doubtful else ""
    return " ".join(
        filter(
            None, (f"Heatmap of {grid.title}: " + alt.matrix(grid.values, grid.front_layers, grid.end_layers), doubtful)
        )
    )


def coloured(grid: Grid) -> tuple[Values, float, float]:
    """Return the numbers that decide the colours, and the ends of their range."""
    if not grid.log:
        return grid.values, grid.low, grid.high
    return np.log10(np.maximum(grid.values, grid.low)), math.log10(grid.low), math.log10(grid.high)


def stars(grid: Grid) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (row, column) of the best cells of each column: those with a full star, and those with a hollow one."""
    best = best_of_columns(grid.values, grid.better) if grid.better else []
    hollow = [cell for cell in best if grid.end_layers[cell[1]] in grid.by_chance]
    return [cell for cell in best if cell not in hollow], hollow


def best_of_columns(values: Values, better: str) -> list[tuple[int, int]]:
    """Return (row, column) of the best cells of each column: all equals, and none where a column has no value."""
    signed = values if better == "higher" else -values
    best = np.fmax.reduce(signed, axis=0)  # NaN only where all are
    return [(int(row), int(column)) for row, column in np.argwhere(signed == best)]


def number(value: float, narrow: bool = False) -> str:
    """Write a number for a cell: two decimals where there is room, as papers print them.

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
