"""Compute squared distances between images from a layer's Gram matrix, and select the entries of pairs of images."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from stitchlab.indices.grams import Gram

MIN_SQUARE_RATIO = 1e-12  # a squared distance below this share of the largest is rounding noise: the images are equal


def squared_distances(gram: Gram) -> Tensor:
    """Compute ‖x_i − x_j‖² (N, N) = K_ii + K_jj − 2 K_ij, 0 where two images' features are equal."""
    diagonal = gram.centred.diagonal()
    squares = diagonal + diagonal[:, None] - 2 * gram.centred
    return squares.where(squares > MIN_SQUARE_RATIO * squares.amax(), squares.new_zeros(()))


def pairs(matrix: Tensor) -> Tensor:
    """Return the entries above the diagonal of a symmetric matrix (N, N): one for each pair of images (N (N − 1) / 2,).

    >>> pairs(torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])).tolist()
    [1.0, 2.0, 3.0]
    """
    return matrix.flatten().index_select(0, _flat_indices(len(matrix)).to(matrix.device))


def from_pairs(entries: Tensor, count: int) -> Tensor:
    """Return the symmetric matrix (N, N) that has these `pairs`, and 0 on its diagonal; ``count`` is N."""
    flat = entries.new_zeros(count * count).index_copy_(0, _flat_indices(count).to(entries.device), entries)
    upper = flat.view(count, count)
    return upper + upper.T


@lru_cache(maxsize=2)  # half samples need the same indices hundreds of times
def _flat_indices(count: int) -> Tensor:
    """Return the indices of the pairs in a flattened matrix."""
    row, column = torch.triu_indices(count, count, offset=1)
    indices: Tensor = row * count + column
    return indices
