"""Lays out heatmaps that stand side by side. All lengths are points.

Panels in a row that have the same layers and networks are a *block*: its first panel has the names of the front layers,
and the end layers' title stands under all of it. Panels that follow each other in the same colours share a colour bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from stitchlab.export.vector.letters import LINE, lines, width
from stitchlab.export.vector.style import Style
from stitchlab.figures.grid import Grid
from stitchlab.figures.layer_names import ShortNames, shorten
from stitchlab.figures.ranges import log_ticks, round_ticks

NARROWEST, LOWEST = 9.5, 8.5  # of a panel, and of where its axis title stands, in font sizes
MOST_LINES = 3  # of an axis title
TURNED = 1.3  # cells from this side on, in label sizes, have the names of columns at 45°; narrower ones upright
DIAGONAL = 0.71


class Row:
    """Lays out heatmaps side by side with square cells of this side; ``letters`` are their (a), (b), …, or empty."""

    def __init__(self, grids: Sequence[Grid], letters: Sequence[str], style: Style, data: str, cell: float) -> None:
        self.grids, self.style, self.data, self.cell = grids, style, data, cell
        self.label, self.every = style.label(cell)
        blocks = [list(block) for _, block in groupby(range(len(grids)), key=lambda k: _layers(grids[k]))]
        self.blocks = {block[0]: block for block in blocks}
        last = {block[-1] for block in blocks}
        self.bars = [
            self._bar_width(grid) if k in last or _colours(grid) != _colours(grids[k + 1]) else 0.0
            for k, grid in enumerate(grids)
        ]
        self.names = [(shorten(grid.front_layers), _marked(grid)) for grid in grids]
        self.angles = [self._angle(ends) for _, ends in self.names]
        self.tall = cell * max(len(grid.front_layers) for grid in grids)
        self.under = max(self._under(k) for k in range(len(grids)))
        self.beside = {
            k: lines(f"Front layer of {grids[k].front}, {data}", self._room_beside(k), style.size, most=MOST_LINES)
            for k in self.blocks
        }
        self.lefts = [self._left(k) for k in range(len(grids))]
        self.extents = [
            max(cell * len(grid.end_layers) + bar, NARROWEST * style.size)
            for grid, bar in zip(grids, self.bars, strict=True)
        ]
        self.width = sum(self.lefts) + sum(self.extents)
        self.titles = [
            lines(letter + grid.title, extent - 0.6 * style.size, style.size, bold=True, most=5)
            for letter, grid, extent in zip(letters, grids, self.extents, strict=True)
        ]
        self.below = {
            k: lines(f"End layer of {grids[k].end}, {data}", self.span(k), style.size, most=MOST_LINES)
            for k in self.blocks
        }
        self.top = (max(map(len, self.titles)) * LINE + 0.35) * style.size
        below = max(map(len, self.below.values())) * LINE * style.size
        self.height = self.top + max(self.tall + self.under + below, (LOWEST + 0.5) * style.size)

    def lefts_of_grids(self, x: float) -> list[float]:
        """Return where each panel's cells begin, if the row begins at x."""
        places = []
        for left, extent in zip(self.lefts, self.extents, strict=True):
            places.append(x + left)
            x += left + extent
        return places

    def span(self, first: int) -> float:
        """Return how wide a block is from its first cells on, its colour bars too."""
        block = self.blocks[first]
        return sum(self.extents[k] for k in block) + sum(self.lefts[k] for k in block[1:])

    def _bar_width(self, grid: Grid) -> float:
        return 1.9 * self.style.size + max(width(text, self.style.small) for _, text in bar_ticks(grid))

    def _angle(self, ends: ShortNames) -> int:
        widest = max(width(name, self.label) for name in ends.labels)
        if widest <= 0.9 * self.cell:
            return 0
        return 45 if self.cell >= TURNED * self.label else 90

    def _under(self, k: int) -> float:
        """Return how much room the names of columns take below the cells, with the space below."""
        widest = max(width(name, self.label) for name in self.names[k][1].labels)
        names = {0: self.label, 45: (widest + self.label) * DIAGONAL, 90: widest}[self.angles[k]]
        return names + 0.8 * self.style.size

    def _room_beside(self, k: int) -> float:
        return max(self.cell * len(self.grids[k].front_layers), LOWEST * self.style.size)

    def _left(self, k: int) -> float:
        size = self.style.size
        if k not in self.blocks:
            return 1.1 * size
        names = max(width(name, self.label) for name in self.names[k][0].labels)
        ends = max(width(name, self.label) for name in self.names[k][1].labels)
        over = ends * DIAGONAL - self.cell / 2 if self.angles[k] == 45 else 0.0
        return (1.4 * size if k else 0.0) + (len(self.beside[k]) * LINE + 0.3) * size + max(names + 0.5 * size, over)


def bar_ticks(grid: Grid, most: int = 5) -> list[tuple[float, str]]:
    """Return about so many ticks of a colour bar: places, 0 at its low end and 1 at its high one, and texts."""
    low, high = (math.log10(end) if grid.log else end for end in (grid.low, grid.high))
    if grid.log:
        named = [(math.log10(tick), f"{tick:g}") for tick in log_ticks(grid.low, grid.high)]
        named = named[:: max(1, math.ceil(len(named) / (most + 1)))]
    else:
        named = list(round_ticks(low, high, most))
    return [((place - low) / ((high - low) or 1.0), text) for place, text in named]


def _layers(grid: Grid) -> tuple[Any, ...]:
    return grid.front, grid.end, grid.front_layers, grid.end_layers


def _colours(grid: Grid) -> tuple[Any, ...]:
    return grid.scale, grid.low, grid.high, grid.log


def _marked(grid: Grid) -> ShortNames:
    """Return the names of the columns, with † where they are doubtful."""
    names = shorten(grid.end_layers)
    return names._replace(
        labels=tuple(
            label + (" †" if layer in grid.doubtful else "")
            for layer, label in zip(grid.end_layers, names.labels, strict=True)
        )
    )
