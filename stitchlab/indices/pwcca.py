"""Projection-weighted canonical correlation (Morcos, Raghu & Bengio 2018; as a distance, Ding et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

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

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(pwcca(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    0.0
    """
    if reason := moments.too_few():
        return reason
    sx, vx = moments.x.directions
    left, shared, _ = torch.linalg.svd(moments.cosines, full_matrices=len(sx) > len(moments.y.directions[0]))
    correlations = torch.nn.functional.pad(shared, (0, len(sx) - len(shared)))
    projections = left.T @ (sx[:, None] * vx.T)  # ⟨h, a_c⟩ = leftᵀ S Vᵀ (rank, C)
    breaks = (correlations[:-1] - correlations[1:] > EQUAL).nonzero()[:, 0] + 1
    weights = torch.cat([_principal(part).abs().sum(1) for part in projections.tensor_split(breaks.cpu())])
    return 1 - float((weights * correlations).sum() / weights.sum())


def _principal(projections: Tensor) -> Tensor:
    """Projections (r, C) on some directions as those on the principal ones of the same subspace."""
    if len(projections) == 1:
        return projections
    _, sizes, axes = torch.linalg.svd(projections, full_matrices=False)
    made: Tensor = sizes[:, None] * axes
    return made
