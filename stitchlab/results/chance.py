"""Compare an index with chance, that is, with its values on permuted images: in a cell, and at the best of a column.

The null of a cell is the index with one layer's images permuted (`stitchlab.indices.null`). Three numbers follow from
it, as in arXiv 2602.14486: a bound such that 95 % of the null values, with the observed value counted among them, are
not more similar; a p-value, which counts the observed value, too; and the calibrated value, which is 0 at that bound
and 1 at the index's best possible value.

★ marks the best cell of a column, which is a maximum over many cells. It is therefore compared with the best of the
same column under each permutation, and its p-values are corrected over the columns of a grid (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.indices import INDICES, Index
from stitchlab.request import NULL

if TYPE_CHECKING:
    from stitchlab.results.run import Run

Values = npt.NDArray[np.float64]

IN_TABLES = ("null95", "p")  # numbers of an index that tables show where a null was requested
NUMBERS = (*IN_TABLES, "calibrated")
NULL_QUANTILE = 0.95  # the share of a null that does not exceed its bound
ALPHA = 0.05  # significance level of ★
PERMUTATIONS = 200  # the default
PERMUTATIONS_PER_COLUMN = (
    25  # permutations for each column that is tested: fewer than 20 cannot reach ALPHA after Holm's correction
)


class Test(NamedTuple):
    """Hold the test of the best value of a column against chance.

    Attributes:
        end_layer: the column.
        value: the index in its best cell.
        null95: the bound of its null, which has the best value of the column under each permutation.
        p: the share of permutations that are as good.
        adjusted: p after Holm's correction over the columns of the grid.
        decided: whether there are enough permutations for a decision.
    """

    end_layer: str
    value: float
    null95: float
    p: float
    adjusted: float
    decided: bool

    @property
    def by_chance(self) -> bool:
        """Tell whether chance alone may explain the best of the column, so that its ★ means nothing."""
        return self.decided and self.adjusted >= ALPHA


def default_permutations(columns: int) -> int:
    """Return how many permutations are used by default for a grid of so many columns.

    >>> default_permutations(8), default_permutations(16)
    (200, 400)
    """
    return max(PERMUTATIONS, min_permutations(columns))


def min_permutations(columns: int) -> int:
    """Return a number of permutations that is enough, with some margin, to decide about so many columns.

    >>> min_permutations(6)
    150
    """
    return PERMUTATIONS_PER_COLUMN * columns


def null95(value: float, null: Sequence[float] | Values, index: Index) -> float:
    """Return the bound such that 95 % of the null, with the observed value added, are not more similar.

    It is an order statistic.

    Args:
        value: the observed value.
        null: the index's values with images permuted.
        index: decides whether higher or lower is more similar.

    >>> null95(0.9, [0.1] * 18 + [0.2], INDICES["cka"]), null95(0.1, [0.5] * 18 + [0.4], INDICES["opd"])
    (0.2, 0.4)
    """
    sign = 1 if index.better == "higher" else -1
    ordered = np.sort(sign * np.append(np.asarray(null, dtype=np.float64), value))
    return float(sign * ordered[math.ceil(NULL_QUANTILE * len(ordered)) - 1])


def p_value(value: float, null: Sequence[float] | Values, index: Index) -> float:
    """Return the share of values, of the null and the observed one, that are as similar as the observed one or more.

    Args:
        value: the observed value.
        null: the index's values with images permuted.
        index: decides whether higher or lower is more similar.

    Returns:
        0..1, never 0.

    >>> p_value(0.9, [0.1] * 19, INDICES["cka"]), p_value(0.1, [0.1] * 19, INDICES["opd"])
    (0.05, 1.0)
    """
    null_values = np.asarray(null, dtype=np.float64)
    as_good = null_values >= value if index.better == "higher" else null_values <= value
    return float((1 + as_good.sum()) / (1 + len(null_values)))


def calibrated(value: float, bound: float, index: Index) -> float | None:
    """Return (value − bound) / (best − bound): 1 for a copy, 0 at the null's bound, negative where chance is as good.

    Higher is more similar, also for distances. None where the null's bound is the best possible value.

    Args:
        value: the observed value.
        bound: the null's (`null95`).
        index: has the best possible value.

    >>> calibrated(0.75, 0.5, INDICES["cka"]), calibrated(0.5, 2.0, INDICES["opd"])
    (0.5, 0.75)
    """
    return None if bound == index.best else (value - bound) / (index.best - bound)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979, "A simple sequentially rejective multiple test procedure").

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        highest = max(highest, min(1.0, p_values[k] * (len(p_values) - rank)))
        adjusted[k] = highest
    return adjusted


def null(run: Run, name: str, front_layer: str, end_layer: str) -> list[float] | None:
    """Return an index's values with images permuted, one for each permutation.

    Args:
        run, name: the run, and the index.
        front_layer, end_layer: of the cell.

    Returns:
        None if the index has no null there, or it is not computed yet.
    """
    entry = run.cells.get((NULL + name, front_layer, end_layer))
    return None if entry is None else entry["null"]


def number(run: Run, name: str, metric: str, front_layer: str, end_layer: str) -> float | None:
    """Return a number that compares an index with chance in a cell.

    Args:
        run, name: the run, and the index.
        metric: ``null95``, ``p`` or ``calibrated``.
        front_layer, end_layer: of the cell.

    Returns:
        None if it is undefined or not computed yet.

    Raises:
        UnknownName: the run has no such layer.
    """
    index = INDICES[name]
    value, null_values = run.value(name, index.metric, front_layer, end_layer), null(run, name, front_layer, end_layer)
    if value is None or null_values is None:
        return None
    if metric == "p":
        return p_value(value, null_values, index)
    bound = null95(value, null_values, index)
    return bound if metric == "null95" else calibrated(value, bound, index)


def why_none(run: Run, name: str, front_layer: str, end_layer: str) -> str:
    """Say why an index that has a value in a cell has no number that compares it with chance.

    Args:
        run, name: the run, and the index.
        front_layer, end_layer: of the cell.

    Returns:
        the reason; empty if the null is not computed yet.
    """
    entry = run.cells.get((NULL + name, front_layer, end_layer))
    return "" if entry is None else entry["reason"] or "permuted images reach the index's best value"


def columns(run: Run, name: str) -> list[Test]:
    """Test the best cell of each column of an index; skip columns without a value or a null."""
    index = INDICES[name]
    best = np.max if index.better == "higher" else np.min
    tests = []
    for j in run.request.end_layers:
        cells = [
            (value, null_values)
            for i in run.request.front_layers
            if (value := run.value(name, index.metric, i, j)) is not None and (null_values := null(run, name, i, j))
        ]
        if cells:
            value = float(best([value for value, _ in cells]))
            best_nulls = best(np.array([null_values for _, null_values in cells]), axis=0)
            tests.append((j, value, null95(value, best_nulls, index), p_value(value, best_nulls, index)))
    adjusted = holm([p for *_, p in tests])
    decided = len(tests) / (1 + run.request.null) < ALPHA
    return [Test(*test, p, decided) for test, p in zip(tests, adjusted, strict=True)]


def by_chance(run: Run, name: str) -> tuple[str, ...]:
    """List the end layers whose ★ chance alone may explain; none if there is no null."""
    return tuple(test.end_layer for test in columns(run, name) if test.by_chance) if run.request.null else ()
