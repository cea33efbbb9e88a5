"""Projection-weighted canonical correlation (Morcos, Raghu & Bengio 2018; as a distance, Ding et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

CUTOFF = 1e-6  # of the largest singular value of the centred rows; directions below it are dropped
EQUAL = 1e-8  # correlations that differ by less are equal


def pwcca(moments: SecondMoments) -> float | str:
    """1 − Σ w ρ / Σ w over all of the front's directions (its rank), w_k = Σ_c |⟨h_k, a_c⟩| over its channels a_c.

    The h are the front's canonical variates. Those of equal correlation are fixed only as a subspace: there they are
    the principal directions of the front's rows. So are the directions that the end lacks, where ρ = 0.

    Unchanged by an invertible map of the end and by scale of the front; not by a rotation of the front.

    Args:
        moments: AᵀA (C, C), AᵀB (C, D), BᵀB (D, D) of the front's and the end's centred rows, and how many rows.

    Returns:
        distance in 0..1, lower is more similar; where it is undefined, the reason why: one side's rows are constant, or
        there are fewer rows than both sides' directions and one.

    >>> round(pwcca(SecondMoments(*(4 * torch.eye(2, dtype=torch.float64),) * 3, 9)), 6)
    0.0
    """
    sx, vx = _singular(moments.xx)
    sy, vy = _singular(moments.yy)
    if not len(sx) or not len(sy):
        return "the rows of one layer are constant"
    if moments.rows - 1 < len(sx) + len(sy):
        return (f"{moments.rows} rows are too few for {len(sx)} directions of the front and {len(sy)} of the end: "
                "two such sets of any rows correlate perfectly somewhere")
    # A = U S Vᵀ, so U_xᵀ U_y = S_x⁻¹ V_xᵀ (AᵀB) V_y S_y⁻¹, whose singular values are the canonical correlations.
    both = (vx.T @ moments.xy @ vy) / sx[:, None] / sy
    left, found, _ = torch.linalg.svd(both, full_matrices=len(sx) > len(sy))
    correlations = torch.nn.functional.pad(found, (0, len(sx) - len(found)))
    projections = left.T @ (sx[:, None] * vx.T)  # ⟨h, a_c⟩ = leftᵀ S Vᵀ (rank, C)
    breaks = (correlations[:-1] - correlations[1:] > EQUAL).nonzero()[:, 0] + 1
    weights = torch.cat([_principal(part).abs().sum(1) for part in projections.tensor_split(breaks.cpu())])
    return 1 - float((weights * correlations).sum() / weights.sum())


def _singular(moment: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values (r,) and right singular vectors (C, r) of rows with this second moment."""
    values, vectors = torch.linalg.eigh(moment)
    kept = values > CUTOFF**2 * values[-1].clamp(min=0)
    return values[kept].sqrt(), vectors[:, kept]


def _principal(projections: Tensor) -> Tensor:
    """Projections (r, C) on some directions as those on the principal ones of the same subspace."""
    if len(projections) == 1:
        return projections
    _, sizes, axes = torch.linalg.svd(projections, full_matrices=False)
    made: Tensor = sizes[:, None] * axes
    return made
