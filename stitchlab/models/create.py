"""Makes networks and keeps them, trained or untrained; `stitchlab.models.importing` brings in those made elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from stitchlab.catalog.training_recipes import Attack, Recipe, recipe
from stitchlab.cutting.hooks import SameLogits
from stitchlab.cutting.logits import logits_of
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.models import malloc as memory
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.cut_points import of_architecture, outline
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork, frozen, prepare
from stitchlab.models.tensors import put_tensors
from stitchlab.models.train import Point
from stitchlab.request import Report, checked_seed, no_report, portion
from stitchlab.results import networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network, some_name
from stitchlab.store import Store, given

LEARNING = 0.98  # share of a training's progress that learning is; the rest is measuring


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
    watch: Callable[[list[Point]], None] = lambda curve: None,
) -> Network:
    """Train a network on a data set's training images and keep it.

    Args:
        arch, options: see `zoo.architecture`; options of the architecture by name, others at their default.
        data: what to train and test on.
        store: where it is kept; default is `Store()`.
        name: what to call it; without one it is called after data, architecture and seed.
        epochs: passes over the training images; without a number, what `training_recipes.recipe` knows to be enough.
        seed: decides initialisation, order, augmentation, noise.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        size: pixels a side of its input, to which images are brought; default is the images' own.
        augment: of `training_recipes.AUGMENTATION_STEPS`; by default all for natural images, else none.
        label_noise: share 0..1 of the training labels that are replaced by another class's.
        attack: trains on images attacked so (Madry et al. 2018).
        report: told epoch, loss and accuracy after every step. Where it raises, nothing is kept.
        watch: given the curve of accuracy after every epoch.

    Raises StitchLabError, before any training, where a name is taken, images do not fit, or weights cannot be kept.
    """
    store, device = given(store), pick_device(device)
    name = _free_name(store, name, f"{data.label}-{arch.rpartition('/')[2]}-s{seed}")
    found = zoo.architecture(arch)
    how = _recipe(found, data, epochs=epochs, augment=augment, label_noise=label_noise, attack=attack)
    network, module = _built(name, found, options, data, size, seed)
    model_store.try_saving(store, module)
    origin = _learn(network, module, data, how, seed, device, portion(report, 0.0, LEARNING), watch)
    made = replace(network, name=_still(store, name), seed=seed, origin=origin)
    return kept(store, made, module, data, device, portion(report, LEARNING, 1 - LEARNING))


def _recipe(found: zoo.Architecture, data: DataSet, **asked: Any) -> Recipe:
    """Settle how to train on this data, where ``asked`` leaves it open. Raises StitchLabError for a control."""
    if found.optimiser is None:
        raise StitchLabError(
            f"{found.name} is a control and learns nothing: `compare {found.name} END` uses it as front network"
        )
    return recipe(found.optimiser, len(data.train), natural=data.natural, **asked)


def _learn(
    network: Network,
    module: nn.Module,
    data: DataSet,
    how: Recipe,
    seed: int,
    device: torch.device,
    report: Report,
    watch: Callable[[list[Point]], None],
) -> dict[str, Any]:
    """Train the module, and tell how that was done, as the network's record says it."""
    started = time.monotonic()
    with memory.kept():
        curve = training.fit(
            module, data, partial(prepare, network), how, seed=seed, device=device, report=report, watch=watch
        )
    return {
        "how": "trained",
        "seconds": round(time.monotonic() - started, 2),
        "device": str(device),
        "threads": torch.get_num_threads(),
        **asdict(how),
        "augment": list(how.augment),
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
    """Keep a network with fresh weights, measured on its data. Raises StitchLabError as `train` does.

    Args:
        arch, data, store, name, device, options, size: as for `train`.
        seed: decides the weights.
    """
    store, device = given(store), pick_device(device)
    name = _free_name(store, name, f"{data.label}-{arch.rpartition('/')[2]}-fresh-s{seed}")
    network, module = _built(name, zoo.architecture(arch), options, data, size, seed)
    return kept(store, replace(network, seed=seed, origin={"how": "untrained"}), module, data, device)


def fits(arch: str, data: DataSet, options: dict[str, Any] | None = None, size: int | None = None) -> Cuts:
    """Find the cut points that a network of this architecture would have for this data.

    Args:
        arch, data, options, size: as for `train`; of the data only its classes and the shape of its images count.

    Raises UnknownName; StitchLabError where the images do not fit, or it could be cut nowhere.
    """
    found = zoo.architecture(arch)
    network = draft("", found, options, data, size=size)
    found.check_size(network.size)
    return of_architecture(found, network)


def measure(
    store: Store, name_or_id: str, data: DataSet, device: str | torch.device = "cpu", report: Report = no_report
) -> torch.Tensor:
    """Count which classes a network puts a data set's test images into; keep that, and the accuracy it amounts to.

    Args:
        store, name_or_id: where the network is kept, and which it is.
        data: a data set with the network's classes.
        device, report: as for `train`; told how much is measured.

    Returns what `stitchlab.models.store.confusion` does. Raises UnknownName; StitchLabError where the classes differ.
    """
    network = model_store.load(name_or_id, store, device=device)
    if network.classes != data.classes:
        raise StitchLabError(f"{network.name} has other classes than {data.label}: its accuracy is not defined")
    counts = model_store.confusion(network, data.test, device, report)
    put_tensors(store, networks.MEASURED, networks.measured_key(network), {"counts": counts})
    networks.remark(store, replace(network, accuracy=training.share(counts)))
    return counts


def draft(
    name: str,
    found: zoo.Architecture,
    options: dict[str, Any] | None,
    data: DataSet | DataRecord,
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    *,
    size: int | None,
    labels: tuple[str, ...] | None = None,
) -> Network:
    """Describe a network that is not trained, measured or kept yet; what does not fit is refused here.

    Args:
        name: what to call it.
        found, options: the architecture, and its options by name; others are at their default.
        data: whose classes and images it is for.
        mean, std: of pixels in 0..1, one number a channel; empty while they are not known.
        size: pixels a side of its input; None: the images' own.
        labels: names of its classes; None: the data's.

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
        architecture=found.name,
        options=found.resolve(options),
        classes=data.classes if labels is None else labels,
        channels=channels,
        size=height if size is None else size,
        mean=mean,
        std=std,
        data=data.name,
        data_fingerprint=data.fingerprint,
        origin={},
        code=found.code,
    )


def _built(
    name: str, found: zoo.Architecture, options: dict[str, Any] | None, data: DataSet, size: int | None, seed: int
) -> tuple[Network, nn.Module]:
    """Draft a network for this data, and build its module with fresh weights. Raises as `draft` and `check`."""
    network = draft(name, found, options, data, *training.channel_statistics(data.train), size=size)
    module = model_store.fresh(network, found, checked_seed(seed))
    check(network, found)
    return network, module


def check(network: Network, found: zoo.Architecture) -> None:
    """Check that images fit a network, that it can be cut, and that own code returns logits. Raises StitchLabError."""
    found.check_size(network.size)
    with contextlib.suppress(SameLogits):  # fresh weights may begin so
        of_architecture(found, network)
    if found.code is None:
        return
    module = model_store.build(network, found).eval()
    with torch.no_grad():
        logits = logits_of(module(torch.zeros(2, *network.input)))
    if (came := tuple(logits.shape)) != (2, len(network.classes)):
        raise StitchLabError(
            f"{found.name} must return logits (N, {len(network.classes)}), one for each class of {network.data}; for 2 "
            f"images it returns {came}. Let its callable take the number as `classes` or `num_classes`"
        )


def _free_name(store: Store, name: str | None, wish: str) -> str:
    """Return the name, which must be free; without one, a free one close to ``wish``."""
    name = name or some_name(store, wish)
    networks.check_name_free(store, name)
    return name


def _still(store: Store, name: str) -> str:
    """Return the name, or one close to it where somebody took it while the network was trained."""
    try:
        networks.check_name_free(store, name)
    except StitchLabError:
        return some_name(store, name)
    return name


def kept(
    store: Store,
    network: Network,
    module: nn.Module,
    data: DataSet,
    device: str | torch.device,
    report: Report = no_report,
    replaced: Network | None = None,
) -> Network:
    """Keep a network in the store, measured where its classes are the data's.

    Args:
        store, replaced: as for `stitchlab.models.store.save`.
        network, module: its record, and what has its weights.
        data, device: whose test images it is measured on, and where.
        report: told how much is measured.

    Raises StitchLabError as `save` does, and where it can be cut nowhere; then nothing is kept.
    """
    if network.classes == data.classes:
        loaded = LoadedNetwork.of(network, frozen(module, device))
        counts = model_store.confusion(loaded, data.test, device, report)
        made = model_store.save(store, replace(network, accuracy=training.share(counts)), module, replaced)
        put_tensors(store, networks.MEASURED, networks.measured_key(made), {"counts": counts})
    else:
        made = model_store.save(store, network, module, replaced)
    try:
        with contextlib.suppress(SameLogits):
            outline(store, made)  # found out here, so that no page has to run anybody's code for it
    except StitchLabError:
        networks.delete(store, made.id)  # these very weights can be cut nowhere
        raise
    return made
