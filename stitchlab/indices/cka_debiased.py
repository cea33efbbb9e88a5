"""Linear CKA by the unbiased estimator of HSIC (Song et al. 2012, "Feature selection via dependence maximization")."""

from __future__ import annotations

from torch import Tensor

LEAST = 4  # images
ROUNDING = 1e-10  # what is left of a Gram matrix below this share of it is rounding


def cka_debiased(gram_x: Tensor, gram_y: Tensor) -> float | str:
    """Debiased linear CKA: HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)), HSIC₁ the unbiased estimator on all images.

    With K̃ a Gram matrix without its diagonal, HSIC₁ is (tr K̃L̃ + 1ᵀK̃1 1ᵀL̃1 / (N−1)(N−2) − 2 1ᵀK̃L̃1 / (N−2)) / N(N−3):
    the inner product of the U-centred matrices (Székely & Rizzo 2014), so this is their cosine.

    Args:
        gram_x: K = X Xᵀ of one layer's centred, flattened features X (N, features): (N, N), float64.
        gram_y: L, the other layer's.

    Returns:
        similarity in -1..1, higher is more similar, near 0, and sometimes below it, for unrelated layers; where it is
        undefined, the reason why: fewer than 4 images, or one layer's features are constant.

    >>> import torch
    >>> x = torch.tensor([[-1.0], [0.0], [1.0], [3.0]], dtype=torch.float64)
    >>> round(cka_debiased(x @ x.T, 4 * x @ x.T), 6), cka_debiased(x[:3] @ x[:3].T, x[:3] @ x[:3].T)
    (1.0, 'debiased CKA needs 4 images or more; got 3')
    """
    if len(gram_x) < LEAST:
        return f"debiased CKA needs {LEAST} images or more; got {len(gram_x)}"
    k, l_ = _u_centred(gram_x), _u_centred(gram_y)
    if any(float(left.norm()) <= ROUNDING * float(gram.norm()) for left, gram in ((k, gram_x), (l_, gram_y))):
        return "in one layer all images are equally far from each other"
    return float((k * l_).sum() / (k.norm() * l_.norm()))


def _u_centred(gram: Tensor) -> Tensor:
    """Without diagonal, and so that every row and column sums to 0 (Székely & Rizzo 2014)."""
    count = len(gram)
    bare = gram - gram.diagonal().diag()
    rows = bare.sum(0) / (count - 2)
    centred = bare - rows - rows[:, None] + bare.sum() / ((count - 1) * (count - 2))
    return centred - centred.diagonal().diag()
