"""Computes linear CKA from minibatches, with the unbiased HSIC (Nguyen, Raghu & Kornblith 2021, 2010.15327, eq. 3).

It is for data sets whose Gram matrices do not fit into memory, and sums HSIC₁ (Song et al. 2012) over minibatches.
Once Gram matrices are U-centred (Székely & Rizzo 2014), HSIC₁ is an inner product, so that one matrix product gives all
pairs of layers. HSIC₁ does not depend on the mean of features. They are centred first, since float32 would lose
precision otherwise. Row c measures it; StitchLab has no such index, since its values differ from the biased CKA's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

MIN_IMAGES = 4  # for which HSIC₁ is defined

Extractor = Callable[[Tensor], Mapping[str, Tensor]]  #: images to activations (n, ...) by layer


@torch.no_grad()
def minibatch_cka(front: Extractor, end: Extractor, batches: Iterable[Tensor]) -> Tensor:
    """Compute CKA of all pairs of layers.

    Args:
        front, end: the networks (`Pair.run_front`, `Pair.run_end`).
        batches: of images; those of fewer than 4 are left out.

    Returns:
        (front layers, end layers) float64, at most 1 except by chance; NaN where a layer's features are constant.
    """
    sums: list[Tensor] = []
    for images in batches:
        if len(images) < MIN_IMAGES:
            continue
        x, y = (torch.stack([centred_gram(v) for v in network(images).values()]).flatten(1) for network in (front, end))
        scale = len(images) * (len(images) - 3)
        hsic = [x @ y.T / scale, x.square().sum(1) / scale, y.square().sum(1) / scale]
        sums = [a + b for a, b in zip(sums, hsic, strict=True)] if sums else hsic
    if not sums:
        raise ValueError(f"minibatch CKA needs a batch of {MIN_IMAGES} images or more")
    cross, front_hsic, end_hsic = sums
    return cross / (front_hsic[:, None] * end_hsic).sqrt()


def centred_gram(activation: Tensor) -> Tensor:
    """Compute the U-centred Gram matrix (n, n), float64, of activations (n, ...), n ≥ 4."""
    n = len(activation)
    # The order of features does not matter; this one avoids a copy where channels are last in memory.
    features = activation.movedim(1, -1).reshape(n, -1)
    features = features - features.mean(0)
    gram = (features @ features.T).cpu().double() if features.device.type == "mps" else (features @ features.T).double()
    gram.fill_diagonal_(0.0)
    rows = gram.sum(1) / (n - 2)
    centred = gram - rows[:, None] - rows + rows.sum() / (n - 1)
    return centred.fill_diagonal_(0.0)
