"""Answers what pages ask: each function is a question, answered in one go, in plain values and NumPy arrays.

`stitchlab.jobs` calls them by name on the worker that answers pages, the store's folder first. A ``record`` is that of
a run (`Run.record`): it may have been looked at only, so that the store knows nothing of it.
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
from stitchlab.data.splits import DataSet, Split, evaluation
from stitchlab.grid import estimate
from stitchlab.models import controls, create, zoo
from stitchlab.models.cut_points import outline
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
    return outline(store, networks.find(store, network)).record()


def front_cut_points(root: str, front: str, end: str, seed: int) -> dict[str, Any]:
    """Find where a front network can be cut (`Cuts.record`); it may also be a control that is not made yet.

    Args:
        root: the store's folder.
        front: a network's name or id, or a control's name.
        end: name or id of the end network, whose classes and images a control takes.
        seed: that a control is drawn from.

    Raises:
        UnknownName: a network of that name is not there.
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
        architecture: one of those known by name (`stitchlab.models.zoo.known`).
        data: a name that a page may say, or a fingerprint.
        options: of the architecture, by name; others are at their default.
        size: pixels a side of its input; None: the images' own.

    Raises:
        UnknownName: the architecture or the data is not there.
        StitchLabError: the images do not fit it.
    """
    return create.fits(zoo.public(architecture), load_public(Store(root), data), options, size).record()


def upload_architecture(root: str, upload: str, called: str) -> str:
    """Find the architecture, of those known by name, that an uploaded file's tensors belong to; empty where none is.

    Args:
        root: the store's folder.
        upload: its key (`stitchlab.store.uploads`).
        called: what its owner calls it, for messages.

    Raises StitchLabError where it is no state dict.
    """
    return architecture_of(read_weights(uploads.place(Store(root), upload), called))


def seconds(root: str, record: dict[str, Any], device: str, there: Any = None) -> dict[str, Any] | None:
    """Estimate the ``seconds`` that what is missing of a run takes on this machine; None for a draft.

    Args:
        root: the store's folder.
        record: of the run.
        device: auto, cpu, cuda or mps.
        there: any value that tells one moment from another; the same question is answered anew when it changes.

    Returns:
        ``seconds``; whether similar work was ``timed`` here; and ``cheaper`` ways to ask, each with its seconds.
    """
    run = Run(Store(root), record)
    if run.draft:
        return None
    pair = looked_at(run, device)
    found = estimate.total(run.store, pair, run.request, plan.missing(run))
    return {"seconds": found.seconds, "timed": found.timed, "cheaper": estimate.cheaper(run, pair)}


def checks_price(
    root: str, what: dict[str, Any], checks: Sequence[str], device: str, there: Any = None
) -> dict[str, Any]:
    """Estimate what a suite of checks lacks: ``seconds``, ``timed`` and ``grids`` of `stitchlab.checks.price.price`.

    Args:
        root: the store's folder.
        what: the suite that is asked for, as in `stitchlab.results.checks.plan.lacking`.
        checks: by name.
        device: auto, cpu, cuda or mps.
        there: as for `seconds`.

    Raises:
        StitchLabError: networks do not fit together.
    """
    return price(Store(root), what, checks, device)


def sample_images(root: str, data: str, per_class: int, classes: int) -> tuple[Array, list[str]]:
    """Give the first training images of each of the first classes, and the names of their classes.

    Args:
        root: the store's folder.
        data: a name that a page may say, or a fingerprint.
        per_class: images of each class, at most.
        classes: how many classes, at most.

    Returns:
        uint8 (n, H, W, C), or grey (n, H, W): the first image of each class, then the second of each, and so on.

    Raises:
        UnknownName: the data is not there.
    """
    found = load_public(Store(root), data)
    by_class = [np.flatnonzero(found.train.labels == c)[:per_class] for c in range(min(classes, len(found.classes)))]
    places = [int(places[k]) for k in range(per_class) for places in by_class if k < len(places)]
    return _shown(np.asarray(found.train.images[places])), [found.classes[found.train.labels[p]] for p in places]


def class_balance(root: str, data: str) -> tuple[list[int], list[int]]:
    """Count the training images and the test images of each class."""
    found = load_public(Store(root), data)
    train, test = (np.bincount(split.labels, minlength=len(found.classes)) for split in (found.train, found.test))
    return train.tolist(), test.tolist()


def evaluation_images(root: str, record: dict[str, Any], places: Sequence[int]) -> tuple[Array, Array]:
    """Give evaluation images of a run by their places; places beyond the last image are left out.

    Args:
        root: the store's folder.
        record: of the run.
        places: among the evaluation images, 0..M-1.

    Returns:
        images uint8 (n, H, W, C) or grey (n, H, W), and their labels (n,).

    Raises:
        StitchLabError: the data is not there.
    """
    test, order = _evaluation(root, record)
    images, labels = test.take(order[[p for p in places if p < len(order)]])
    return _shown(images.numpy()), labels.numpy()


def evaluation_labels(root: str, record: dict[str, Any]) -> Array:
    """Give the labels (M,) of all evaluation images of a run."""
    test, order = _evaluation(root, record)
    return np.asarray(test.labels[order.numpy()])


def feature_maps(
    root: str, record: dict[str, Any], image: int, front_layer: str, end_layer: str, there: Any = None
) -> dict[str, Array]:
    """Give one evaluation image's activations at a cell, by set: native, and each method whose map is kept.

    Args:
        root: the store's folder.
        record: of the run.
        image: its place among the evaluation images.
        front_layer, end_layer: the cell.
        there: whatever tells one moment from another, as for `seconds`: maps may come.

    Returns:
        float32 (C, H, W) each, as `stitchlab.ood.evaluate.activations_of`.
    """
    made = activations_of(Run(Store(root), record), image, front_layer, end_layer)
    return {name: activation.numpy() for name, activation in made.items()}


def load_public(store: Store, data: str) -> DataSet:
    """Load data by a name that a page may say, or by its fingerprint. Raises UnknownName; StitchLabError."""
    if re.fullmatch("[0-9a-f]{64}", data):
        return datasets.load_by_fingerprint(data, store)
    return datasets.here(data_sets.public(data, store), store)


def looked_at(run: Run, device: str) -> Pair:
    """Load a run's networks to look at, so on the CPU, in a pair that says what they will be computed on."""
    return replace(load_pair(run.store, run.request, torch.device("cpu")), device=pick_device(device))


def _evaluation(root: str, record: dict[str, Any]) -> tuple[Split, Tensor]:
    request = Request.from_json(record["request"])
    data = datasets.load_by_fingerprint(request.data, Store(root))
    return data.test, evaluation(data, request)


def _shown(images: Array) -> Array:
    """Give images (n, C, H, W) as screens take them: (n, H, W, C), or grey (n, H, W)."""
    pixels = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
