"""Computes representational similarity analysis (Kriegeskorte, Mur & Bandettini 2008)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.indices.distances import of_pairs, pairs
from stitchlab.indices.grams import CONSTANT, Gram

ROUNDING = 12  # digits behind the point of a correlation; more are rounding, and would rank what is equal


def rsa(gram: Gram) -> Tensor | str:
    """Rank how dissimilar images are in a layer: the index is Spearman's correlation of two layers' ranks.

    Dissimilarity of two images is 1 − Pearson's correlation of their flattened features; of N (N − 1) / 2 pairs, equal
    ones have their mean rank.

    Args:
        gram: of the layer's flattened features (N, features), from which correlations follow.

    Returns:
        (N, N), symmetric: centred ranks of norm 1 with 0 on the diagonal, whose inner product with another layer's is
        the similarity in -1..1, higher is more similar; where it is undefined, the reason why: an image has constant
        features, or all pairs are equally dissimilar (as one pair alone is).

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
    constant = int((variances <= CONSTANT * products.diagonal().abs()).sum())
    if constant:
        return f"the features of {constant} of {count} images are constant in one layer, and have no correlation"
    scale = variances.rsqrt()
    dissimilarities = 1 - covariances * scale * scale[:, None]
    ranks = _ranks(pairs(dissimilarities).cpu().round(decimals=ROUNDING).numpy())
    centred = ranks - ranks.mean()
    if not bool(centred.any()):
        return "in one layer all pairs of images are equally dissimilar"
    ranked = of_pairs(centred, count)
    made: Tensor = ranked / ranked.norm()
    return made.to(products.device)


def _ranks(numbers: npt.NDArray[np.float64]) -> Tensor:
    """Rank numbers from 1 on; ties have their mean rank. SciPy's, whose sort is stable, takes four times as long."""
    order = numbers.argsort()
    ordered = numbers[order]
    first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])  # of those that are equal
    last = np.concatenate([first[1:], [len(numbers)]])
    ranks = np.empty(len(numbers))
    ranks[order] = np.repeat((first + 1 + last) / 2, last - first)
    return torch.from_numpy(ranks)
