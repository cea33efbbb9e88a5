"""Linear centred kernel alignment (Kornblith et al. 2019, "Similarity of neural network representations revisited")."""

from __future__ import annotations

from torch import Tensor


def cka(gram_x: Tensor, gram_y: Tensor) -> float | str:
    """Linear CKA, biased HSIC: ⟨K, L⟩_F / (‖K‖_F ‖L‖_F), which equals ‖YᵀX‖_F² / (‖XᵀX‖_F ‖YᵀY‖_F).

    Of unrelated layers it is not 0: about √(participation ratio of the features / (N − 1)).

    Args:
        gram_x: K = X Xᵀ of one layer's centred, flattened features X (N, features): (N, N), float64.
        gram_y: L, the other layer's.

    Returns:
        similarity in 0..1, higher is more similar; where one layer's features are constant, the reason why there is
        none.

    >>> import torch
    >>> x = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    >>> round(cka(x @ x.T, 4 * x @ x.T), 6)
    1.0
    """
    size = float(gram_x.norm() * gram_y.norm())
    return float((gram_x * gram_y).sum()) / size if size else "the features of one layer are constant"
