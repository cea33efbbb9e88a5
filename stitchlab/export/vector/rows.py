"""Lays out heatmaps side by side. All lengths are in points.

Neighbouring panels with the same networks and layers form a *block*: the front layers are labelled at its first panel
only, and one title of the end layers is centred below it. Neighbouring panels with the same colours share a colour bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from stitchlab.export.vector.letters import LINE, lines, width
from stitchlab.export.vector.style import Style
from stitchlab.figures.grid import Grid
from stitchlab.figures.layer_names import ShortNames, shorten
from stitchlab.figures.ranges import log_ticks, round_ticks

MIN_PANEL_WIDTH = 9.5  # in font sizes
MIN_TITLE_ROOM = 8.5  # along the front layers, for the title of the axis, in font sizes
MAX_TITLE_LINES = 5
MAX_AXIS_LINES = 3  # of an axis title
MIN_CELL_FOR_45_DEGREES = 1.3  # in label sizes; below smaller cells, labels of columns are upright
DIAGONAL = 0.71


class Row:
    """Lays out heatmaps side by side, with square cells of side ``cell``; ``letters`` are (a), (b), … or empty."""

    def __init__(self, grids: Sequence[Grid], letters: Sequence[str], style: Style, data: str, cell: float) -> None:
        self.grids, self.style, self.data, self.cell = grids, style, data, cell
        self.label_size, self.label_step = style.label(cell)
        blocks = [list(block) for _, block in groupby(range(len(grids)), key=lambda k: _layers(grids[k]))]
        self.blocks = {block[0]: block for block in blocks}
        last = {block[-1] for block in blocks}
        self.bar_widths = [
            self._bar_width(grid) if k in last or _colours(grid) != _colours(grids[k + 1]) else 0.0
            for k, grid in enumerate(grids)
        ]
        self.labels = [(shorten(grid.front_layers), _marked(grid)) for grid in grids]
        self.angles = [self._angle(ends) for _, ends in self.labels]
        self.cells_height = cell * max(len(grid.front_layers) for grid in grids)
        self.labels_height = max(self._labels_height(k) for k in range(len(grids)))
        self.front_titles = {
            k: self._axis_title(f"Front layer of {grids[k].front}", self._room_for_title(k)) for k in self.blocks
        }
        self.lefts = [self._left(k) for k in range(len(grids))]
        self.widths = [
            max(cell * len(grid.end_layers) + bar, MIN_PANEL_WIDTH * style.size)
            for grid, bar in zip(grids, self.bar_widths, strict=True)
        ]
        self.width = sum(self.lefts) + sum(self.widths)
        self.titles = [
            lines(letter + grid.title, room - 0.6 * style.size, style.size, bold=True, max_lines=MAX_TITLE_LINES)
            for letter, grid, room in zip(letters, grids, self.widths, strict=True)
        ]
        self.end_titles = {k: self._axis_title(f"End layer of {grids[k].end}", self.span(k)) for k in self.blocks}
        self.top = (max(map(len, self.titles)) * LINE + 0.35) * style.size
        titles_height = max(map(len, self.end_titles.values())) * LINE * style.size
        self.height = self.top + max(
            self.cells_height + self.labels_height + titles_height, (MIN_TITLE_ROOM + 0.5) * style.size
        )

    def lefts_of_grids(self, x: float) -> list[float]:
        """Return the left edge of each panel's cells, if the row begins at x."""
        lefts = []
        for left, panel_width in zip(self.lefts, self.widths, strict=True):
            lefts.append(x + left)
            x += left + panel_width
        return lefts

    def span(self, first: int) -> float:
        """Return the width of a block from its first cells on, with its colour bars."""
        block = self.blocks[first]
        return sum(self.widths[k] for k in block) + sum(self.lefts[k] for k in block[1:])

    def _axis_title(self, text: str, room: float) -> list[str]:
        return lines(f"{text}, {self.data}", room, self.style.size, max_lines=MAX_AXIS_LINES)

    def _bar_width(self, grid: Grid) -> float:
        return 1.9 * self.style.size + max(width(text, self.style.small) for _, text in bar_ticks(grid))

    def _angle(self, ends: ShortNames) -> int:
        widest = max(width(name, self.label_size) for name in ends.labels)
        if widest <= 0.9 * self.cell:
            return 0
        return 45 if self.cell >= MIN_CELL_FOR_45_DEGREES * self.label_size else 90

    def _labels_height(self, k: int) -> float:
        """Return the height of the labels below the cells, with the gap after them."""
        widest = max(width(name, self.label_size) for name in self.labels[k][1].labels)
        names = {0: self.label_size, 45: (widest + self.label_size) * DIAGONAL, 90: widest}[self.angles[k]]
        return names + 0.8 * self.style.size

    def _room_for_title(self, k: int) -> float:
        return max(self.cell * len(self.grids[k].front_layers), MIN_TITLE_ROOM * self.style.size)

    def _left(self, k: int) -> float:
        size = self.style.size
        if k not in self.blocks:
            return 1.1 * size
        names = max(width(name, self.label_size) for name in self.labels[k][0].labels)
        ends = max(width(name, self.label_size) for name in self.labels[k][1].labels)
        over = ends * DIAGONAL - self.cell / 2 if self.angles[k] == 45 else 0.0
        return (
            (1.4 * size if k else 0.0) + (len(self.front_titles[k]) * LINE + 0.3) * size + max(names + 0.5 * size, over)
        )


def bar_ticks(grid: Grid, count: int = 5) -> list[tuple[float, str]]:
    """Return about ``count`` ticks of a colour bar: positions, 0 at its low end and 1 at its high end, and texts."""
    low, high = (math.log10(end) if grid.log else end for end in (grid.low, grid.high))
    if grid.log:
        ticks = [(math.log10(tick), f"{tick:g}") for tick in log_ticks(grid.low, grid.high)]
        ticks = ticks[:: max(1, math.ceil(len(ticks) / (count + 1)))]
    else:
        ticks = list(round_ticks(low, high, count))
    return [((position - low) / ((high - low) or 1.0), text) for position, text in ticks]


def _layers(grid: Grid) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    return grid.front, grid.end, grid.front_layers, grid.end_layers


def _colours(grid: Grid) -> tuple[str, float, float, bool]:
    return grid.scale, grid.low, grid.high, grid.log


def _marked(grid: Grid) -> ShortNames:
    """Return the labels of the columns, with † if the detector is not believed there."""
    names = shorten(grid.end_layers)
    return names._replace(
        labels=tuple(
            label + (" †" if layer in grid.doubtful else "")
            for layer, label in zip(grid.end_layers, names.labels, strict=True)
        )
    )
