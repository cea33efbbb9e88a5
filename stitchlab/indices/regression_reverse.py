"""Compute the explained variance of a linear regression in the other direction: the front from the end."""

from __future__ import annotations

from stitchlab.indices.regression import regression
from stitchlab.indices.second_moments import SecondMoments


def regression_reverse(moments: SecondMoments) -> float | str:
    """Compute R² of the front's rows predicted from the end's: ‖U_yᵀ X‖_F² / ‖X‖_F² (`stitchlab.indices.regression`).

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows X and Y.

    Returns:
        similarity in 0..1, higher is more similar; where it is undefined, the reason, as for `regression`.

    >>> import torch
    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(regression_reverse(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    1.0
    """
    return moments.too_few() or regression(SecondMoments(moments.y, moments.x, moments.xy.T))
