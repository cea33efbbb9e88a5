"""Checks order: are layers of a network less similar the farther apart they are? (ReSi: Klabunde et al. 2024.)"""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial, prod

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import (
    EQUAL,
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

AT_ONCE = 2**24  # numbers of shuffled matrices that lie in memory together


def check(material: Material, subject: str) -> Answer:
    """Correlate similarity with closeness of layers within each network, and count violations of the order.

    A layer with itself is left out (the check `self` looks at that). The p-value is Mantel's (1967): layers are
    shuffled, in each network by itself.

    Args:
        material: of the suite, with its runs `within` networks.
        subject: the measure.

    Returns:
        ``spearman`` in −1..1, the mean over networks; ``violations`` in 0..1.
    """
    runs, measure = material.checking.within, Quantity.of(subject)
    matrices = material.matrices(runs, measure)
    reason = undefined(matrices.values())
    each = {ends: _order(matrix) for ends, matrix in matrices.items()}
    number = _mean(each, matrices, reason)
    violations = share(
        {ends: _violations(matrix) for ends, matrix in matrices.items()},
        "distance-order",
        "violations",
        reason,
        none="no nested pairs of layers",
    )
    said = "" if number.value is None else f": Spearman's ρ with closeness {number.value:.2f}, mean over networks"
    return Answer(
        {"spearman": number, "violations": violations},
        {
            "figures": [
                _scatter(material, measure, said),
                *evidence.matrix(material, runs, measure, "Similarity should fall away from the diagonal"),
            ],
            "runs": evidence.runs(material, dict(each), runs),
        },
    )


def closeness(layers: int) -> Values:
    """Give minus the distance of any two of so many layers (layers, layers)."""
    places = np.arange(layers)
    made: Values = -np.abs(places[:, None] - places).astype(np.float64)
    return made


def _counted(matrix: Values) -> np.ndarray:
    """Mark the cells that count: of two different layers, and defined."""
    counted: np.ndarray = ~np.isnan(matrix) & ~np.eye(*matrix.shape, dtype=np.bool_)
    return counted


def _mean(each: Mapping[Ends, float | None], matrices: Mapping[Ends, Values], reason: str) -> Number:
    """Average the networks' correlations, with Mantel's p-value."""
    known = {ends: rho for ends, rho in each.items() if rho is not None}
    number = share(
        {ends: (rho, 1.0) for ends, rho in known.items()},
        "distance-order",
        "spearman",
        reason,
        none="no network has layers whose similarities differ",
    )
    if not known:
        return number
    p, least = permutation_p(
        float(np.mean(list(known.values()))),
        [_null(matrices[ends], k) for k, ends in enumerate(known)],
        prod(factorial(len(matrices[ends])) // 2 for ends in known),  # of each order the reverse gives the same
    )
    return number._replace(p=p, least_p=least)


def _order(matrix: Values) -> float | None:
    counted = _counted(matrix)
    return spearman(matrix[counted], closeness(len(matrix))[counted])


def _null(matrix: Values, k: int) -> Values:
    counted, near = _counted(matrix), closeness(len(matrix))
    parts = -(-PERMUTATIONS * matrix.size // AT_ONCE)
    return np.concatenate(
        [
            spearman_null(matrix[counted], near[part[:, :, None], part[:, None, :]][:, counted])
            for part in np.array_split(shuffles(len(matrix), "layers", k), parts)
        ]
    )


def _violations(matrix: Values) -> tuple[float, float]:
    """Count, of pairs of intervals of layers one within the other, those of which the outer is the more similar."""
    wrong = cases = 0.0
    for one in (matrix, matrix.T):  # a measure may differ by which layer is the front
        later = np.where(np.triu(np.ones(one.shape, dtype=np.bool_), 1), one, np.nan)
        for i, end in zip(*np.nonzero(~np.isnan(later)), strict=True):
            inner = later[i:end, i + 1 : end + 1]  # the last of its first row is the outer one itself
            wrong += float((later[i, end] > inner + EQUAL).sum())
            cases += float((~np.isnan(inner)).sum()) - 1
    return wrong, cases


def _scatter(material: Material, measure: Quantity, said: str) -> dict[str, object]:
    groups = {}
    for ends, run in material.checking.within.items():
        values, layers = run.matrix(measure.name, measure.metric), run.request.front_layers
        groups[material.title(ends).partition(" → ")[0]] = [
            (float(abs(i - j)), float(values[i, j]), f"{layers[i]} → {layers[j]}")
            for i, j in zip(*np.nonzero(_counted(values)), strict=True)
        ]
    return evidence.points(
        "Similarity by how far apart layers are", measure.label + said, "layers apart", measure.label, groups
    )
