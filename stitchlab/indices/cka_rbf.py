"""Computes CKA with a Gaussian kernel (Kornblith et al. 2019, section 4), whose width follows the layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stitchlab.indices.distances import pairs, squared_distances
from stitchlab.indices.grams import Gram

SIGMA = 0.5  # of the median distance


def cka_rbf(gram: Gram) -> Tensor | str:
    """Give the centred Gaussian Gram matrix of a layer at norm 1: CKA by exp(−‖x_i − x_j‖² / 2σ²), biased HSIC.

    σ is half the median distance between two different images, so the index does not see a layer's scale. It weighs
    near images where linear CKA weighs those far from the mean.

    Args:
        gram: of the layer's flattened features (N, features), from which distances follow.

    Returns:
        (N, N) of norm 1, whose inner product with another layer's is the similarity in 0..1, higher is more similar;
        where it is undefined, the reason why: one image, or most pairs of images are equal.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[-1.0], [0.0], [1.5]])
    >>> a, b = cka_rbf(gram(lambda: [x], 1, 3)), cka_rbf(gram(lambda: [4 * x], 1, 3))
    >>> round(float((a * b).sum()), 6)
    1.0
    """
    squares = squared_distances(gram)
    above = pairs(squares)
    middle = [(len(above) - 1) // 2, len(above) // 2]  # two pairs, or twice the same one; selected, which sorts no rest
    median = float(np.sqrt(np.partition(above.cpu().numpy(), middle)[middle]).mean()) if len(above) else 0.0
    if not median:
        return "in one layer most pairs of images are equal, so the median distance is 0"
    kernel = torch.exp(-squares / (2 * (SIGMA * median) ** 2))
    rows = kernel.mean(0)
    centred = kernel - rows - rows[:, None] + rows.mean()
    made: Tensor = centred / centred.norm()
    return made
