"""Pool layers' activations to the features that linear probes are trained on, in one pass over the network.

A layer's features (N, C) are its averages over positions (maps; tokens without a class token), its class token where
it has one, or the vector that it is. Averages say how much there is of each channel and not where, have few numbers
(one a channel, so that layers are probed by classifiers of comparable size), and are what most networks' own last layer
gets. Sums are float64; what is kept is float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.data.splits import Split
from stitchlab.request import Report, no_report
from stitchlab.results.activation_layout import Layout
from stitchlab.stitch.numerics import precise
from stitchlab.stitch.pair import Pair

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

BATCH = 200  # images that are run together, at most
POSITIONS = {"map": (2, 3), "map-last": (1, 2), "tokens": (1,)}  # dimensions of what is no vector


def pooled(x: Tensor, form: Layout) -> Features:
    """Average activations x (N, ...) over positions, or take the class token: features (N, C).

    >>> pooled(torch.tensor([[[[1.0, 3.0]], [[0.0, 5.0]]]]), Layout("map", 2, 1, 2)).tolist()
    [[2.0, 2.5]]
    """
    if form.class_token:
        x = x[:, 0]
    elif form.kind != "vector":
        x = x.to(precise(x)).mean(POSITIONS[form.kind], dtype=torch.float64)
    made: Features = x.float().cpu().numpy()
    return made


def batches(
    pair: Pair, layers: Sequence[str], split: Split, order: Tensor, report: Report = no_report
) -> Iterator[tuple[dict[str, Tensor], Tensor, Labels]]:
    """Run the network batch by batch and yield activations, images and labels.

    Args:
        pair: the network with itself.
        layers: whose activations to yield; without layers nothing is run.
        split: where images and labels come from.
        order: their places (N,), in the order in which they come.
        report: told which share of the images is done.

    Returns:
        for each batch activations (n, ...) by layer, images uint8 (n, C, H, W), and labels (n,).
    """
    run, seen = pair.run_end(layers) if layers else None, 0
    for images, labels in pair.batches(split, order, BATCH):
        report("running the network", seen / len(order))
        yield run(images) if run else {}, images, labels.cpu().numpy()
        seen += len(images)


def gathered(
    pair: Pair, layers: Sequence[str], split: Split, order: Tensor, report: Report = no_report
) -> tuple[dict[str, Features], Labels]:
    """Gather the features of layers, and the labels of the images.

    Args:
        pair: the network with itself.
        layers: whose features are wanted.
        split: where images and labels come from.
        order: their places (N,).
        report: told which share of the images is done.

    Returns:
        features (N, C) by layer, and labels (N,).
    """
    parts: dict[str, list[Features]] = {layer: [] for layer in layers}
    seen: list[Labels] = []
    forms = {layer: pair.target(layer) for layer in layers}
    for activations, _, labels in batches(pair, layers, split, order, report):
        seen.append(labels)
        for layer, x in activations.items():
            parts[layer].append(pooled(x, forms[layer]))
    return {layer: np.concatenate(parts.pop(layer)) for layer in layers}, np.concatenate(seen)
