"""Compute singular vector canonical correlation (Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

EXPLAINED_VARIANCE = 0.99  # share of each layer's variance in the directions that are compared


def svcca(moments: SecondMoments) -> float | str:
    """Average the canonical correlations of both layers' largest principal directions, with 99 % of their variance.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows.

    Returns:
        similarity in 0..1, higher is more similar; where it is undefined, the reason: the rows of one layer are
        constant, or there are fewer rows than the sum of both numbers of directions and one.

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(svcca(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    1.0
    """
    front, end = _count_largest(moments.x.directions[0]), _count_largest(moments.y.directions[0])
    if reason := moments.too_few(front, end):
        return reason
    largest = moments.cosines[-front:, -end:]  # directions are in ascending order
    return float(torch.linalg.svdvals(largest).sum()) / min(front, end)


def _count_largest(singular_values: Tensor) -> int:
    """Count the largest directions that explain 99 % of the variance; singular values are in ascending order."""
    if not len(singular_values):
        return 0
    explained = singular_values.flip(0).square().cumsum(0)
    return int((explained < EXPLAINED_VARIANCE * explained[-1]).sum()) + 1
