"""Answer the checks `self` and `correspondence`: is the best cell of a column, or of a row, on the diagonal?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import best_on_diagonal, share
from stitchlab.results.checks.answers import Answer
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run

MAX_ROUNDING = 1e-6  # difference between both directions, relative to the largest number, that rounding alone makes


def answer(material: Material, subject: str, check: str, runs: Mapping[Ends, Run]) -> Answer:
    """Count how often the best cell is on the diagonal: by columns, by rows, and by columns of the symmetrised matrix.

    Args:
        material: of the suite.
        subject: the measure, such as ``cka/similarity``.
        check: its name, which gives the range of its statistics.
        runs: by their networks, both directions of each pair.

    Returns:
        ``columns`` and ``rows`` in 0..1, and ``symmetrised`` where the two directions differ.
    """
    measure = Quantity.of(subject)
    matrices = material.matrices(runs, measure)
    reason = undefined(matrices.values())
    hits_of = {
        "columns": {ends: best_on_diagonal(m, 0) for ends, m in matrices.items()},
        "rows": {ends: best_on_diagonal(m, 1) for ends, m in matrices.items()},
    }
    symmetric = symmetrised(matrices)
    if not all(_equal(matrix, symmetric[ends]) for ends, matrix in matrices.items()):
        hits_of["symmetrised"] = {ends: best_on_diagonal(m, 0) for ends, m in symmetric.items()}
    return Answer(
        {
            name: share(parts, check, name, reason, none="no layer has a value, and another to compare it with")
            for name, parts in hits_of.items()
        },
        {
            "figures": evidence.matrix(
                material, runs, measure, "The best of each column should be on the diagonal", evidence.diagonal
            ),
            "runs": evidence.runs(material, evidence.quotients(hits_of["columns"]), runs),
        },
    )


def symmetrised(matrices: Mapping[Ends, Values]) -> dict[Ends, Values]:
    """Average both directions: the matrix of f to g with the transposed matrix of g to f."""
    return {(f, g): (matrix + matrices[g, f].T) / 2 for (f, g), matrix in matrices.items()}


def _equal(matrix: Values, symmetric: Values) -> bool:
    """Tell whether two matrices differ by rounding alone, where both are defined."""
    defined = ~np.isnan(matrix + symmetric)
    largest = np.abs(matrix[defined]).max(initial=0.0)
    return bool((np.abs(matrix - symmetric)[defined] <= MAX_ROUNDING * largest).all())
