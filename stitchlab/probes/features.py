"""Pool layers' activations to the features that linear probes are trained on, in one pass over the network.

The features (N, C) of a layer are its averages over positions (maps, and tokens without a class token), its class token
if it has one, or its vector. Averages say how much of each channel there is, but not where. They have one number for
each channel, so that the classifiers of all layers are of comparable size; and most networks' own last layer gets
averages, too. Sums are float64; the features are kept in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.data.splits import Split
from stitchlab.request import Report, no_report
from stitchlab.results.activation_layout import Kind, Layout
from stitchlab.stitch.numerics import float64_device
from stitchlab.stitch.pair import Pair

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

BATCH = 200  # images that are run together, at most
POSITION_DIMS: dict[Kind, tuple[int, ...]] = {"map": (2, 3), "map-last": (1, 2), "tokens": (1,)}


def pool(x: Tensor, layout: Layout) -> Features:
    """Average activations x (N, ...) over positions, or take the class token: features (N, C).

    >>> pool(torch.tensor([[[[1.0, 3.0]], [[0.0, 5.0]]]]), Layout("map", 2, 1, 2)).tolist()
    [[2.0, 2.5]]
    """
    if layout.class_token:
        x = x[:, 0]
    elif layout.kind != "vector":
        x = x.to(float64_device(x)).mean(POSITION_DIMS[layout.kind], dtype=torch.float64)
    features: Features = x.float().cpu().numpy()
    return features


def batches(
    pair: Pair, layers: Sequence[str], split: Split, order: Tensor, report: Report = no_report
) -> Iterator[tuple[dict[str, Tensor], Tensor, Labels]]:
    """Run the network batch by batch and yield activations, images and labels.

    Args:
        pair: the network, as both front and end.
        layers: whose activations to yield; without layers the network is not run.
        split: has the images and labels.
        order: indices into the split (N,), in the order in which the images are yielded.
        report: receives the share of the images that is done.

    Returns:
        for each batch: activations (n, ...) by layer, images uint8 (n, C, H, W), and labels (n,).
    """
    run, images_done = pair.run_end(layers) if layers else None, 0
    for images, labels in pair.batches(split, order, BATCH):
        report("running the network", images_done / len(order))
        yield run(images) if run else {}, images, labels.cpu().numpy()
        images_done += len(images)


def gather_features(
    pair: Pair, layers: Sequence[str], split: Split, order: Tensor, report: Report = no_report
) -> tuple[dict[str, Features], Labels]:
    """Compute the features of layers, and return them with the labels of the images.

    Args:
        pair: the network, as both front and end.
        layers: whose features to compute.
        split: has the images and labels.
        order: indices into the split (N,).
        report: receives the share of the images that is done.

    Returns:
        features (N, C) by layer, and labels (N,).
    """
    feature_batches: dict[str, list[Features]] = {layer: [] for layer in layers}
    label_batches: list[Labels] = []
    layouts = {layer: pair.target(layer) for layer in layers}
    for activations, _, labels in batches(pair, layers, split, order, report):
        label_batches.append(labels)
        for layer, x in activations.items():
            feature_batches[layer].append(pool(x, layouts[layer]))
    # each layer's batches are removed once they are joined, to save memory
    features = {layer: np.concatenate(feature_batches.pop(layer)) for layer in layers}
    return features, np.concatenate(label_batches)
