"""Score activations by the energy of the end network's own tail.

Liu et al. 2020, "Energy-based out-of-distribution detection". It cannot see what the tail ignores, and it scores
confident predictions as native: therefore it is shown beside other detectors.
"""

from __future__ import annotations

from stitchlab.ood.inputs import Array, Batch, Native, Score


def tail_energy(native: Native) -> Score:
    """Score −E = logsumexp of the logits that g_{>j} computes from the activations, temperature 1. Nothing is fitted.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> layout = layout_of((2,))
    >>> score = tail_energy(Native(features=np.zeros((1, 2)), labels=np.zeros(1, int), classes=2, layout=layout))
    >>> score(Batch(torch.zeros(1, 2), layout, tail=torch.nn.Identity())).round(4).tolist()
    [0.6931]
    """

    def score(batch: Batch) -> Array:
        return batch.logits.logsumexp(1).cpu().double().numpy()

    return score
