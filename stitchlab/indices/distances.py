"""Squared distances between images, from a layer's Gram matrix."""

from __future__ import annotations

from torch import Tensor

from stitchlab.indices.grams import Gram

ROUNDING = 1e-12  # a squared distance below this share of the largest is rounding: the images are equal


def squared_distances(gram: Gram) -> Tensor:
    """Give ‖x_i − x_j‖² (N, N) = K_ii + K_jj − 2 K_ij, 0 where two images' features are equal."""
    own = gram.centred.diagonal()
    squares = own + own[:, None] - 2 * gram.centred
    return squares.where(squares > ROUNDING * squares.amax(), squares.new_zeros(()))
