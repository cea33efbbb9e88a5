"""Compute mutual nearest neighbours.

Huh et al. 2024, "The platonic representation hypothesis", appendix A.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from stitchlab.indices.distances import squared_distances
from stitchlab.indices.grams import Gram

K = 10  # number of neighbours
MIN_IMAGES = K + 2  # with fewer images, all other images are neighbours in every layer


def mutual_knn(gram: Gram) -> Tensor | str:
    """Mark each image's 10 nearest neighbours in a layer: the index is the mean share that two layers agree on.

    Neighbours are nearest by the Euclidean distance of flattened features (Huh et al. normalise features first, so that
    their index depends on shifts). Of equally near images, those that come first count. For unrelated layers the index
    is about 10 / (N − 1).

    Args:
        gram: of the layer's flattened features (N, features); distances are computed from it.

    Returns:
        (N, N), 1/√(10 N) at an image's neighbours and 0 elsewhere, whose inner product with another layer's is the
        similarity in 0..1, higher is more similar; where it is undefined, the reason: fewer than 12 images.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.arange(12.0)[:, None] ** 2
    >>> a, b = mutual_knn(gram(lambda: [x], 1, 12)), mutual_knn(gram(lambda: [4 * x], 1, 12))
    >>> round(float((a * b).sum()), 6), mutual_knn(gram(lambda: [x[:3]], 1, 3))
    (1.0, 'mutual nearest neighbours need 12 images or more; got 3')
    """
    count = len(gram.centred)
    if count < MIN_IMAGES:
        return f"mutual nearest neighbours need {MIN_IMAGES} images or more; got {count}"
    squares = squared_distances(gram).fill_diagonal_(math.inf)
    kth_smallest = torch.from_numpy(np.partition(squares.cpu().numpy(), K - 1, axis=1)[:, K - 1 : K])
    near = squares <= kth_smallest.to(squares.device)
    tied = near.sum(1) > K  # sorting is slow, so only rows with ties are sorted
    first = squares[tied].argsort(dim=1, stable=True)[:, :K]
    near[tied] = torch.zeros_like(near[tied]).scatter_(1, first, True)
    return near.to(squares.dtype) / math.sqrt(K * count)
