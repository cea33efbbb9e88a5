"""Compare several runs: their common layers, the difference of two, mean and spread of many, rank correlation.

Layers with the same names are the same layers. Two runs of the same networks in opposite directions can be compared,
too. The second run is then *turned*: its cell (j, i) is compared with cell (i, j) of the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stitchlab.errors import StitchLabError, check_names
from stitchlab.results.chance import IN_TABLES
from stitchlab.results.run import Run

Values = npt.NDArray[np.float64]
MIN_PAIRS = 3  # of numbers, for a rank correlation


@dataclass(frozen=True)
class Together:
    """Hold runs, cut down to the layers that all of them have.

    Attributes:
        runs: in the requested order.
        front_layers, end_layers: in the order of the first run.
        turned: whether all runs but the first swap front and end.
    """

    runs: tuple[Run, ...]
    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]
    turned: bool = False

    @property
    def quantities(self) -> list[tuple[str, str]]:
        """List every (method or index, metric) that all of the runs have, in the order of tables."""
        others = [set(run.quantities()) for run in self.runs[1:]]
        return [
            quantity
            for quantity in self.runs[0].quantities()
            if quantity[1] not in IN_TABLES and all(quantity in other for other in others)
        ]

    def matrices(self, method: str, metric: str) -> Values:
        """Return one number of all runs (runs, front layers, end layers); NaN if undefined or not computed yet.

        Raises UnknownName for a number that not all runs have.
        """
        check_names(
            "quantity that all of these runs have",
            [f"{method}/{metric}"],
            [f"{name}/{number}" for name, number in self.quantities],
        )
        return np.stack([self._matrix(run, method, metric, self.turned and k > 0) for k, run in enumerate(self.runs)])

    def _matrix(self, run: Run, method: str, metric: str, turned: bool) -> Values:
        """Return a run's matrix, cut down to the shared layers."""
        values, request = run.matrix(method, metric), run.request
        rows, columns = request.front_layers, request.end_layers
        if turned:
            values, rows, columns = values.T, columns, rows
        return self.shared(values, rows, columns)

    def shared(self, values: Values, rows: Sequence[str], columns: Sequence[str]) -> Values:
        """Cut a matrix down to the layers that all runs have.

        Args:
            values: (front layers, end layers) of one run.
            rows, columns: the names of its front and end layers.
        """
        return values[np.ix_([rows.index(i) for i in self.front_layers], [columns.index(j) for j in self.end_layers])]


def together(runs: Sequence[Run], *, turned: bool = False) -> Together:
    """Find the common layers of runs. Raises StitchLabError if there are none, or fewer than two runs.

    Args:
        runs: two or more.
        turned: whether the front layers of all runs but the first are compared with the end layers of the first.
    """
    if len(runs) < 2:
        raise StitchLabError(f"expected two runs or more, got {len(runs)}")
    sides = [(run.request.front_layers, run.request.end_layers) for run in runs]
    sides[1:] = [(end, front) if turned else (front, end) for front, end in sides[1:]]
    fronts, ends = (
        [layer for layer in layers[0] if all(layer in others for others in layers[1:])]
        for layers in zip(*sides, strict=True)
    )
    for side, layers in (("front", fronts), ("end", ends)):
        if not layers:
            raise StitchLabError(
                f"these runs have no {side} layer in common: layers are compared by their names, such "
                f"as {runs[0].request.front_layers[0]}; choose runs of the same architectures"
            )
    return Together(tuple(runs), tuple(fronts), tuple(ends), turned)


def mirrored(first: Run, second: Run) -> bool:
    """Tell whether the second run has the first one's networks in the opposite direction."""
    a, b = first.request, second.request
    return a.front != a.end and (a.front, a.end) == (b.end, b.front)


def difference(both: Together, method: str, metric: str) -> Values:
    """Subtract the first run's numbers from the second one's.

    Args:
        both: two runs.
        method, metric: which number.

    Returns:
        (front layers, end layers); NaN where either has no number.

    Raises:
        UnknownName: not all runs have this number.
    """
    first, second, *_ = both.matrices(method, metric)
    change: Values = second - first
    return change


def mean(all_runs: Together, method: str, metric: str) -> Values:
    """Average a number over runs.

    Args:
        all_runs: the runs.
        method, metric: which number.

    Returns:
        (front layers, end layers); NaN where any run has no number.

    Raises:
        UnknownName: not all runs have this number.
    """
    values: Values = all_runs.matrices(method, metric).mean(axis=0)
    return values


def spread(all_runs: Together, method: str, metric: str) -> Values:
    """Return the standard deviation of a number over runs, with n − 1.

    Args:
        all_runs: the runs.
        method, metric: which number.

    Returns:
        (front layers, end layers); NaN where any run has no number.

    Raises:
        UnknownName: not all runs have this number.
    """
    values: Values = all_runs.matrices(method, metric).std(axis=0, ddof=1)
    return values


def spearman(x: Values, y: Values) -> float | None:
    """Compute Spearman's rank correlation; ties get their average rank, pairs that lack a number are left out.

    None where it is undefined: there are fewer than three pairs, or all numbers of one side are equal.

    >>> spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 40.0, 30.0]))
    0.8
    """
    defined = ~np.isnan(x + y)
    a, b = (ranks(side[defined]) for side in (x, y))
    if a.size < MIN_PAIRS or not (np.ptp(a) and np.ptp(b)):
        return None
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def ranks(values: Values) -> Values:
    """Rank numbers from 1 on; equal ones share their average rank.

    >>> ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Values = (last - (counts - 1) / 2.0)[which]
    return shared
