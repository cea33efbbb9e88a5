"""Combines runs: finds the run of the opposite direction; takes the mean, spread and difference of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.figures.grid import Grid
from stitchlab.results import shelf
from stitchlab.results.run import Run, list_runs
from stitchlab.results.together import Together, together
from stitchlab.store import Store


def opposite(run: Run) -> Run:
    """Find the run of the opposite direction: front and end network are swapped, all other settings are the same.

    Its layers and indices may differ. Raises StitchLabError if there is no such run.
    """
    request = run.request
    own_store = Store() if run.source else run.store
    for candidate in (*list_runs(own_store), *shelf.others(own_store)):
        other = candidate.request
        if (other.front, other.end) == (request.end, request.front) and all(
            getattr(other, name) == getattr(request, name)
            for name in ("data", "eval_images", "methods", "dm", "tlm", "seed", "precision")
        ):
            return candidate
    raise StitchLabError(
        f"there is no run of the opposite direction of {run.title} with the same settings; `compare "
        f"{run.record['end']['name']} {run.record['front']['name']}` makes one"
    )


def mean(runs: Sequence[Run], grids: Sequence[Grid]) -> Grid:
    """Average the same heatmap of several runs on their common layers; a cell that one of them lacks is NaN.

    Raises StitchLabError for fewer than two runs, and for runs without common layers.
    """
    common = together(runs)
    return replace(
        _first(common, grids),
        values=_values(common, grids).mean(0),
        low=min(grid.low for grid in grids),
        high=max(grid.high for grid in grids),
        title=f"{grids[0].title}, mean of {len(runs)} runs",
    )


def spread(runs: Sequence[Run], grids: Sequence[Grid]) -> Grid:
    """Return the standard deviation (n − 1) of the same heatmap over several runs. Raises as `mean`."""
    common = together(runs)
    values = _values(common, grids).std(0, ddof=1)
    high = 0.0 if np.isnan(values).all() else float(np.nanmax(values))
    return replace(
        _first(common, grids),
        values=values,
        low=0.0,
        high=high or 1.0,
        better="",
        diverging=False,
        red_low=False,
        log=False,
        title=f"{grids[0].title}, standard deviation over {len(runs)} runs",
    )


def change(runs: Sequence[Run], grids: Sequence[Grid]) -> Grid:
    """Return the second run's heatmap minus the first's, colours centred on 0. Raises as `mean`, and for over two."""
    if len(runs) > 2:
        raise StitchLabError(f"a difference: expected two runs, got {len(runs)}")
    common = together(runs)
    first, second = _values(common, grids)
    largest = 0.0 if np.isnan(second - first).all() else float(np.nanmax(np.abs(second - first)))
    return replace(
        _first(common, grids),
        values=second - first,
        low=-largest or -1.0,
        high=largest or 1.0,
        better="",
        diverging=True,
        red_low=grids[0].better == "lower",
        log=False,
        title=f"{grids[0].title}, run {runs[1].id[:8]} minus {runs[0].id[:8]}",
    )


def _first(common: Together, grids: Sequence[Grid]) -> Grid:
    """Return the first heatmap with the common layers, and with the names of all networks."""
    front, end = (", ".join(dict.fromkeys(getattr(grid, side) for grid in grids)) for side in ("front", "end"))
    return replace(
        grids[0], front=front, end=end, front_layers=common.front_layers, end_layers=common.end_layers, doubtful=()
    )


def _values(common: Together, grids: Sequence[Grid]) -> np.ndarray:
    """Return the values (runs, front layers, end layers) on the common layers."""
    return np.stack([common.shared(grid.values, grid.front_layers, grid.end_layers) for grid in grids])
