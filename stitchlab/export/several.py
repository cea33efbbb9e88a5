"""Runs beside a run: the one of the opposite direction, and mean and spread over several on their common layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.figures.heatmap import Grid
from stitchlab.results.run import Run, list_runs


def opposite(run: Run) -> Run:
    """Find the run that differs in its direction only: front and end network change places, and all else is the same.

    It may have other layers and indices. Raises StitchLabError where there is none.
    """
    request = run.request
    for other in list_runs(run.store):
        asked = other.request
        if (asked.front, asked.end) == (request.end, request.front) and all(
            getattr(asked, name) == getattr(request, name) for name in
            ("data", "eval_images", "methods", "dm", "tlm", "seed", "precision")
        ):
            return other
    raise StitchLabError(f"there is no run of the opposite direction of {run.title} with the same settings; `compare "
                         f"{run.record['end']['name']} {run.record['front']['name']}` makes one")


def mean(grids: Sequence[Grid]) -> Grid:
    """Average heatmaps of several runs on their common layers; what one of them lacks is lacking."""
    values = _common(grids)
    return replace(_first(grids), values=values.mean(0), title=f"{grids[0].title}, mean of {len(grids)} runs",
                   low=min(grid.low for grid in grids), high=max(grid.high for grid in grids))


def spread(grids: Sequence[Grid]) -> Grid:
    """Give the standard deviation (n − 1) over heatmaps of several runs on their common layers."""
    values = _common(grids).std(0, ddof=1)
    high = float(np.nanmax(values)) if not np.isnan(values).all() else 1.0
    return replace(_first(grids), values=values, title=f"{grids[0].title}, standard deviation over {len(grids)} runs",
                   low=0.0, high=high or 1.0, better="", diverging=False, red_low=False, log=False)


def _first(grids: Sequence[Grid]) -> Grid:
    """The first heatmap with all networks' names and the common layers."""
    return replace(grids[0], front=_names(grid.front for grid in grids), end=_names(grid.end for grid in grids),
                   front_layers=_layers([grid.front_layers for grid in grids]), doubtful=(),
                   end_layers=_layers([grid.end_layers for grid in grids]))


def _names(names: object) -> str:
    return ", ".join(dict.fromkeys(names))  # type: ignore[call-overload]


def _layers(each: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(layer for layer in each[0] if all(layer in layers for layers in each))


def _common(grids: Sequence[Grid]) -> np.ndarray:
    """Values (runs, front layers, end layers) on the common layers. Raises StitchLabError."""
    if len(grids) < 2:
        raise StitchLabError("mean and spread: two runs or more were expected; one came")
    rows, columns = (_layers([getattr(grid, side) for grid in grids]) for side in ("front_layers", "end_layers"))
    if not rows or not columns:
        raise StitchLabError("mean and spread: these runs have no cell in common, by the names of their layers")
    return np.stack([grid.values[np.ix_([grid.front_layers.index(i) for i in rows],
                                        [grid.end_layers.index(j) for j in columns])] for grid in grids])
