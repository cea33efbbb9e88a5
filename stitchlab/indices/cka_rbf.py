"""Compute CKA with a Gaussian kernel (Kornblith et al. 2019, section 4), whose width depends on the layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stitchlab.indices.distances import pairs, squared_distances
from stitchlab.indices.grams import Gram

SIGMA_SHARE = 0.5  # σ as a share of the median distance


def cka_rbf(gram: Gram) -> Tensor | str:
    """Compute the centred Gaussian Gram matrix of a layer, of norm 1: CKA by exp(−‖x_i − x_j‖² / 2σ²), biased HSIC.

    σ is half the median distance between two different images, so the index does not depend on a layer's scale. It
    gives weight to pairs of near images, where linear CKA gives weight to images far from the mean.

    Args:
        gram: of the layer's flattened features (N, features); distances are computed from it.

    Returns:
        (N, N) of norm 1, whose inner product with another layer's is the similarity in 0..1, higher is more similar;
        where it is undefined, the reason: there is one image, or the images of most pairs are equal.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[-1.0], [0.0], [1.5]])
    >>> a, b = cka_rbf(gram(lambda: [x], 1, 3)), cka_rbf(gram(lambda: [4 * x], 1, 3))
    >>> round(float((a * b).sum()), 6)
    1.0
    """
    squares = squared_distances(gram)
    pair_squares = pairs(squares)
    middle = [(len(pair_squares) - 1) // 2, len(pair_squares) // 2]  # equal where the number of pairs is odd
    # selecting the middle is faster than sorting all pairs
    median = 0.0
    if len(pair_squares):
        median = float(np.sqrt(np.partition(pair_squares.cpu().numpy(), middle)[middle]).mean())
    if not median:
        return "in one layer most pairs of images are equal, so the median distance is 0"
    kernel = torch.exp(-squares / (2 * (SIGMA_SHARE * median) ** 2))
    rows = kernel.mean(0)
    centred = kernel - rows - rows[:, None] + rows.mean()
    normalised: Tensor = centred / centred.norm()
    return normalised
