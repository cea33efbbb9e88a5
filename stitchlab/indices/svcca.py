"""Computes singular vector canonical correlation (Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

VARIANCE = 0.99  # of each layer, that the directions explain which are compared


def svcca(moments: SecondMoments) -> float | str:
    """Average the canonical correlations of each layer's largest principal directions, those of 99 % of its variance.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows.

    Returns:
        similarity in 0..1, higher is more similar; where it is undefined, the reason why: one side's rows are constant,
        or there are fewer rows than both sides' directions and one.

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(svcca(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    1.0
    """
    front, end = _explaining(moments.x.directions[0]), _explaining(moments.y.directions[0])
    if reason := moments.too_few(front, end):
        return reason
    largest = moments.cosines[-front:, -end:]  # directions are in ascending order
    return float(torch.linalg.svdvals(largest).sum()) / min(front, end)


def _explaining(sizes: Tensor) -> int:
    """Count the largest directions that explain the share of the variance, given singular values in ascending order."""
    if not len(sizes):
        return 0
    explained = sizes.flip(0).square().cumsum(0)
    return int((explained < VARIANCE * explained[-1]).sum()) + 1
