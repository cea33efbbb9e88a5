"""Makes networks and keeps them: trained, untrained, imported from a file, or published by torchvision."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stitchlab.catalog.architectures import TORCHVISION
from stitchlab.catalog.training_recipes import Attack, Recipe, recipe
from stitchlab.cutting.hooks import SameLogits
from stitchlab.cutting.logits import logits_of
from stitchlab.data.splits import DataSet
from stitchlab.errors import StitchLabError
from stitchlab.models import malloc as memory
from stitchlab.models import store as model_store
from stitchlab.models import train as training
from stitchlab.models import weights as importing
from stitchlab.models import zoo
from stitchlab.models.cut_points import of_architecture, outline
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork, frozen, prepare
from stitchlab.models.tensors import put_tensors
from stitchlab.models.train import Point
from stitchlab.models.zoo import vision
from stitchlab.request import Report, checked_seed, no_report, portion
from stitchlab.results import networks
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network, some_name
from stitchlab.store import Store, given

LEARNING = 0.98  # share of a training's progress that learning is; the rest is measuring


def train(
    arch: str, data: DataSet, store: Store | None = None, *, name: str | None = None, epochs: int | None = None,
    seed: int = 0, device: str | torch.device = "auto", options: dict[str, Any] | None = None, size: int | None = None,
    augment: Sequence[str] | None = None, label_noise: float = 0.0, attack: Attack | None = None,
    report: Report = no_report, watch: Callable[[list[Point]], None] = lambda curve: None,
) -> Network:
    """Train a network on a data set's training images and keep it.

    Args:
        arch: see `zoo.architecture`, with ``options``.
        data: what to train and test on.
        store: where it is kept; default is cache/ (or STITCHLAB_CACHE).
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

    Raises StitchLabError, before any training, where the name is taken, the images do not fit, or the weights could not
    be kept.
    """
    store, device = given(store), pick_device(device)
    name = name or some_name(store, f"{data.label}-{arch.rpartition('/')[2]}-s{seed}")
    networks.free_name(store, name)
    found = zoo.architecture(arch)
    if found.optimiser is None:
        raise StitchLabError(f"{arch} is a control and learns nothing: `compare {arch} END` uses it as front network")
    how = recipe(found.optimiser, len(data.train), natural=data.natural, epochs=epochs, augment=augment,
                 label_noise=label_noise, attack=attack)
    network = _draft(name, found, options, data, *training.channel_statistics(data.train), size=size)
    module = model_store.fresh(network, found, checked_seed(seed))
    _check(network, found)
    model_store.try_saving(store, module)
    started, learning = time.monotonic(), portion(report, 0.0, LEARNING)
    with memory.kept():
        curve = training.fit(module, data, partial(prepare, network), how, seed=seed, device=device,
                             report=learning, watch=watch)
    origin = _origin(how, curve, time.monotonic() - started, device)
    made = replace(network, name=_still(store, name), seed=seed, origin=origin)
    return _kept(store, made, module, data, device, portion(report, LEARNING, 1 - LEARNING))


def _origin(how: Recipe, curve: list[Point], seconds: float, device: torch.device) -> dict[str, Any]:
    """How a network was trained, as its record says it."""
    return {"how": "trained", "seconds": round(seconds, 2), "device": str(device), "threads": torch.get_num_threads(),
            **asdict(how), "augment": list(how.augment), "curve": [asdict(point) for point in curve]}


def untrained(
    arch: str, data: DataSet, store: Store | None = None, *, name: str | None = None, seed: int = 0,
    device: str | torch.device = "auto", options: dict[str, Any] | None = None, size: int | None = None,
) -> Network:
    """Keep a network as it is built, with fresh weights. Arguments and errors as for `train`."""
    store, device = given(store), pick_device(device)
    name = name or some_name(store, f"{data.label}-{arch.rpartition('/')[2]}-fresh-s{seed}")
    networks.free_name(store, name)
    found = zoo.architecture(arch)
    network = _draft(name, found, options, data, *training.channel_statistics(data.train), size=size)
    module = model_store.fresh(network, found, checked_seed(seed))
    _check(network, found)
    return _kept(store, replace(network, seed=seed, origin={"how": "untrained"}), module, data, device)


def fits(arch: str, data: DataSet, options: dict[str, Any] | None = None, size: int | None = None) -> Cuts:
    """The cut points that a network of this architecture would have for this data.

    Raises StitchLabError where the images do not fit, or it could be cut nowhere.
    """
    found = zoo.architecture(arch)
    channels = data.shape[0]
    network = _draft("", found, options, data, (0.0,) * channels, (1.0,) * channels, size=size)
    found.check_size(network.size)
    return of_architecture(found, network)


def import_weights(
    weights: str | Path, store: Store | None = None, *, arch: str, data: DataSet, name: str,
    mean: Sequence[float] | None = None, std: Sequence[float] | None = None, classes: int | None = None,
    options: dict[str, Any] | None = None, size: int | None = None, download: bool = False, called: str = "",
    device: str | torch.device = "auto", report: Report = no_report,
) -> Network:
    """Bring somebody's weights into the store and measure them on ``data``.

    Args:
        weights: a file that `stitchlab.models.weights.read_weights` reads; for ``torchvision/NAME`` also the name of
            published weights (``DEFAULT``, ``IMAGENET1K_V1``, …), whose own preprocessing and classes come along.
        store: where they are kept; default is cache/ (or STITCHLAB_CACHE).
        arch: see `zoo.architecture`, with ``options``.
        data: what they were trained on, or something with the same classes; where ``classes`` says that they tell
            others, only its images' channels count, and their accuracy is not defined.
        name: what to call the network.
        mean: what it expects to be taken from pixels in 0..1, one number a channel (default 0).
        std: what it expects them to be divided by then (default 1).
        classes: number of outputs; default is that of the data's classes.
        size: pixels a side of its input; default is the images' own. Published weights bring all these.
        download: fetch published weights that are not here.
        called: what the file is called, where that is not how it lies here.
        device, report: where to measure, as for `train`; told what is being done.

    Raises StitchLabError where anything does not fit; then nothing is kept.
    """
    store, device = given(store), pick_device(device)
    found, path = zoo.architecture(arch), Path(weights)
    called = called or path.name
    networks.free_name(store, name)
    published = None
    if not path.is_file() and not path.suffix and arch.startswith(TORCHVISION):
        _left_out(size=size, mean=mean, std=std, classes=classes)
        report(f"reading {weights} of {arch}", 0.0)
        published = vision.published(arch, str(weights), store.root / "downloads" / "weights", download)
        classes, size, mean, std = len(published.classes), published.size, published.mean, published.std
    network = _draft(name, found, options, data, *importing.preprocessing(mean, std, _channels(published, data)),
                     size=size, labels=_labels(arch, classes, data))
    if published is not None:
        network = replace(network, channels=3, resize=published.resize, interpolation=published.interpolation)
    _check(network, found)
    report(f"reading {called}", 0.1)
    module = _filled(network, found, importing.read_weights(path, called) if published is None else published.tensors)
    network = replace(network, origin={"how": "imported", "file": called})
    return _kept(store, network, module, data, device, portion(report, 0.5, 0.5))


def measure(
    store: Store, name_or_id: str, data: DataSet, device: str | torch.device = "cpu", report: Report = no_report
) -> torch.Tensor:
    """`confusion`, measured now and kept, with the accuracy that it amounts to.

    Raises StitchLabError where the data has other classes.
    """
    network = model_store.load(name_or_id, store, device=device)
    if network.classes != data.classes:
        raise StitchLabError(f"{network.name} tells other classes than {data.label} has: its accuracy is not defined")
    counts = model_store.confusion(network, data.test, device, report)
    put_tensors(store, networks.MEASURED, networks.measured_key(network), {"counts": counts})
    networks.remark(store, replace(network, accuracy=training.share(counts)))
    return counts


def _draft(
    name: str, found: zoo.Architecture, options: dict[str, Any] | None, data: DataSet,
    mean: tuple[float, ...], std: tuple[float, ...], *, size: int | None, labels: tuple[str, ...] | None = None,
) -> Network:
    """A network that is not trained, measured or kept yet; what can be refused by looking is refused here."""
    channels, height, width = data.shape
    if height != width and size is None:
        raise StitchLabError(
            f"networks here take square images; {data.label} has {height}×{width}. Say the size of the input, or bring "
            "them to one: folder:PATH@SIZE"
        )
    return Network(
        name=name, architecture=found.name, options=found.resolve(options),
        classes=data.classes if labels is None else labels, channels=channels, size=height if size is None else size,
        mean=mean, std=std, data=data.name, data_fingerprint=data.fingerprint, origin={}, code=found.code,
    )


def _check(network: Network, found: zoo.Architecture) -> None:
    """Raises StitchLabError where images do not fit, it can be cut nowhere, or own code returns no such logits."""
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


def _left_out(**said: Any) -> None:
    if own := [what for what, value in said.items() if value is not None]:
        raise StitchLabError(f"published weights bring their own {', '.join(own)}: leave that out")


def _channels(published: vision.Published | None, data: DataSet) -> int:
    return data.shape[0] if published is None else len(published.mean)


def _filled(network: Network, found: zoo.Architecture, tensors: importing.Tensors) -> nn.Module:
    module, tensors = model_store.build(network, found), importing.used(tensors, found.unused)
    importing.put_weights(module, tensors, len(network.classes), found.name, lambda: _nearest(tensors, network))
    return module


def _nearest(tensors: importing.Tensors, network: Network) -> str:
    """The architecture, of those known by name, that has most of these tensors."""
    return importing.nearest(tensors, _shapes(len(network.classes), network.channels, network.size))


@lru_cache(maxsize=4)  # all of torchvision's take some seconds
def _shapes(classes: int, channels: int, size: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes of the tensors of every architecture that is known by name."""
    shapes = {}
    for name in zoo.known():
        found = zoo.architecture(name)
        with contextlib.suppress(StitchLabError):  # images of another size are none of its business
            module = zoo.sketch(found, classes=classes, channels=channels,
                                size=size if name in zoo.REGISTRY else found.size)
            shapes[name] = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    return shapes


def _labels(arch: str, classes: int | None, data: DataSet) -> tuple[str, ...]:
    """Class names of a network of so many outputs: the data's where their number fits."""
    if classes is None or classes == len(data.classes):
        return data.classes
    if classes < 1:
        raise StitchLabError(f"a network has 1 output or more; {classes} came")
    known = vision.categories(arch) if arch.startswith(TORCHVISION) else ()
    return known if classes == len(known) else tuple(f"class {k}" for k in range(classes))


def _still(store: Store, name: str) -> str:
    """The name, or one close to it where somebody took it while the network was trained."""
    try:
        networks.free_name(store, name)
    except StitchLabError:
        return some_name(store, name)
    return name


def _kept(
    store: Store, network: Network, module: nn.Module, data: DataSet, device: str | torch.device,
    report: Report = no_report,
) -> Network:
    """The network in the store, measured where its classes are the data's."""
    if network.classes == data.classes:
        loaded = LoadedNetwork.of(network, frozen(module, device))
        counts = model_store.confusion(loaded, data.test, device, report)
        made = model_store.save(store, replace(network, accuracy=training.share(counts)), module)
        put_tensors(store, networks.MEASURED, networks.measured_key(made), {"counts": counts})
    else:
        made = model_store.save(store, network, module)
    try:
        with contextlib.suppress(SameLogits):
            outline(store, made)  # found out here, so that no page has to run anybody's code for it
    except StitchLabError:
        networks.delete(store, made.id)  # these very weights can be cut nowhere
        raise
    return made
