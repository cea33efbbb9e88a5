"""Compute linear centred kernel alignment.

Kornblith et al. 2019, "Similarity of neural network representations revisited".
"""

from __future__ import annotations

from torch import Tensor

from stitchlab.indices.grams import Gram


def cka(gram: Gram) -> Tensor | str:
    """Compute K / ‖K‖_F of a layer: linear CKA by the biased HSIC is ⟨K, L⟩_F / (‖K‖_F ‖L‖_F).

    It equals ‖YᵀX‖_F² / (‖XᵀX‖_F ‖YᵀY‖_F). For unrelated layers it is not 0, but about √(participation ratio of the
    features / (N − 1)).

    Args:
        gram: K = X Xᵀ of the layer's centred, flattened features X (N, features).

    Returns:
        (N, N) of norm 1, whose inner product with another layer's is the similarity in 0..1, higher is more similar;
        where the features are constant, the reason why it is undefined.

    >>> import torch
    >>> from stitchlab.indices.grams import gram
    >>> x = torch.tensor([[-1.0], [0.0], [1.0]])
    >>> a, b = cka(gram(lambda: [x], 1, 3)), cka(gram(lambda: [4 * x], 1, 3))
    >>> round(float((a * b).sum()), 6)
    1.0
    """
    norm = gram.centred.norm()
    return gram.centred / norm if norm else "the features of one layer are constant"
