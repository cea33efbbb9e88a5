"""Compute representational similarity analysis (Kriegeskorte, Mur & Bandettini 2008)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.indices.distances import from_pairs, pairs
from stitchlab.indices.grams import MIN_VARIANCE_RATIO, Gram

CORRELATION_DIGITS = 12  # further decimals are rounding noise, and would rank equal correlations differently


def rsa(gram: Gram) -> Tensor | str:
    """Rank how dissimilar images are in a layer: the index is Spearman's correlation of two layers' ranks.

    The dissimilarity of two images is 1 − Pearson's correlation of their flattened features. All N (N − 1) / 2 pairs
    are ranked; equally dissimilar pairs have the mean of their ranks.

    Args:
        gram: of the layer's flattened features (N, features); correlations are computed from it.

    Returns:
        (N, N), symmetric: centred ranks of norm 1 with 0 on the diagonal, whose inner product with another layer's is
        the similarity in -1..1, higher is more similar; where it is undefined, the reason: an image has constant
        features, or all pairs are equally dissimilar (which holds for two images).

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[1.0, 2.0, 4.0], [4.0, 3.0, 1.0], [0.0, 1.0, 0.0]])
    >>> a, b = rsa(gram(lambda: [x], 3, 3)), rsa(gram(lambda: [4 * x], 3, 3))
    >>> round(float((a * b).sum()), 6)
    1.0
    """
    products, count = gram.raw, len(gram.centred)
    covariances = products - gram.sums * gram.sums[:, None] / gram.features
    variances = covariances.diagonal()
    constant_images = int((variances <= MIN_VARIANCE_RATIO * products.diagonal().abs()).sum())
    if constant_images:
        return f"the features of {constant_images} of {count} images are constant in one layer, and have no correlation"
    scale = variances.rsqrt()
    dissimilarities = 1 - covariances * scale * scale[:, None]
    ranks = _ranks(pairs(dissimilarities).cpu().round(decimals=CORRELATION_DIGITS).numpy())
    centred = ranks - ranks.mean()
    if not bool(centred.any()):
        return "in one layer all pairs of images are equally dissimilar"
    rank_matrix = from_pairs(centred, count)
    normalised: Tensor = rank_matrix / rank_matrix.norm()
    return normalised.to(products.device)


def _ranks(numbers: npt.NDArray[np.float64]) -> Tensor:
    """Rank numbers from 1; ties have their mean rank. SciPy's function sorts stably, and takes four times as long."""
    order = numbers.argsort()
    ordered = numbers[order]
    first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])  # of each group of equal numbers
    last = np.concatenate([first[1:], [len(numbers)]])
    ranks = np.empty(len(numbers))
    ranks[order] = np.repeat((first + 1 + last) / 2, last - first)
    return torch.from_numpy(ranks)
