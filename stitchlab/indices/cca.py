"""Compute the mean canonical correlation (Hotelling 1936; ρ̄_CCA of Kornblith et al. 2019, table 1)."""

from __future__ import annotations

import torch

from stitchlab.indices.second_moments import SecondMoments


def cca(moments: SecondMoments) -> float | str:
    """Average the canonical correlations: ‖U_xᵀ U_y‖_* / min(r, s), U orthonormal bases of the centred rows' columns.

    For unrelated layers it is not 0: it grows with (r + s) / rows.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows, of ranks r and s.

    Returns:
        similarity in 0..1, higher is more similar; where it is undefined, the reason: the rows of one layer are
        constant, or there are fewer rows than r + s + 1.

    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(cca(SecondMoments(Rows(square, 9), Rows(square, 9), square)), 6)
    1.0
    """
    if reason := moments.too_few():
        return reason
    cosines = moments.cosines
    return float(torch.linalg.svdvals(cosines).sum()) / min(cosines.shape)
