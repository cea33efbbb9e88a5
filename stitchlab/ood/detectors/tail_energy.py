"""Scores by the energy of the end network's own tail.

Liu et al. 2020, "Energy-based out-of-distribution detection". It is blind to whatever the tail ignores, and it rewards
confidence: that is why it stands beside the others.
"""

from __future__ import annotations

from stitchlab.ood.inputs import Array, Batch, Native, Score


def tail_energy(native: Native) -> Score:
    """Score −E = logsumexp of the logits g_{>j} makes of the activations, temperature 1. Nothing is fitted.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> score = tail_energy(Native(features=np.zeros((1, 2)), labels=np.zeros(1, int), classes=2, form=layout_of((2,))))
    >>> score(Batch(torch.zeros(1, 2), layout_of((2,)), tail=torch.nn.Identity())).round(4).tolist()
    [0.6931]
    """

    def score(batch: Batch) -> Array:
        return batch.logits.logsumexp(1).cpu().double().numpy()

    return score
