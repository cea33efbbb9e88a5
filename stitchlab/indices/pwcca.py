"""Projection-weighted canonical correlation (Morcos, Raghu & Bengio 2018; as a distance, Ding et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

CUTOFF = 1e-6  # of the largest singular value of the centred rows; directions below it are dropped


def pwcca(xx: Tensor, xy: Tensor, yy: Tensor) -> float | None:
    """1 − Σ w ρ over the front's canonical variates h, w ∝ Σ_c |⟨h, a_c⟩| over its channels a_c.

    Unchanged by an invertible map of the end and by scale of the front; not by a rotation of the front.

    Args:
        xx: AᵀA of the front's centred rows A (C, C), float64.
        xy: AᵀB (C, D).
        yy: BᵀB of the end's centred rows B (D, D).

    Returns:
        distance in 0..1, lower is more similar; None where one side's rows are constant.

    >>> round(pwcca(*(4 * torch.eye(2, dtype=torch.float64),) * 3), 6)
    0.0
    """
    sx, vx = _singular(xx)
    sy, vy = _singular(yy)
    if not len(sx) or not len(sy):
        return None
    # A = U S Vᵀ, so U_xᵀ U_y = S_x⁻¹ V_xᵀ (AᵀB) V_y S_y⁻¹, whose singular values are the canonical correlations.
    left, correlations, _ = torch.linalg.svd((vx.T @ xy @ vy) / sx[:, None] / sy, full_matrices=False)
    projections = (left.T @ (sx[:, None] * vx.T)).abs().sum(1)  # ⟨h, a_c⟩ = leftᵀ S Vᵀ, summed over channels
    return 1 - float((projections * correlations).sum() / projections.sum())


def _singular(moment: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values (r,) and right singular vectors (C, r) of rows with this second moment."""
    values, vectors = torch.linalg.eigh(moment)
    kept = values > CUTOFF**2 * values[-1].clamp(min=0)
    return values[kept].sqrt(), vectors[:, kept]
