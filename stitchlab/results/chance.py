"""Tell what an index would be by chance, with images permuted: for a cell, and for the best of a column.

The null of a cell is the index with one layer's images permuted (`stitchlab.indices.null`). From it, as in arXiv
2602.14486: the value that 95 % of the null, the observed value among them, do not pass; a p-value that counts the
observed one, too; and the calibrated value, 0 at that bound and 1 at the index's best. ★ marks the best of a column,
which is a maximum over many: it is held against the best of the same column under each permutation, and its p-values
are corrected over the columns of a grid (Holm 1979).
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

IN_TABLES = ("null95", "p")  # what tables have of an index where a null was asked for
NUMBERS = (*IN_TABLES, "calibrated")
SHARE = 0.95  # of a null, that its bound is not passed by
ALPHA = 0.05
PERMUTATIONS = 200  # where nobody says how many
A_COLUMN = 25  # permutations for each column that is tested: fewer than 20 cannot reach ALPHA after Holm's correction


class Test(NamedTuple):
    """Hold the test of the best value of a column against chance.

    Attributes:
        end_layer: the column.
        value: of its best cell.
        null95: the bound of its null: of the best of the column, under each permutation.
        p: how often chance is as good.
        adjusted: p after Holm's correction over the columns of the grid.
        decided: whether that many permutations can decide at all.
    """

    end_layer: str
    value: float
    null95: float
    p: float
    adjusted: float
    decided: bool

    @property
    def by_chance(self) -> bool:
        """Tell whether the best of the column may be there by chance, so that its ★ means nothing."""
        return self.decided and self.adjusted >= ALPHA


def usual(columns: int) -> int:
    """Return how many permutations are used by default for a grid of so many columns.

    >>> usual(8), usual(16)
    (200, 400)
    """
    return max(PERMUTATIONS, enough(columns))


def enough(columns: int) -> int:
    """Return how many permutations are needed at least to decide about so many columns.

    >>> enough(6)
    150
    """
    return A_COLUMN * columns


def null95(value: float, null: Sequence[float] | Values, index: Index) -> float:
    """Return the bound that 95 % of the null and the observed value do not pass, as an order statistic.

    Args:
        value: the observed one.
        null: the index's values with images permuted.
        index: which tells whether higher or lower is more similar.

    >>> null95(0.9, [0.1] * 18 + [0.2], INDICES["cka"]), null95(0.1, [0.5] * 18 + [0.4], INDICES["opd"])
    (0.2, 0.4)
    """
    sign = 1 if index.better == "higher" else -1
    every = np.sort(sign * np.append(np.asarray(null, dtype=np.float64), value))
    return float(sign * every[math.ceil(SHARE * len(every)) - 1])


def p_value(value: float, null: Sequence[float] | Values, index: Index) -> float:
    """Return the share of the null and the observed value that is at least as similar as the latter.

    Args:
        value: the observed one.
        null: the index's values with images permuted.
        index: which tells whether higher or lower is more similar.

    Returns:
        0..1, never 0.

    >>> p_value(0.9, [0.1] * 19, INDICES["cka"]), p_value(0.1, [0.1] * 19, INDICES["opd"])
    (0.05, 1.0)
    """
    known = np.asarray(null, dtype=np.float64)
    as_good = known >= value if index.better == "higher" else known <= value
    return float((1 + as_good.sum()) / (1 + len(known)))


def calibrated(value: float, bound: float, index: Index) -> float | None:
    """Return (value − bound) / (best − bound): 1 for a copy, 0 at the null's bound, below it where chance is as good.

    Higher is more similar, also for distances. None where the null reaches the best value itself.

    Args:
        value: the observed one.
        bound: of the null (`null95`).
        index: which tells the best value.

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
        None if it has none, or is not computed yet.
    """
    kept = run.cells.get((NULL + name, front_layer, end_layer))
    found: list[float] | None = None if kept is None else kept["null"]
    return found


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
    value, known = run.value(name, index.metric, front_layer, end_layer), null(run, name, front_layer, end_layer)
    if value is None or known is None:
        return None
    if metric == "p":
        return p_value(value, known, index)
    bound = null95(value, known, index)
    return bound if metric == "null95" else calibrated(value, bound, index)


def why_none(run: Run, name: str, front_layer: str, end_layer: str) -> str:
    """Say why an index that has a value in a cell has no number that compares it with chance.

    Args:
        run, name: the run, and the index.
        front_layer, end_layer: of the cell.

    Returns:
        the reason; empty if the null is not computed yet.
    """
    kept = run.cells.get((NULL + name, front_layer, end_layer))
    return "" if kept is None else str(kept["reason"]) or "permuted images reach the index's best value"


def columns(run: Run, name: str) -> list[Test]:
    """Test the best of each column of an index; skip columns without a value or a null."""
    index = INDICES[name]
    best = np.max if index.better == "higher" else np.min
    found = []
    for j in run.request.end_layers:
        cells = [
            (value, known)
            for i in run.request.front_layers
            if (value := run.value(name, index.metric, i, j)) is not None and (known := null(run, name, i, j))
        ]
        if cells:
            value = float(best([value for value, _ in cells]))
            chance = best(np.array([known for _, known in cells]), axis=0)
            found.append((j, value, null95(value, chance, index), p_value(value, chance, index)))
    adjusted = holm([p for *_, p in found])
    decided = len(found) / (1 + run.request.null) < ALPHA
    return [Test(*test, p, decided) for test, p in zip(found, adjusted, strict=True)]


def by_chance(run: Run, name: str) -> tuple[str, ...]:
    """List the end layers whose ★ may be there by chance; none if there is no null."""
    return tuple(test.end_layer for test in columns(run, name) if test.by_chance) if run.request.null else ()
