"""Networks in the store: what they are, how they are called, found, loaded, and kept.

A network's id is a fingerprint of everything that its outputs depend on: architecture with its options, class names,
input preprocessing, then every tensor. Its name, accuracy and origin are remarks beside that.
"""

from __future__ import annotations

import itertools
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stitchlab import importing, training, zoo
from stitchlab.data import DataSet, Split
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.spec import Report, checked_seed, content_id, no_report
from stitchlab.store import Store, digest

ROOM = "networks"
HINT = "Train one with `python -m stitchlab train`, or bring one with `python -m stitchlab import`"
LOADED = 8  # networks that stay loaded in this process


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network of the store.

    ``id`` has 64 hexadecimal digits. ``mean`` and ``std`` belong to pixels in 0..1, one number a channel.
    ``accuracy`` (0..1) was measured here, on the whole test split of ``data``. ``origin`` says how it came to be.
    ``module`` is there after `load`: in eval mode, all parameters frozen.
    """

    id: str = ""
    name: str
    architecture: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: str
    data_fingerprint: str
    accuracy: float = 0.0
    seed: int | None = None
    origin: dict[str, Any]
    created: str = ""
    module: nn.Module | None = field(default=None, repr=False)

    @property
    def short(self) -> str:
        """The first 12 digits of the id."""
        return self.id[:12]

    @property
    def label(self) -> str:
        """For people: ``digits-a · resnet14 · 98.9 %``."""
        return f"{self.name} · {self.architecture} · {100 * self.accuracy:.1f} %"

    def record(self) -> dict[str, Any]:
        """All but the module, as JSON knows it."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "module"}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Network:
        """The inverse of `record`."""
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**made)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N,C,H,W) on any device to the float32 input of the module: (x / 255 − mean) / std."""
        mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (self.mean, self.std))
        return (images.float() / 255 - mean) / std


def list_networks(store: Store) -> list[Network]:
    """All networks of the store without their modules, oldest first; damaged records are left out."""
    records = (store.intact(ROOM, key) for key in store.keys(ROOM))
    return sorted((Network.from_record(r) for r in records if r is not None), key=lambda n: n.created)


def find(store: Store, name_or_id: str) -> Network:
    """The network with this name, id, or beginning of an id (six digits or more), without its module.

    Raises UnknownName; StitchLabError where several ids begin so.
    """
    if re.fullmatch("[0-9a-f]{64}", name_or_id) and (record := store.get(ROOM, name_or_id)) is not None:
        return Network.from_record(record)
    there = list_networks(store)
    if named := [n for n in there if n.name == name_or_id]:
        return named[0]
    begun = [n for n in there if n.id.startswith(name_or_id)] if len(name_or_id) >= 6 else []
    if len(begun) > 1:
        raise StitchLabError(
            f"{name_or_id!r} begins several ids: {', '.join(f'{n.short} ({n.name})' for n in begun)}; give more digits"
        )
    if not begun:
        raise UnknownName("network", name_or_id, (n.name for n in there), HINT)
    return begun[0]


def load(store: Store, name_or_id: str, device: str | torch.device = "cpu") -> Network:
    """The network with its module on ``device``, in eval mode and frozen. Raises as `find`; Damaged."""
    found = find(store, name_or_id)
    return replace(found, module=_module(store.root, found.id, str(device)))


@lru_cache(maxsize=LOADED)
def _module(root: Path, key: str, device: str) -> nn.Module:
    store = Store(root)
    network, tensors = find(store, key), store.get_tensors(ROOM, key)
    if tensors is None:
        raise StitchLabError(f"the weights of {network.name} are missing from {root}; delete it and bring it again")
    module = build(network)
    module.load_state_dict(tensors)
    return frozen(module, device)


def build(network: Network) -> nn.Module:
    """A module of this network's architecture with fresh parameters."""
    return zoo.build(
        network.architecture, classes=len(network.classes), channels=network.channels, size=network.size,
        **network.options,
    )


def frozen(module: nn.Module, device: str | torch.device) -> nn.Module:
    """The module on ``device``, in eval mode, no parameter learning."""
    return module.to(device).eval().requires_grad_(False)


def fingerprint(network: Network, tensors: dict[str, torch.Tensor]) -> str:
    """The id that these weights have as this network: 64 hexadecimal digits."""
    return content_id({
        "architecture": network.architecture, "options": network.options, "classes": network.classes,
        "channels": network.channels, "size": network.size, "mean": network.mean, "std": network.std,
        "tensors": digest(tensors),
    })


def save(store: Store, network: Network, module: nn.Module) -> Network:
    """Keep a module as this network; id and time are filled in.

    Raises StitchLabError where the name is taken, or the same network is there already under another.
    """
    free_name(store, network.name)
    tensors = module.state_dict()
    key = fingerprint(network, tensors)
    if store.has(ROOM, key):
        raise StitchLabError(
            f"exactly this network is in the store already, under the name {find(store, key).name!r}; use that one"
        )
    made = replace(
        network, id=key, created=datetime.now(UTC).isoformat(), module=None,
        origin={**network.origin, "torch": torch.__version__, "python": platform.python_version()},
    )
    store.put_tensors(ROOM, key, tensors)
    store.put(ROOM, key, made.record())
    return replace(made, module=frozen(module, "cpu"))


def rename(store: Store, name_or_id: str, name: str) -> Network:
    """Call a network otherwise; its id and results stay. Raises as `find` and `free_name`."""
    found = find(store, name_or_id)
    free_name(store, name)
    made = replace(found, name=name)
    store.put(ROOM, made.id, made.record())
    return made


def delete(store: Store, name_or_id: str) -> None:
    """Remove a network's record and weights; results computed with it stay. Raises as `find`."""
    store.delete(ROOM, find(store, name_or_id).id)


def free_name(store: Store, name: str) -> None:
    """Raises StitchLabError where no network may be called so: the name is taken, or no proper name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise StitchLabError(
            f"a network's name has 1 to 64 letters, digits, dots, underscores and hyphens; {name!r} came"
        )
    for other in list_networks(store):
        if other.name == name:
            raise StitchLabError(
                f"name {name!r} is taken by network {other.short} ({other.architecture}, {other.data}): choose another"
            )


def accuracy(network: Network, split: Split, device: str | torch.device = "cpu", batch: int = 512) -> float:
    """Share 0..1 of the split's images that the network, loaded on ``device``, puts into their class."""
    if network.module is None:
        raise StitchLabError(f"network {network.name} has no module here; get it with networks.load")
    return training.accuracy(network.module, split, network.prepare, torch.device(device), batch)


def train(
    store: Store, arch: str, data: DataSet, *, name: str | None = None, epochs: int | None = None, seed: int = 0,
    device: str | torch.device = "cpu", options: dict[str, Any] | None = None, report: Report = no_report,
) -> Network:
    """Train a network on a data set's training images and keep it.

    Args:
        store: where it is kept.
        arch: a name of `zoo.REGISTRY`, with ``options``.
        data: what to train and test on.
        name: what to call it; without one it is called after data, architecture and seed.
        epochs: passes over the training images; without a number, what `training.recipe` knows to be enough.
        seed: decides initialisation, order and augmentation.
        device: where to compute.
        report: told epoch and loss after every step. Where it raises, nothing is kept.

    Raises StitchLabError, before any training, where the name is taken or the images do not fit.
    """
    name = name or _some_name(store, f"{data.label}-{arch}-s{seed}")
    if epochs is not None and epochs < 1:
        raise StitchLabError(f"training needs at least 1 epoch; {epochs} came")
    how = training.recipe(zoo.architecture(arch).optimiser, len(data.train), epochs)
    mean, std = training.channel_statistics(data.train)
    network = _draft(store, name, arch, options, data, mean, std)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(checked_seed(seed))
        module = build(network)
    started = time.monotonic()
    training.fit(module, data, network.prepare, how, seed=seed, device=torch.device(device), report=report)
    origin = {"how": "trained", "seconds": round(time.monotonic() - started, 2), "device": str(device), **asdict(how)}
    return _measured(store, replace(network, seed=seed, origin=origin), module, data, device)


def import_weights(
    store: Store, path: str | Path, *, arch: str, data: DataSet, name: str, mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None, classes: int | None = None, options: dict[str, Any] | None = None,
    device: str | torch.device = "cpu", report: Report = no_report,
) -> Network:
    """Bring somebody's weights into the store and measure them on ``data``.

    Args:
        store: where they are kept.
        path: safetensors, or a torch state dict (see `importing.read_weights`).
        arch: a name of `zoo.REGISTRY`, with ``options``.
        data: what they were trained on, or something with the same classes.
        name: what to call the network.
        mean: what it expects to be taken from pixels in 0..1, one number a channel (default 0).
        std: what it expects them to be divided by then (default 1).
        classes: number of outputs, if you want to be sure: it must be that of the data's classes.
        device: where to measure.
        report: told what is being done.

    Raises StitchLabError where anything does not fit; then nothing is kept.
    """
    if classes is not None and classes != len(data.classes):
        raise StitchLabError(f"{data.label} has {len(data.classes)} classes; a network of {classes} outputs was asked")
    network = _draft(store, name, arch, options, data, *importing.preprocessing(mean, std, data.shape[0]))
    report(f"reading {Path(path).name}", 0.0)
    module = build(network)
    importing.put_weights(module, importing.read_weights(Path(path)), len(data.classes), arch)
    report(f"measuring {name} on {data.label}", 0.5)
    origin = {"how": "imported", "file": Path(path).name}
    return _measured(store, replace(network, origin=origin), module, data, device)


def _draft(
    store: Store, name: str, arch: str, options: dict[str, Any] | None, data: DataSet,
    mean: tuple[float, ...], std: tuple[float, ...],
) -> Network:
    """A network that is not trained, measured or kept yet; all that can be refused beforehand is refused here."""
    free_name(store, name)
    channels, height, width = data.shape
    if height != width:
        raise StitchLabError(
            f"networks here take square images; {data.label} has {height}×{width}. Bring them to one: folder:PATH@SIZE"
        )
    return Network(
        name=name, architecture=arch, options=zoo.resolve(arch, options), classes=data.classes, channels=channels,
        size=height, mean=mean, std=std, data=data.name, data_fingerprint=data.fingerprint, origin={},
    )


def _measured(
    store: Store, network: Network, module: nn.Module, data: DataSet, device: str | torch.device
) -> Network:
    network = replace(network, module=frozen(module, device))
    return save(store, replace(network, accuracy=accuracy(network, data.test, device)), module)


def _some_name(store: Store, wish: str) -> str:
    """A free name close to the wish."""
    wish = re.sub(r"[^A-Za-z0-9._-]+", "-", wish).lower()[:60]
    taken = {network.name for network in list_networks(store)}
    names = (wish if k == 1 else f"{wish}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken)
