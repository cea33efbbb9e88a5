"""Compute linear CKA by the unbiased estimator of HSIC.

Song et al. 2012, "Feature selection via dependence maximization".
"""

from __future__ import annotations

from torch import Tensor

from stitchlab.indices.grams import Gram

MIN_IMAGES = 4
MIN_NORM_RATIO = 1e-10  # below this share of the Gram matrix's norm, a U-centred matrix is rounding noise


def cka_debiased(gram: Gram) -> Tensor | str:
    """Compute the U-centred Gram matrix of a layer at norm 1: debiased CKA is HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)).

    With K̃ a Gram matrix whose diagonal is set to 0, HSIC₁ is
    (tr K̃L̃ + 1ᵀK̃1 1ᵀL̃1 / (N−1)(N−2) − 2 1ᵀK̃L̃1 / (N−2)) / N(N−3):
    this is the inner product of the U-centred matrices (Székely & Rizzo 2014), so the index is their cosine.

    Args:
        gram: K = X Xᵀ of the layer's centred, flattened features X (N, features).

    Returns:
        (N, N) of norm 1, whose inner product with another layer's is the similarity in -1..1, higher is more similar,
        near 0, and sometimes below it, for unrelated layers; where it is undefined, the reason: fewer than 4 images, or
        all images are equally far from each other.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[-1.0], [0.0], [1.0], [3.0]])
    >>> a, b = cka_debiased(gram(lambda: [x], 1, 4)), cka_debiased(gram(lambda: [4 * x], 1, 4))
    >>> round(float((a * b).sum()), 6), cka_debiased(gram(lambda: [x[:3]], 1, 3))
    (1.0, 'debiased CKA needs 4 images or more; got 3')
    """
    count = len(gram.centred)
    if count < MIN_IMAGES:
        return f"debiased CKA needs {MIN_IMAGES} images or more; got {count}"
    off_diagonal = gram.centred - gram.centred.diagonal().diag()
    rows = off_diagonal.sum(0) / (count - 2)
    u_centred = off_diagonal - rows - rows[:, None] + off_diagonal.sum() / ((count - 1) * (count - 2))
    u_centred = u_centred - u_centred.diagonal().diag()
    norm = u_centred.norm()
    if norm <= MIN_NORM_RATIO * gram.centred.norm():
        return "in one layer all images are equally far from each other"
    normalised: Tensor = u_centred / norm
    return normalised
