"""Computes the soft matching distance: channels are matched by optimal transport.

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

COPIES = 4  # times the channels: up to so many, an assignment of copies is faster than a linear program


def soft_matching(moments: SecondMoments) -> float | str:
    """Compute √(min_P Σ P_ab ‖x_a − y_b‖²), x and y channels' centred rows of norm 1, P a matching of their shares.

    P is (C, D) of non-negative entries, each row sums to 1/C and each column to 1/D; with as many channels on both
    sides the best is a permutation. ‖x_a − y_b‖² is 2 − 2 r_ab, r Pearson's correlation; a channel that is constant
    stays at 0, at distance 1 from all that vary. Every channel counts alike, however much it varies: another scale or
    shift of any channel changes nothing, a rotation does.

    Args:
        moments: XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of the front's and the end's centred rows.

    Returns:
        distance in 0..2, lower is more similar, about √2 for unrelated layers of many images; where one side's rows
        are constant, the reason why there is none.

    >>> import torch
    >>> from stitchlab.indices.second_moments import Rows
    >>> square = 4 * torch.eye(2, dtype=torch.float64)
    >>> round(soft_matching(SecondMoments(Rows(square, 9), Rows(square, 9), square.flip(0))), 6)
    0.0
    """
    one, other = (_inverse_sizes(rows.moment) for rows in (moments.x, moments.y))
    if not one.any() or not other.any():
        return "the rows of one layer are constant"
    correlations = (moments.xy * one[:, None] * other).cpu().numpy()
    varying = float((one > 0).double().mean() + (other > 0).double().mean())  # the mean of ‖x_a‖² + ‖y_b‖²
    squared = varying - 2 * _best_mean(correlations)
    return math.sqrt(max(squared, 0.0))  # below 0 by rounding alone: it is a mean of squares


def _inverse_sizes(moment: Tensor) -> Tensor:
    """Compute 1 / the norm of each channel's rows (C,); 0 for those that are constant."""
    squares = moment.diagonal()
    return squares.where(squares > 0, squares.new_ones(())).rsqrt() * (squares > 0)


def _best_mean(values: npt.NDArray[np.float64]) -> float:
    """Give the largest Σ P_ab v_ab of all matchings P."""
    rows, columns = values.shape
    copies = math.lcm(rows, columns)
    if copies <= COPIES * max(rows, columns):
        square = values.repeat(copies // rows, axis=0).repeat(copies // columns, axis=1)
        return float(square[linear_sum_assignment(square, maximize=True)].mean())
    shares = sparse.vstack(
        [
            sparse.kron(sparse.eye_array(rows), np.ones((1, columns))),
            sparse.kron(np.ones((1, rows)), sparse.eye_array(columns)),
        ]
    ).tocsc()
    sums = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return -float(linprog(-values.ravel(), A_eq=shares, b_eq=sums, method="highs").fun)
