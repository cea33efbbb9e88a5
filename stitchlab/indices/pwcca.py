"""Compute projection-weighted canonical correlation, as a distance.

Morcos, Raghu & Bengio 2018; as a distance, Ding et al. 2021.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

CORRELATION_TOLERANCE = 1e-8  # correlations that differ by less count as equal


def pwcca(moments: SecondMoments) -> float | str:
    """Compute 1 − Σ_k w_k ρ_k / Σ_k w_k, k = 1 … rank of the front, w_k = Σ_c |⟨h_k, a_c⟩| over its channels a_c.

    The h are the front's canonical variates. Variates of equal correlation are determined only as a subspace; there the
    principal directions of the front's rows are used. Front directions beyond the end's rank (ρ = 0) are treated in the
    same way.

    The index is invariant to invertible maps of the end and to rescaling the front, but not to rotating the front.

    Args:
        moments: AᵀA (C, C), AᵀB (C, D), BᵀB (D, D) of the front's and the end's centred rows, and how many rows.

    Returns:
        distance in 0..1, lower is more similar; where it is undefined, the reason: the rows of one layer are constant,
        or there are fewer rows than rank A + rank B + 1.

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
    weights = projections.abs().sum(1)
    group_starts = ((correlations[:-1] - correlations[1:] > CORRELATION_TOLERANCE).nonzero()[:, 0] + 1).tolist()
    for start, end in pairwise([0, *group_starts, len(weights)]):
        if end - start > 1:
            weights[start:end] = _principal(projections[start:end]).abs().sum(1)
    return 1 - float((weights * correlations).sum() / weights.sum())


def _principal(projections: Tensor) -> Tensor:
    """Turn projections (r, C) on directions of a subspace into those on the principal directions of the subspace."""
    _, singular_values, axes = torch.linalg.svd(projections, full_matrices=False)
    principal: Tensor = singular_values[:, None] * axes
    return principal
