"""Computes squared distances between images from a layer's Gram matrix, and lists the pairs of images of one."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from stitchlab.indices.grams import Gram

ROUNDING = 1e-12  # a squared distance below this share of the largest is rounding: the images are equal


def squared_distances(gram: Gram) -> Tensor:
    """Give ‖x_i − x_j‖² (N, N) = K_ii + K_jj − 2 K_ij, 0 where two images' features are equal."""
    own = gram.centred.diagonal()
    squares = own + own[:, None] - 2 * gram.centred
    return squares.where(squares > ROUNDING * squares.amax(), squares.new_zeros(()))


def pairs(matrix: Tensor) -> Tensor:
    """Give the numbers of pairs of two images (N (N − 1) / 2,) of a symmetric matrix (N, N), each once.

    >>> pairs(torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])).tolist()
    [1.0, 2.0, 3.0]
    """
    return matrix.flatten().index_select(0, _places(len(matrix)).to(matrix.device))


def of_pairs(numbers: Tensor, count: int) -> Tensor:
    """Give the symmetric matrix (N, N) of these `pairs`, 0 on its diagonal; ``count`` is N."""
    half = numbers.new_zeros(count * count).index_copy_(0, _places(count).to(numbers.device), numbers)
    square = half.view(count, count)
    return square + square.T


@lru_cache(maxsize=2)  # half samples ask hundreds of times for the same
def _places(count: int) -> Tensor:
    """Find where the pairs stand in a flattened matrix."""
    row, column = torch.triu_indices(count, count, offset=1)
    places: Tensor = row * count + column
    return places
