"""Check far layers: are the first and the last layer less similar than same layers? (Balogh & Jelasity 2025.)"""

from __future__ import annotations

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import MAX_TIE, share
from stitchlab.results.checks.answers import Answer
from stitchlab.results.quantity import Quantity

FAR_CELLS = {"last-to-first": (-1, 0), "first-to-last": (0, -1)}  # front layer, end layer


def check(material: Material, subject: str) -> Answer:
    """Count the runs in which the far cell is less similar than first to first and last to last.

    Args:
        material: of the suite, with its runs `within` and `across` networks.
        subject: the measure.

    Returns:
        ``last-to-first`` and ``first-to-last`` in 0..1.
    """
    measure, checking = Quantity.of(subject), material.checking
    runs = checking.within | checking.same_layers
    matrices = material.matrices(runs, measure)
    reason = undefined(m[np.ix_([0, -1], [0, -1])] for m in matrices.values())
    parts_of = {
        name: {ends: _less(matrix, place) for ends, matrix in matrices.items()} for name, place in FAR_CELLS.items()
    }
    shown = checking.same_layers or checking.within
    return Answer(
        {
            name: share(parts, "far-layers", name, reason, none="the far cell, or a cell of same layers, is undefined")
            for name, parts in parts_of.items()
        },
        {
            "figures": evidence.matrix(
                material, shown, measure, "Marked cells should be less similar than the ends of the diagonal", _corners
            ),
            "runs": evidence.runs(
                material,
                {ends: evidence.number(measure.sign * matrix[-1, 0]) for ends, matrix in matrices.items()},
                runs,
                FAR_CELLS["last-to-first"],
            ),
        },
    )


def _less(matrix: Values, place: tuple[int, int]) -> tuple[float, float]:
    """Count whether the far cell is less similar than both cells of same layers; no case where one is undefined."""
    far, first, last = matrix[place], matrix[0, 0], matrix[-1, -1]
    if np.isnan(far + first + last):
        return 0.0, 0.0
    return float(far < min(first, last) - MAX_TIE), 1.0


def _corners(matrix: Values) -> list[tuple[int, int]]:
    return [(len(matrix) - 1, 0), (0, len(matrix) - 1)]
