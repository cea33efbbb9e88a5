"""Compute the explained variance of a linear regression (Kornblith et al. 2019, table 1: R²_LR)."""

from __future__ import annotations

import torch

from stitchlab.indices.second_moments import SecondMoments


def regression(moments: SecondMoments) -> float | str:
    """Compute R² of the end's rows predicted from the front's: ‖U_xᵀ Y‖_F² / ‖Y‖_F², by least squares with intercept.

    U_x is an orthonormal basis of the columns of X. Directions of the end weigh as much as they have variance.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows X and Y.

    Returns:
        similarity in 0..1, higher is more similar; where it is undefined, the reason: the rows of one layer are
        constant, or there are fewer rows than the sum of both ranks and one.

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(regression(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    1.0
    """
    if reason := moments.too_few():
        return reason
    sizes, vectors = moments.x.directions
    explained = (vectors.T @ moments.xy) / sizes[:, None]
    return float(explained.square().sum() / torch.trace(moments.y.moment))
