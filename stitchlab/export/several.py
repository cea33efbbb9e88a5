"""Combines runs: finds the one of the opposite direction, and takes mean and spread over the layers of several."""

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
    """Find the run of the opposite direction: front and end network change places, and all else is the same.

    It may have other layers and indices. Raises StitchLabError where there is none.
    """
    request = run.request
    own = Store() if run.source else run.store
    for other in (*list_runs(own), *shelf.others(own)):
        asked = other.request
        if (asked.front, asked.end) == (request.end, request.front) and all(
            getattr(asked, name) == getattr(request, name)
            for name in ("data", "eval_images", "methods", "dm", "tlm", "seed", "precision")
        ):
            return other
    raise StitchLabError(
        f"there is no run of the opposite direction of {run.title} with the same settings; `compare "
        f"{run.record['end']['name']} {run.record['front']['name']}` makes one"
    )


def mean(runs: Sequence[Run], grids: Sequence[Grid]) -> Grid:
    """Average the same heatmap of several runs on their common layers; what one of them lacks is NaN.

    Raises StitchLabError for fewer than two runs, and for runs without common layers.
    """
    both = together(runs)
    return replace(
        _first(both, grids),
        values=_values(both, grids).mean(0),
        low=min(grid.low for grid in grids),
        high=max(grid.high for grid in grids),
        title=f"{grids[0].title}, mean of {len(runs)} runs",
    )


def spread(runs: Sequence[Run], grids: Sequence[Grid]) -> Grid:
    """Return the standard deviation (n − 1) of the same heatmap over several runs. Raises as `mean`."""
    both = together(runs)
    values = _values(both, grids).std(0, ddof=1)
    high = 0.0 if np.isnan(values).all() else float(np.nanmax(values))
    return replace(
        _first(both, grids),
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
    """Return the second run's heatmap minus the first's, colours centred on 0. Raises as `mean`, and for a third."""
    if len(runs) > 2:
        raise StitchLabError(f"a difference: expected two runs, got {len(runs)}")
    both = together(runs)
    first, second = _values(both, grids)
    most = 0.0 if np.isnan(second - first).all() else float(np.nanmax(np.abs(second - first)))
    return replace(
        _first(both, grids),
        values=second - first,
        low=-most or -1.0,
        high=most or 1.0,
        better="",
        diverging=True,
        red_low=grids[0].better == "lower",
        log=False,
        title=f"{grids[0].title}, run {runs[1].id[:8]} minus {runs[0].id[:8]}",
    )


def _first(both: Together, grids: Sequence[Grid]) -> Grid:
    """Return the first heatmap with the common layers, and with the names of all networks."""
    front, end = (", ".join(dict.fromkeys(getattr(grid, side) for grid in grids)) for side in ("front", "end"))
    return replace(
        grids[0], front=front, end=end, front_layers=both.front_layers, end_layers=both.end_layers, doubtful=()
    )


def _values(both: Together, grids: Sequence[Grid]) -> np.ndarray:
    """Return the values (runs, front layers, end layers) on the common layers."""
    return np.stack([both.shared(grid.values, grid.front_layers, grid.end_layers) for grid in grids])
