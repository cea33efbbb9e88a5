"""Answer pages' questions: each function is a question; its answer consists of plain values and NumPy arrays.

`stitchlab.jobs` calls these functions by name on the worker that answers pages. Their first argument is the store's
folder. A ``record`` is that of a run (`Run.record`): the run may only be looked at, and is then not in the store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stitchlab.checks.price import price
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split, evaluation_indices
from stitchlab.grid import estimate
from stitchlab.models import controls, create, zoo
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.device import pick_device
from stitchlab.models.likeness import architecture_of
from stitchlab.models.weights import read_weights
from stitchlab.ood.evaluate import activations_of
from stitchlab.request import Request
from stitchlab.results import data_sets, networks, plan
from stitchlab.results.run import Run
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.store import Store, uploads

Array = npt.NDArray[Any]


def cut_points(root: str, network: str) -> dict[str, Any]:
    """Find where a network, by name or id, can be cut: `Cuts.record`, which the store keeps from then on."""
    store = Store(root)
    return cut_points_of_any(store, networks.find(store, network)).record()


def front_cut_points(root: str, front: str, end: str, seed: int) -> dict[str, Any]:
    """Find where a front network can be cut (`Cuts.record`); it may also be a control that is not made yet.

    Args:
        root: the store's folder.
        front: a network's name or id, or a control's name.
        end: name or id of the end network, whose classes and images a control takes.
        seed: from which a control is drawn.

    Raises:
        UnknownName: there is no such network.
        StitchLabError: images do not fit it, or it can be cut nowhere.
    """
    store = Store(root)
    return controls.cut_points_of(store, front, networks.find(store, end), seed).record()


def architecture_cut_points(
    root: str, architecture: str, data: str, options: dict[str, Any], size: int | None
) -> dict[str, Any]:
    """Find where a network of this architecture for this data could be cut: `Cuts.record`.

    Args:
        root: the store's folder.
        architecture: the name of an architecture (`stitchlab.models.zoo.known_names`).
        data: a name that pages may use, or a fingerprint.
        options: of the architecture, by name; those that are left out have their defaults.
        size: pixels a side of its input; None: the images' own.

    Raises:
        UnknownName: there is no such architecture or data.
        StitchLabError: the images do not fit it.
    """
    return create.cut_points_for(
        zoo.check_public_name(architecture), load_public(Store(root), data), options, size
    ).record()


def upload_architecture(root: str, upload: str, file: str) -> str:
    """Find the known architecture that an uploaded file's tensors belong to; empty if there is none.

    Args:
        root: the store's folder.
        upload: its key (`stitchlab.store.uploads`).
        file: what the user calls the file, for messages.

    Raises StitchLabError if the file holds no state dict.
    """
    return architecture_of(read_weights(uploads.place(Store(root), upload), file))


def seconds(root: str, record: dict[str, Any], device: str, cache_key: Any = None) -> dict[str, Any] | None:
    """Estimate how long what is missing of a run takes on this machine; None for a draft.

    Args:
        root: the store's folder.
        record: of the run.
        device: auto, cpu, cuda or mps.
        cache_key: any plain value. It is not used, but answers are kept by arguments: so the question is answered
            anew when this value changes.

    Returns:
        ``seconds``; whether similar work was ``timed`` on this machine; and ``cheaper`` requests with their seconds.
    """
    run = Run(Store(root), record)
    if run.draft:
        return None
    pair = pair_on_cpu(run, device)
    total = estimate.total(run.store, pair, run.request, plan.missing(run))
    return {"seconds": total.seconds, "timed": total.timed, "cheaper": estimate.cheaper_requests(run, pair)}


def checks_price(
    root: str, suite: dict[str, Any], checks: Sequence[str], device: str, cache_key: Any = None
) -> dict[str, Any]:
    """Estimate how long what a suite of checks lacks takes: the result of `stitchlab.checks.price.price`.

    Args:
        root: the store's folder.
        suite: its arguments, as in `stitchlab.results.checks.plan.lacking`.
        checks: by name.
        device: auto, cpu, cuda or mps.
        cache_key: as for `seconds`.

    Raises:
        StitchLabError: networks do not fit together.
    """
    return price(Store(root), suite, checks, device)


def sample_images(root: str, data: str, per_class: int, classes: int) -> tuple[Array, list[str]]:
    """Return the first training images of each of the first classes, and the names of their classes.

    Args:
        root: the store's folder.
        data: a name that pages may use, or a fingerprint.
        per_class: images of each class, at most.
        classes: how many classes, at most.

    Returns:
        uint8 (n, H, W, C), or grey (n, H, W): the first image of each class, then the second of each, and so on.

    Raises:
        UnknownName: there is no such data.
    """
    images = load_public(Store(root), data)
    of_each_class = [
        np.flatnonzero(images.train.labels == c)[:per_class] for c in range(min(classes, len(images.classes)))
    ]
    chosen = [int(indices[k]) for k in range(per_class) for indices in of_each_class if k < len(indices)]
    names = [images.classes[images.train.labels[index]] for index in chosen]
    return _channels_last(np.asarray(images.train.images[chosen])), names


def class_balance(root: str, data: str) -> tuple[list[int], list[int]]:
    """Count the training images and the test images of each class."""
    images = load_public(Store(root), data)
    train, test = (np.bincount(split.labels, minlength=len(images.classes)) for split in (images.train, images.test))
    return train.tolist(), test.tolist()


def evaluation_images(root: str, record: dict[str, Any], indices: Sequence[int]) -> tuple[Array, Array]:
    """Return evaluation images of a run by their indices; indices beyond the last image are left out.

    Args:
        root: the store's folder.
        record: of the run.
        indices: among the evaluation images, 0..M-1.

    Returns:
        images uint8 (n, H, W, C) or grey (n, H, W), and their labels (n,).

    Raises:
        StitchLabError: the data is not in the store.
    """
    test, order = _evaluation(root, record)
    images, labels = test.take(order[[index for index in indices if index < len(order)]])
    return _channels_last(images.numpy()), labels.numpy()


def evaluation_labels(root: str, record: dict[str, Any]) -> Array:
    """Return the labels (M,) of all evaluation images of a run."""
    test, order = _evaluation(root, record)
    return np.asarray(test.labels[order.numpy()])


def feature_maps(
    root: str, record: dict[str, Any], image: int, front_layer: str, end_layer: str, cache_key: Any = None
) -> dict[str, Array]:
    """Return one evaluation image's activations at a cell, by set: native, and each method whose stitch is kept.

    Args:
        root: the store's folder.
        record: of the run.
        image: its index among the evaluation images.
        front_layer, end_layer: the cell.
        cache_key: as for `seconds`: it changes when more stitches are kept.

    Returns:
        float32 (C, H, W) each, as `stitchlab.ood.evaluate.activations_of`.
    """
    activations = activations_of(Run(Store(root), record), image, front_layer, end_layer)
    return {name: activation.numpy() for name, activation in activations.items()}


def load_public(store: Store, data: str) -> DataSet:
    """Load data by a name that pages may use, or by its fingerprint. Raises UnknownName and StitchLabError."""
    if re.fullmatch("[0-9a-f]{64}", data):
        return datasets.load_by_fingerprint(data, store)
    return datasets.load_offline(data_sets.public(data, store), store)


def pair_on_cpu(run: Run, device: str) -> Pair:
    """Load a run's networks onto the CPU, in a pair whose ``device`` is the one on which the run will be computed."""
    return replace(load_pair(run.store, run.request, torch.device("cpu")), device=pick_device(device))


def _evaluation(root: str, record: dict[str, Any]) -> tuple[Split, Tensor]:
    request = Request.from_json(record["request"])
    data = datasets.load_by_fingerprint(request.data, Store(root))
    return data.test, evaluation_indices(data, request)


def _channels_last(images: Array) -> Array:
    """Return images (n, C, H, W) as browsers draw them: (n, H, W, C), or grey (n, H, W)."""
    pixels = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
