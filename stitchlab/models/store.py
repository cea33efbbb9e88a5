"""Networks in the store: what they are, how they are called, found, loaded, and kept.

A network's id is a fingerprint of everything that its outputs depend on: architecture with its options, class names,
input preprocessing, then every tensor. Its name, accuracy and origin are remarks beside that.
"""

from __future__ import annotations

import itertools
import platform
import re
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from stitchlab.data.splits import BATCH, Split, at_once
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.zoo import Architecture, Code
from stitchlab.models.zoo.own import again
from stitchlab.request import Report, content_id, no_report
from stitchlab.store import Store, digest

ROOM = "networks"
MEASURED = "confusions"  # the room of what was counted on test images (`measured_key`)
HINT = "Train one with `python -m stitchlab train`, or bring one with `python -m stitchlab import`"
LOADED = 8  # networks that stay loaded in this process


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network of the store.

    ``id`` has 64 hexadecimal digits. Its input is (``channels``, ``size``, ``size``); ``mean`` and ``std`` belong to
    pixels in 0..1, one number a channel. ``resize`` is the shorter side that images are brought to, by
    ``interpolation``, before the centre is cut out; without it they are brought to ``size`` where they have another.
    ``accuracy`` (0..1) was measured here, on the whole test split of ``data``; None where the data has other classes,
    or nothing was measured. ``origin`` says how it came to be. ``code`` is there where the user's own builds it.
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
    resize: int | None = None
    interpolation: str = "bilinear"
    data: str
    data_fingerprint: str
    accuracy: float | None = None
    parameters: int = 0
    seed: int | None = None
    origin: dict[str, Any]
    created: str = ""
    code: Code | None = None
    module: nn.Module | None = field(default=None, repr=False)

    @property
    def short(self) -> str:
        """The first 12 digits of the id."""
        return self.id[:12]

    @property
    def label(self) -> str:
        """For people: ``digits-a · resnet14 · 98.9 %``."""
        accuracy = "" if self.accuracy is None else f" · {100 * self.accuracy:.1f} %"
        return f"{self.name} · {self.architecture}{accuracy}"

    @property
    def unmeasured(self) -> str:
        """What stands for an accuracy that is None: controls are measured on request only, all others at once."""
        return "not measured" if self.origin.get("how") == "control" else "not defined"

    @property
    def input(self) -> tuple[int, int, int]:
        """(C,H,W) of what the module takes."""
        return (self.channels, self.size, self.size)

    def record(self) -> dict[str, Any]:
        """All but the module, as JSON knows it."""
        made = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "module"}
        return made | {"code": None if self.code is None else asdict(self.code)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Network:
        """The inverse of `record`."""
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**{**made, "code": Code(**made["code"]) if made.get("code") else None})

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Pixels 0..255 (N,C,H,W), uint8 or float, on any device, to the float32 input of the module.

        Grey images are repeated for a network of colour ones, and colour ones made grey (ITU-R BT.601); then they are
        brought to the network's size, and scaled: (x / 255 − mean) / std.
        """
        if images.shape[1] != self.channels:
            images = images.expand(-1, 3, -1, -1) if self.channels == 3 else transforms.rgb_to_grayscale(images)
        if self.resize is not None:
            how = InterpolationMode(self.interpolation)
            images = transforms.resize(images, [self.resize], how, antialias=True)
            images = transforms.center_crop(images, [self.size, self.size])
        elif images.shape[2:] != (self.size, self.size):
            images = transforms.resize(images, [self.size, self.size], antialias=True)
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


def architecture(network: Network) -> Architecture:
    """What builds it. Raises StitchLabError where the user's own code has changed or gone, or timm is not installed."""
    return zoo.architecture(network.architecture) if network.code is None else again(network.architecture, network.code)


def build(network: Network, found: Architecture | None = None) -> nn.Module:
    """A module of this network's architecture with fresh parameters."""
    return zoo.build(found or architecture(network), **arguments(network))


def fresh(network: Network, found: Architecture, seed: int) -> nn.Module:
    """`build` with the parameters that a seed stands for; no other random number is touched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build(network, found)


def arguments(network: Network) -> dict[str, Any]:
    """What its architecture is built with."""
    return {"classes": len(network.classes), "channels": network.channels, "size": network.size, **network.options}


def frozen(module: nn.Module, device: str | torch.device) -> nn.Module:
    """The module on ``device``, in eval mode, no parameter learning."""
    return module.to(device).eval().requires_grad_(False)


def fingerprint(network: Network, tensors: dict[str, torch.Tensor]) -> str:
    """The id that these weights have as this network: 64 hexadecimal digits."""
    more: dict[str, Any] = {}  # only where it is there: ids of networks without it stay what they were
    if network.resize is not None:
        more["resize"] = [network.resize, network.interpolation]
    if network.code is not None:
        more["code"] = network.code.sha256
    return content_id({
        "architecture": network.architecture, "options": network.options, "classes": network.classes,
        "channels": network.channels, "size": network.size, "mean": network.mean, "std": network.std,
        "tensors": digest(tensors), **more,
    })


def save(store: Store, network: Network, module: nn.Module) -> Network:
    """Keep a module as this network; id, time and number of parameters are filled in.

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
        parameters=sum(p.numel() for p in module.parameters()),
        origin={**network.origin, "torch": torch.__version__, "python": platform.python_version()},
    )
    store.put_tensors(ROOM, key, tensors)
    store.put(ROOM, key, made.record())
    return replace(made, module=frozen(module, "cpu"))


def rename(store: Store, name_or_id: str, name: str) -> Network:
    """Call a network otherwise; its id and results stay. Raises as `find` and `free_name`."""
    found = find(store, name_or_id)
    if name != found.name:
        free_name(store, name)
    return remark(store, replace(found, name=name))


def remark(store: Store, network: Network) -> Network:
    """Keep what is said of a network in the store: its name, accuracy, origin."""
    store.put(ROOM, network.id, network.record())
    return network


def delete(store: Store, name_or_id: str) -> Network:
    """Remove a network's record and weights; returns what it was. Results computed with it stay. Raises as `find`."""
    gone = find(store, name_or_id)
    store.delete(ROOM, gone.id)
    store.delete(MEASURED, measured_key(gone))
    return gone


def measured_key(network: Network) -> str:
    """The key of what was counted on the test images of its data."""
    return f"{network.id[:32]}-{network.data_fingerprint[:31]}"


def free_name(store: Store, name: str) -> None:
    """Raises StitchLabError where no network may be called so: the name is taken, or no proper name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise StitchLabError(
            f"a network's name has 1 to 64 letters, digits, dots, underscores and hyphens; {name!r} came"
        )
    if name in zoo.REGISTRY and zoo.REGISTRY[name].optimiser is None:
        raise StitchLabError(f"{name!r} names a control that every comparison offers: choose another name")
    for other in list_networks(store):
        if other.name == name:
            raise StitchLabError(
                f"name {name!r} is taken by network {other.short} ({other.architecture}, {other.data}): choose another"
            )


def some_name(store: Store, wish: str) -> str:
    """A free name close to the wish."""
    wish = re.sub(r"[^A-Za-z0-9._-]+", "-", wish).lower()[:60]
    taken = {network.name for network in list_networks(store)}
    names = (wish if k == 1 else f"{wish}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken)


def confusion(
    network: Network, split: Split, device: str | torch.device = "cpu", report: Report = no_report
) -> torch.Tensor:
    """How many of the split's images of each class (rows) it puts into each (columns): int64 (classes, classes)."""
    if network.module is None:
        raise StitchLabError(f"network {network.name} has no module here; get it with networks.load")
    return training.confusion(network.module, split, network.prepare, torch.device(device), len(network.classes),
                              at_once(BATCH, network.size), report)
