"""Computes linear CKA by the unbiased estimator of HSIC.

Song et al. 2012, "Feature selection via dependence maximization".
"""

from __future__ import annotations

from torch import Tensor

from stitchlab.indices.grams import Gram

LEAST = 4  # images
ROUNDING = 1e-10  # what is left of a Gram matrix below this share of it is rounding


def cka_debiased(gram: Gram) -> Tensor | str:
    """Give the U-centred Gram matrix of a layer at norm 1: debiased CKA is HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)).

    With K̃ a Gram matrix without its diagonal, HSIC₁ is
    (tr K̃L̃ + 1ᵀK̃1 1ᵀL̃1 / (N−1)(N−2) − 2 1ᵀK̃L̃1 / (N−2)) / N(N−3):
    the inner product of the U-centred matrices (Székely & Rizzo 2014), so the index is their cosine.

    Args:
        gram: K = X Xᵀ of the layer's centred, flattened features X (N, features).

    Returns:
        (N, N) of norm 1, whose inner product with another layer's is the similarity in -1..1, higher is more similar,
        near 0, and sometimes below it, for unrelated layers; where it is undefined, the reason why: fewer than 4
        images, or all images are equally far from each other.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[-1.0], [0.0], [1.0], [3.0]])
    >>> a, b = cka_debiased(gram(lambda: [x], 1, 4)), cka_debiased(gram(lambda: [4 * x], 1, 4))
    >>> round(float((a * b).sum()), 6), cka_debiased(gram(lambda: [x[:3]], 1, 3))
    (1.0, 'debiased CKA needs 4 images or more; got 3')
    """
    count = len(gram.centred)
    if count < LEAST:
        return f"debiased CKA needs {LEAST} images or more; got {count}"
    bare = gram.centred - gram.centred.diagonal().diag()
    rows = bare.sum(0) / (count - 2)
    u_centred = bare - rows - rows[:, None] + bare.sum() / ((count - 1) * (count - 2))
    u_centred = u_centred - u_centred.diagonal().diag()
    size = u_centred.norm()
    if size <= ROUNDING * gram.centred.norm():
        return "in one layer all images are equally far from each other"
    made: Tensor = u_centred / size
    return made
