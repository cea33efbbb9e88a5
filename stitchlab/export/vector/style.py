"""Describes what all heatmaps of an exported figure have in common. All lengths are points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stitchlab.export.vector.letters import width
from stitchlab.figures.grid import Grid, number

LEAST_NUMBER = 5.3  # numbers in cells are left out where they would be smaller
FILLED = 0.88  # of a cell's width, at most, by its number
HIGHEST = 0.5  # of a cell's side, the letters of its number: a star stands above it
WIDEST = "−.88"  # what cells have to have room for, so that panels beside each other all have numbers, or none
LEAST_LABEL = 4.5  # labels of layers; where rows are lower, only some have one


@dataclass(frozen=True)
class Style:
    """Describes how heatmaps look: their letters, their colours, the framed cell, whether cells have numbers.

    ``size`` is that of titles; ``sequential`` is Plotly's name of the colours of what has no middle; ``values`` is as
    in `stitchlab.export.options.Options`.
    """

    size: float
    dark: bool
    sequential: str
    selected: tuple[str, str] | None = None
    values: bool | None = None

    @property
    def small(self) -> float:
        """Return the size of numbers beside a colour bar, and of notes."""
        return 0.86 * self.size

    def scale(self, grid: Grid) -> str:
        """Return Plotly's name of a panel's colours."""
        return grid.scale if grid.diverging else self.sequential

    def label(self, cell: float) -> tuple[float, int]:
        """Return the size of layers' names beside such cells, and which of them are written: every first, second, …"""
        size = 0.95 * cell
        return max(LEAST_LABEL, min(self.size, size)), max(1, -int(-LEAST_LABEL // max(size, 0.1)))

    def number(self, grids: Sequence[Grid], cell: float) -> float | None:
        """Return the size of numbers in such cells; None where there are none: not asked for, or not legible."""
        if self.values is False:
            return None
        widest = max(
            [WIDEST, *{number(v, grid.narrow) for grid in grids for v in grid.values.ravel()}],
            key=lambda text: width(text, 1),
        )
        size = min(self.size, HIGHEST * cell, FILLED * cell / width(widest, 1))
        return size if self.values or size >= LEAST_NUMBER else None
