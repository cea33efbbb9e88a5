"""Makes networks, trained or untrained, and saves them; `stitchlab.models.importing` imports existing weights."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from stitchlab.catalog import training_recipes
from stitchlab.catalog.training_recipes import Attack, Recipe
from stitchlab.cutting.hooks import ConstantLogits
from stitchlab.cutting.logits import logits_of
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.models import malloc as memory
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.cut_points import cut_points_of_any, cut_points_of_architecture
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork, freeze, prepare
from stitchlab.models.tensors import put_tensors
from stitchlab.models.train import CurvePoint
from stitchlab.request import Report, checked_seed, no_report, portion
from stitchlab.results import networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network, some_name
from stitchlab.store import Store, store_or_default

TRAINING_SHARE = 0.98  # of the progress of `train`; the rest is the measurement on test images


def train(
    arch: str,
    data: DataSet,
    store: Store | None = None,
    *,
    name: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    options: dict[str, Any] | None = None,
    size: int | None = None,
    augment: Sequence[str] | None = None,
    label_noise: float = 0.0,
    attack: Attack | None = None,
    report: Report = no_report,
    watch: Callable[[list[CurvePoint]], None] = lambda curve: None,
) -> Network:
    """Train a network on a data set's training images and save it.

    Args:
        arch, options: see `zoo.architecture`; values of the architecture's options by name, others at their default.
        data: what to train and test on.
        store: where to save the network; default is `Store()`.
        name: of the network; default is a name made of data, architecture and seed.
        epochs: passes over the training images; default is the number of `training_recipes.recipe`.
        seed: of initialisation, order, augmentation and label noise.
        device: where to compute: auto, cpu, cuda, mps, or one of PyTorch's own.
        size: pixels a side of the input, to which images are resized; default is the images' own.
        augment: of `training_recipes.AUGMENTATION_STEPS`; default is all for natural images, else none.
        label_noise: share 0..1 of the training labels that are replaced by other classes.
        attack: with which training images are attacked (Madry et al. 2018); default is none.
        report: receives epoch, loss and accuracy after every step. Where it raises, nothing is saved.
        watch: receives the training curve after every epoch.

    Raises StitchLabError, before any training, where a name is taken, images do not fit, or weights cannot be saved.
    """
    store, device = store_or_default(store), pick_device(device)
    name = _free_name(store, name, f"{data.label}-{arch.rpartition('/')[2]}-s{seed}")
    architecture = zoo.architecture(arch)
    recipe = _recipe(architecture, data, epochs=epochs, augment=augment, label_noise=label_noise, attack=attack)
    network, module = _build(name, architecture, options, data, size, seed)
    model_store.try_saving(store, module)
    origin = _fit(network, module, data, recipe, seed, device, portion(report, 0.0, TRAINING_SHARE), watch)
    network = replace(network, name=_name_now(store, name), seed=seed, origin=origin)
    return measure_and_save(store, network, module, data, device, portion(report, TRAINING_SHARE, 1 - TRAINING_SHARE))


def _recipe(architecture: zoo.Architecture, data: DataSet, **changes: Any) -> Recipe:
    """Return the recipe for this architecture and data with the user's changes. Raises StitchLabError for a control."""
    if (optimiser := architecture.optimiser) is None:
        name = architecture.name
        raise StitchLabError(f"{name} is a control and learns nothing: `compare {name} END` uses it as front network")
    return training_recipes.recipe(optimiser, len(data.train), natural=data.natural, **changes)


def _fit(
    network: Network,
    module: nn.Module,
    data: DataSet,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    report: Report,
    watch: Callable[[list[CurvePoint]], None],
) -> dict[str, Any]:
    """Train the module; return the ``origin`` of the network, which says how."""
    started = time.monotonic()
    with memory.freed_memory_reused():
        curve = training.fit(
            module, data, partial(prepare, network), recipe, seed=seed, device=device, report=report, watch=watch
        )
    return {
        "how": "trained",
        "seconds": round(time.monotonic() - started, 2),
        "device": str(device),
        "threads": torch.get_num_threads(),
        **asdict(recipe),
        "augment": list(recipe.augment),
        "curve": [asdict(point) for point in curve],
    }


def untrained(
    arch: str,
    data: DataSet,
    store: Store | None = None,
    *,
    name: str | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    options: dict[str, Any] | None = None,
    size: int | None = None,
) -> Network:
    """Save a network with fresh weights, measured on its data. Raises StitchLabError as `train` does.

    Args:
        arch, data, store, name, device, options, size: as for `train`.
        seed: of the weights.
    """
    store, device = store_or_default(store), pick_device(device)
    name = _free_name(store, name, f"{data.label}-{arch.rpartition('/')[2]}-fresh-s{seed}")
    network, module = _build(name, zoo.architecture(arch), options, data, size, seed)
    network = replace(network, seed=seed, origin={"how": "untrained"})
    return measure_and_save(store, network, module, data, device)


def cut_points_for(arch: str, data: DataSet, options: dict[str, Any] | None = None, size: int | None = None) -> Cuts:
    """Find the cut points that a network of this architecture would have for this data.

    Args:
        arch, data, options, size: as for `train`; of the data only its classes and the shape of its images matter.

    Raises UnknownName; StitchLabError where the images do not fit, or there would be no cut point.
    """
    architecture = zoo.architecture(arch)
    network = draft("", architecture, options, data, size=size)
    architecture.check_size(network.size)
    return cut_points_of_architecture(architecture, network)


def measure(
    store: Store, name_or_id: str, data: DataSet, device: str | torch.device = "cpu", report: Report = no_report
) -> torch.Tensor:
    """Count how a network classifies a data set's test images; save the counts and the accuracy.

    Args:
        store, name_or_id: where the network is, and its name or id.
        data: a data set with the network's classes.
        device, report: where to compute; receives the progress.

    Returns the counts of `stitchlab.models.store.confusion`. Raises UnknownName; StitchLabError where classes differ.
    """
    network = model_store.load(name_or_id, store, device=device)
    if network.classes != data.classes:
        raise StitchLabError(f"{network.name} has other classes than {data.label}: its accuracy is not defined")
    counts = model_store.confusion(network, data.test, device, report)
    put_tensors(store, networks.MEASURED, networks.measured_key(network), {"counts": counts})
    networks.write_record(store, replace(network, accuracy=training.accuracy_of(counts)))
    return counts


def draft(
    name: str,
    architecture: zoo.Architecture,
    options: dict[str, Any] | None,
    data: DataSet | DataRecord,
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    *,
    size: int | None,
    labels: tuple[str, ...] | None = None,
) -> Network:
    """Describe a network that is not yet trained, measured or saved.

    Args:
        name: of the network.
        architecture, options: the architecture, and values of its options by name; others are at their default.
        data: the data set with its classes and images.
        mean, std: of pixels in 0..1, one number for each channel; empty while they are unknown.
        size: pixels a side of the input; None: the images' own.
        labels: names of the network's classes; None: the data set's.

    Raises StitchLabError where an option is unknown, or images are not square and no size is given.
    """
    channels, height, width = data.shape
    if height != width and size is None:
        raise StitchLabError(
            f"networks here take square images; {data.label} has {height}×{width}. Give the size of the input, or "
            "resize the images: folder:PATH@SIZE"
        )
    return Network(
        name=name,
        architecture=architecture.name,
        options=architecture.resolve(options),
        classes=data.classes if labels is None else labels,
        channels=channels,
        size=height if size is None else size,
        mean=mean,
        std=std,
        data=data.name,
        data_fingerprint=data.fingerprint,
        origin={},
        code=architecture.code,
    )


def _build(
    name: str, builder: zoo.Architecture, options: dict[str, Any] | None, data: DataSet, size: int | None, seed: int
) -> tuple[Network, nn.Module]:
    """Draft a network for this data, and build its module with fresh weights. Raises as `draft` and `check`."""
    network = draft(name, builder, options, data, *training.channel_statistics(data.train), size=size)
    module = model_store.build_fresh(network, builder, checked_seed(seed))
    check(network, builder)
    return network, module


def check(network: Network, architecture: zoo.Architecture) -> None:
    """Check that images fit, there is a cut point, and a user's code returns logits. Raises StitchLabError."""
    architecture.check_size(network.size)
    with contextlib.suppress(ConstantLogits):  # fresh weights may give all images the same logits
        cut_points_of_architecture(architecture, network)
    if architecture.code is None:
        return
    module = model_store.build(network, architecture).eval()
    with torch.no_grad():
        logits = logits_of(module(torch.zeros(2, *network.input)))
    if (shape := tuple(logits.shape)) != (2, len(network.classes)):
        raise StitchLabError(
            f"{architecture.name} must return logits (N, {len(network.classes)}), one for each class of {network.data};"
            f" for 2 images it returns {shape}. Let its callable take the number as `classes` or `num_classes`"
        )


def _free_name(store: Store, name: str | None, wish: str) -> str:
    """Return the given name, which must be free, or a free name similar to ``wish``."""
    name = name or some_name(store, wish)
    networks.check_name_free(store, name)
    return name


def _name_now(store: Store, name: str) -> str:
    """Return the name, or a similar one where another network got this name during the training."""
    return name if networks.holder(store, name) is None else some_name(store, name)


def measure_and_save(
    store: Store,
    network: Network,
    module: nn.Module,
    data: DataSet,
    device: str | torch.device,
    report: Report = no_report,
    replaced: Network | None = None,
) -> Network:
    """Save a network; where it has the data set's classes, measure its accuracy on the test images first.

    Args:
        store, replaced: as for `stitchlab.models.store.save`.
        network, module: the record, and the module with the weights.
        data, device, report: the data set, and where to compute; receives the progress.

    Raises StitchLabError as `save` does, and where there is no cut point; then nothing is saved.
    """
    if network.classes == data.classes:
        loaded = LoadedNetwork.of(network, freeze(module, device))
        counts = model_store.confusion(loaded, data.test, device, report)
        saved = model_store.save(store, replace(network, accuracy=training.accuracy_of(counts)), module, replaced)
        put_tensors(store, networks.MEASURED, networks.measured_key(saved), {"counts": counts})
    else:
        saved = model_store.save(store, network, module, replaced)
    try:
        with contextlib.suppress(ConstantLogits):
            cut_points_of_any(store, saved)  # now, so that no page has to run a user's code for the cut points
    except StitchLabError:
        networks.delete(store, saved.id)  # with these weights there is no cut point
        raise
    return saved
