"""Check order: are layers of a network less similar the farther apart they are? (ReSi: Klabunde et al. 2024.)"""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial, prod

import numpy as np
import numpy.typing as npt

from stitchlab.checks import evidence
from stitchlab.checks.evidence import Point, PointsFigure
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import (
    MAX_TIE,
    PERMUTATIONS,
    permutation_p,
    share,
    shuffles,
    spearman,
    spearman_null,
)
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity

MAX_SHUFFLED_NUMBERS = 2**24  # of shuffled matrices that are in memory together


def check(material: Material, subject: str) -> Answer:
    """Correlate similarity with closeness of layers within each network, and count violations of the order.

    A layer with itself is left out, since the check `self` covers that. The p-value is Mantel's (1967): layers are
    shuffled within each network.

    Args:
        material: of the suite, with its runs `within` networks.
        subject: the measure.

    Returns:
        ``spearman`` in −1..1, the mean over networks; ``violations`` in 0..1.
    """
    runs, measure = material.checking.within, Quantity.of(subject)
    matrices = material.matrices(runs, measure)
    reason = undefined(matrices.values())
    correlations = {ends: _correlation(matrix) for ends, matrix in matrices.items()}
    number = _mean(correlations, matrices, reason)
    violations = share(
        {ends: _violations(matrix) for ends, matrix in matrices.items()},
        "distance-order",
        "violations",
        reason,
        none="no nested pairs of layers",
    )
    remark = "" if number.value is None else f": Spearman's ρ with closeness {number.value:.2f}, mean over networks"
    return Answer(
        {"spearman": number, "violations": violations},
        {
            "figures": [
                _scatter(material, measure, remark),
                *evidence.matrix(material, runs, measure, "Similarity should fall away from the diagonal"),
            ],
            "runs": evidence.runs(material, correlations, runs),
        },
    )


def closeness(layers: int) -> Values:
    """Compute minus the distance between any two layers (layers, layers)."""
    places = np.arange(layers)
    minus_distances: Values = -np.abs(places[:, None] - places).astype(np.float64)
    return minus_distances


def _counted(matrix: Values) -> npt.NDArray[np.bool_]:
    """Mark the cells that count: those of two different layers that are defined."""
    counted: npt.NDArray[np.bool_] = ~np.isnan(matrix) & ~np.eye(*matrix.shape, dtype=np.bool_)
    return counted


def _mean(correlations: Mapping[Ends, float | None], matrices: Mapping[Ends, Values], reason: str) -> Number:
    """Average the networks' correlations, with Mantel's p-value."""
    defined = {ends: rho for ends, rho in correlations.items() if rho is not None}
    number = share(
        {ends: (rho, 1.0) for ends, rho in defined.items()},
        "distance-order",
        "spearman",
        reason,
        none="no network has layers whose similarities differ",
    )
    if not defined:
        return number
    p, least_p = permutation_p(
        float(np.mean(list(defined.values()))),
        [_null(matrices[ends], k) for k, ends in enumerate(defined)],
        prod(factorial(len(matrices[ends])) // 2 for ends in defined),  # the reverse of an order gives the same
    )
    return number._replace(p=p, least_p=least_p)


def _correlation(matrix: Values) -> float | None:
    counted = _counted(matrix)
    return spearman(matrix[counted], closeness(len(matrix))[counted])


def _null(matrix: Values, k: int) -> Values:
    """Compute the correlation (permutations,) of the k-th network with shuffled layers."""
    counted, near = _counted(matrix), closeness(len(matrix))
    parts = -(-PERMUTATIONS * matrix.size // MAX_SHUFFLED_NUMBERS)
    return np.concatenate(
        [
            spearman_null(matrix[counted], near[part[:, :, None], part[:, None, :]][:, counted])
            for part in np.array_split(shuffles(len(matrix), "layers", k), parts)
        ]
    )


def _violations(matrix: Values) -> tuple[float, float]:
    """Count pairs of layers that are more similar than a pair between them, and all such nested pairs."""
    wrong = cases = 0.0
    for oriented in (matrix, matrix.T):  # a measure may depend on which of two layers is the front
        later = np.where(np.triu(np.ones(oriented.shape, dtype=np.bool_), 1), oriented, np.nan)
        for i, end in zip(*np.nonzero(~np.isnan(later)), strict=True):
            inner = later[i:end, i + 1 : end + 1]  # its first row ends with the outer pair itself
            wrong += float((later[i, end] > inner + MAX_TIE).sum())
            cases += float((~np.isnan(inner)).sum()) - 1
    return wrong, cases


def _scatter(material: Material, measure: Quantity, remark: str) -> PointsFigure:
    groups: dict[str, list[Point]] = {}
    for ends, run in material.checking.within.items():
        values, layers = run.matrix(measure.name, measure.metric), run.request.front_layers
        groups[material.title(ends).partition(" → ")[0]] = [
            (float(abs(i - j)), float(values[i, j]), f"{layers[i]} → {layers[j]}")
            for i, j in zip(*np.nonzero(_counted(values)), strict=True)
        ]
    return evidence.points(
        "Similarity by how far apart layers are", measure.label + remark, "layers apart", measure.label, groups
    )
