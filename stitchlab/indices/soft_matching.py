"""Compute the soft matching distance: channels are matched by optimal transport.

Khosla & Williams 2024, arXiv 2311.09466.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments

MAX_COPIES_RATIO = 4  # up to this multiple of the channels, assigning copies is faster than a linear program


def soft_matching(moments: SecondMoments) -> float | str:
    """Compute √(min_P Σ P_ab ‖x_a − y_b‖²) of channels x and y, centred and of norm 1, and a soft matching P.

    P (C, D) has non-negative entries; each row sums to 1/C, and each column to 1/D. Where both layers have equally many
    channels, the best P is a permutation. ‖x_a − y_b‖² is 2 − 2 r_ab, with r Pearson's correlation; a constant channel
    is 0, at distance 1 from every channel that varies. All channels have equal weight, however much they vary: another
    scale or shift of any channel changes nothing, but a rotation does.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows.

    Returns:
        distance in 0..2, lower is more similar, about √2 for unrelated layers of many images; where the rows of
        one layer are constant, the reason why it is undefined.

    >>> import torch
    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(soft_matching(SecondMoments(Rows(square, 9), Rows(square, 9), square.flip(0))), 6)
    0.0
    """
    inverse_x, inverse_y = (_inverse_norms(rows.moment) for rows in (moments.x, moments.y))
    if not inverse_x.any() or not inverse_y.any():
        return "the rows of one layer are constant"
    correlations = (moments.xy * inverse_x[:, None] * inverse_y).cpu().numpy()
    mean_squares = float((inverse_x > 0).double().mean() + (inverse_y > 0).double().mean())  # of ‖x_a‖² + ‖y_b‖²
    squared = mean_squares - 2 * _best_mean(correlations)
    return math.sqrt(max(squared, 0.0))  # a mean of squares is below 0 by rounding alone


def _inverse_norms(moment: Tensor) -> Tensor:
    """Compute 1 / the norm of each channel (C,), and 0 for constant channels."""
    squares = moment.diagonal()
    return squares.where(squares > 0, squares.new_ones(())).rsqrt() * (squares > 0)


def _best_mean(values: npt.NDArray[np.float64]) -> float:
    """Compute the largest Σ P_ab v_ab of all soft matchings P."""
    rows, columns = values.shape
    copies = math.lcm(rows, columns)
    if copies <= MAX_COPIES_RATIO * max(rows, columns):
        square = values.repeat(copies // rows, axis=0).repeat(copies // columns, axis=1)
        return float(square[linear_sum_assignment(square, maximize=True)].mean())
    constraints = sparse.vstack(
        [
            sparse.kron(sparse.eye_array(rows), np.ones((1, columns))),
            sparse.kron(np.ones((1, rows)), sparse.eye_array(columns)),
        ]
    ).tocsc()
    sums = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return -float(linprog(-values.ravel(), A_eq=constraints, b_eq=sums, method="highs").fun)
