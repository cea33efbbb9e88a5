"""Compute the orthogonal Procrustes distance.

Ding, Denain & Steinhardt 2021, "Grounding representation similarity".
"""

from __future__ import annotations

import math

import torch

from stitchlab.indices.second_moments import SecondMoments


def opd(moments: SecondMoments) -> float | str:
    """Compute the squared Procrustes distance of A and B, centred and of Frobenius norm 1.

    ‖A‖_F² + ‖B‖_F² − 2‖AᵀB‖_* = 2 − 2‖AᵀB‖_*.

    Args:
        moments: AᵀA (C, C), AᵀB (C, D), BᵀB (D, D) of the front's and the end's centred rows; they are scaled to norm 1
            here.

    Returns:
        distance in 0..2, lower is more similar; where the rows of one layer are constant, the reason why it is
        undefined.

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(opd(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    0.0
    """
    norms = math.sqrt(float(moments.x.moment.trace()) * float(moments.y.moment.trace()))
    if not norms:
        return "the rows of one layer are constant"
    return 2 - 2 * float(torch.linalg.svdvals(moments.xy).sum()) / norms
