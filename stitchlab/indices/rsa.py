"""Representational similarity analysis (Kriegeskorte, Mur & Bandettini 2008)."""

from __future__ import annotations

import torch
from scipy.stats import rankdata
from torch import Tensor

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
    places = torch.triu_indices(count, count, offset=1)
    above = dissimilarities.cpu()[*places].round(decimals=ROUNDING)
    ranks = torch.from_numpy(rankdata(above.numpy())).to(above.dtype)
    centred = ranks - ranks.mean()
    if not bool(centred.any()):
        return "in one layer all pairs of images are equally dissimilar"
    ranked = torch.zeros(count, count, dtype=centred.dtype)
    ranked[*places] = centred
    ranked = ranked + ranked.T
    made: Tensor = ranked / ranked.norm()
    return made.to(products.device)
