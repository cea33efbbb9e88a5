"""Describes the style that all heatmaps of an exported figure share. All lengths are in points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stitchlab.export.options import Options
from stitchlab.export.vector.letters import width
from stitchlab.figures.grid import Grid, number
from stitchlab.figures.template import SEQUENTIAL
from stitchlab.request import Cell

MIN_NUMBER_SIZE = 5.3  # cells have no numbers if these would be smaller
MAX_NUMBER_WIDTH = 0.88  # as a share of a cell's width
MAX_NUMBER_HEIGHT = 0.5  # font size as a share of a cell's side: a star has to fit above the number
WIDEST_NUMBER = "−.88"  # cells need room for it, so that either all panels of a figure have numbers or none
MIN_LABEL_SIZE = 4.5  # of layers; with lower rows, only some layers are labelled


@dataclass(frozen=True)
class Style:
    """Describes how heatmaps look: font size, colours, the framed cell, whether cells have numbers.

    ``size`` is the font size of titles; ``sequential`` is Plotly's name of the colour scale of quantities whose range
    has no middle; ``values`` has the meaning that it has in `stitchlab.export.options.Options`.
    """

    size: float
    dark: bool
    sequential: str
    selected: Cell | None = None
    values: bool | None = None

    @classmethod
    def of(cls, options: Options, selected: Cell | None = None) -> Style:
        """Return the style that the options describe; ``selected`` is the cell to frame."""
        sequential = SEQUENTIAL if options.colours == "viridis" else "Cividis"
        return cls(options.points, options.dark, sequential, selected, options.values)

    @property
    def small(self) -> float:
        """Return the font size of notes, and of the numbers beside a colour bar."""
        return 0.86 * self.size

    def scale(self, grid: Grid) -> str:
        """Return Plotly's name of a heatmap's colour scale."""
        return grid.scale if grid.diverging else self.sequential

    def label(self, cell: float) -> tuple[float, int]:
        """Return the font size of layers' names beside cells of this side, and k: every k-th of them is written."""
        size = 0.95 * cell
        return max(MIN_LABEL_SIZE, min(self.size, size)), max(1, -int(-MIN_LABEL_SIZE // max(size, 0.1)))

    def number(self, grids: Sequence[Grid], cell: float) -> float | None:
        """Return the font size of the numbers in cells of this side; None if they are switched off or not legible."""
        if self.values is False:
            return None
        widest = max(
            [WIDEST_NUMBER, *{number(v, grid.narrow) for grid in grids for v in grid.values.ravel()}],
            key=lambda text: width(text, 1),
        )
        size = min(self.size, MAX_NUMBER_HEIGHT * cell, MAX_NUMBER_WIDTH * cell / width(widest, 1))
        return size if self.values or size >= MIN_NUMBER_SIZE else None
