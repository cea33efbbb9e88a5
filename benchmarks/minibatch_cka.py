"""Computes linear CKA from minibatches, with the unbiased HSIC (Nguyen, Raghu & Kornblith 2021, 2010.15327, eq. 3).

For data sets whose Gram matrices do not fit into memory: HSIC₁ (Song et al. 2012) of every minibatch, summed. A Gram
matrix is U-centred (Székely & Rizzo 2014), after which HSIC₁ is an inner product, so that all pairs of layers take one
matrix product. It does not change when features are shifted: they are centred first, without which float32 loses the
digits that matter. Row c measures it; the package has no such index, since its values
differ from the biased CKA's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

LEAST = 4  # images of which HSIC₁ is defined

Run = Callable[[Tensor], Mapping[str, Tensor]]


@torch.no_grad()
def minibatch_cka(front: Run, end: Run, batches: Iterable[Tensor]) -> Tensor:
    """Compute CKA of all pairs of layers.

    Args:
        front, end: images to activations (n, ...) by layer (`Pair.run_front`, `Pair.run_end`).
        batches: images, some at a time. Batches of fewer than 4 are left out.

    Returns:
        (front layers, end layers) float64, at most 1 up to chance; not a number where a layer's features are constant.
    """
    sums: list[Tensor] = []
    for images in batches:
        if len(images) < LEAST:
            continue
        x, y = (torch.stack([centred_gram(v) for v in run(images).values()]).flatten(1) for run in (front, end))
        scale = len(images) * (len(images) - 3)
        hsic = [x @ y.T / scale, x.square().sum(1) / scale, y.square().sum(1) / scale]
        sums = [a + b for a, b in zip(sums, hsic, strict=True)] if sums else hsic
    if not sums:
        raise ValueError(f"minibatch CKA needs a batch of {LEAST} images or more")
    cross, one, other = sums
    return cross / (one[:, None] * other).sqrt()


def centred_gram(activation: Tensor) -> Tensor:
    """Compute the U-centred Gram matrix (n, n), float64, of activations (n, ...), n ≥ 4."""
    n = len(activation)
    # Where channels lie last in memory they are read so: the order of features does not matter.
    features = activation.movedim(1, -1).reshape(n, -1)
    features = features - features.mean(0)
    gram = (features @ features.T).cpu().double() if features.device.type == "mps" else (features @ features.T).double()
    gram.fill_diagonal_(0.0)
    rows = gram.sum(1) / (n - 2)
    centred = gram - rows[:, None] - rows + rows.sum() / (n - 1)
    return centred.fill_diagonal_(0.0)
