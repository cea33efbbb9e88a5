"""Orthogonal Procrustes distance (Ding, Denain & Steinhardt 2021, "Grounding representation similarity")."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def opd(xx: Tensor, xy: Tensor, yy: Tensor) -> float | None:
    """Squared Procrustes distance ‖A‖_F² + ‖B‖_F² − 2‖AᵀB‖_* = 2 − 2‖AᵀB‖_*, A, B centred and of Frobenius norm 1.

    Args:
        xx: AᵀA of the front's centred rows (C, C), float64; the norm is taken out here.
        xy: AᵀB (C, D).
        yy: BᵀB of the end's (D, D).

    Returns:
        distance in 0..2, lower is more similar; None where one side's rows are constant.

    >>> round(opd(*(4 * torch.eye(2, dtype=torch.float64),) * 3), 6)
    0.0
    """
    size = math.sqrt(float(xx.trace()) * float(yy.trace()))
    return 2 - 2 * float(torch.linalg.svdvals(xy).sum()) / size if size else None
