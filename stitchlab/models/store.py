"""Builds, loads and keeps networks with their weights. Their records are `stitchlab.results.networks`."""

from __future__ import annotations

import platform
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from stitchlab.data.splits import BATCH, Split, at_once
from stitchlab.errors import StitchLabError
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.device import pick_device
from stitchlab.models.seeded import Seeded
from stitchlab.models.tensors import digest, get_tensors, put_tensors
from stitchlab.models.zoo import Architecture
from stitchlab.models.zoo.own import again
from stitchlab.request import Report, content_id, no_report
from stitchlab.results.networks import ROOM, Network, check_name_free, find
from stitchlab.results.version import VERSION
from stitchlab.store import Store, given

LOADED = 8  # networks that stay loaded in this process


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedNetwork(Network):
    """Represents a network with its module, which is in eval mode with all parameters frozen."""

    module: nn.Module = field(repr=False)

    @classmethod
    def of(cls, network: Network, module: nn.Module) -> LoadedNetwork:
        """Put a record and its module together."""
        return cls(**{**vars(network), "module": module})


def prepare(network: Network, images: torch.Tensor) -> torch.Tensor:
    """Turn pixels 0..255 (N,C,H,W), uint8 or float, on any device, into the float32 input of a network's module.

    Grey images are repeated for a network of colour ones, and colour ones made grey (ITU-R BT.601); then they are
    brought to the network's size, and scaled: (x / 255 − mean) / std.
    """
    if images.shape[1] != network.channels:
        images = images.expand(-1, 3, -1, -1) if network.channels == 3 else transforms.rgb_to_grayscale(images)
    if network.resize is not None:
        how = InterpolationMode(network.interpolation)
        images = transforms.resize(images, [network.resize], how, antialias=True)
        images = transforms.center_crop(images, [network.size, network.size])
    elif images.shape[2:] != (network.size, network.size):
        images = transforms.resize(images, [network.size, network.size], antialias=True)
    mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (network.mean, network.std))
    return (images.float() / 255 - mean) / std


def load(name_or_id: str, store: Store | None = None, *, device: str | torch.device = "auto") -> LoadedNetwork:
    """Load the network with its module, in eval mode and frozen.

    Args:
        name_or_id: of the network.
        store: where it is kept; default is `Store()`.
        device: where its module goes: auto, cpu, cuda, mps or PyTorch's own.

    Raises:
        UnknownName: no network has this name.
        Damaged: a file of it does not match its checksum.
        StitchLabError: its weights or its code are missing, or this machine has no such device.
    """
    store = given(store)
    found = find(store, name_or_id)
    return LoadedNetwork.of(found, _module(store.root, found.id, str(pick_device(device))))


@lru_cache(maxsize=LOADED)
def _module(root: Path, key: str, device: str) -> nn.Module:
    store = Store(root)
    network, tensors = find(store, key), get_tensors(store, ROOM, key)
    if tensors is None:
        raise StitchLabError(
            f"the weights of {network.name} are missing from {root}; delete the network and make it again"
        )
    module = build(network)
    module.load_state_dict(tensors)
    return frozen(module, device)


def architecture(network: Network) -> Architecture:
    """Find what builds a network. Raises StitchLabError where the user's code has changed, or timm is not installed."""
    return zoo.architecture(network.architecture) if network.code is None else again(network.architecture, network.code)


def build(network: Network, found: Architecture | None = None) -> nn.Module:
    """Build a module of this network's architecture with some parameters, to be replaced or not to be looked at."""
    return fresh(network, found or architecture(network), 0)


def fresh(network: Network, found: Architecture, seed: int) -> nn.Module:
    """Build a module of this architecture with the parameters that a seed stands for, whatever other threads draw.

    Args:
        network: the record, with the classes, channels, size and options that it is built for.
        found: its architecture.
        seed: of the parameters.

    Returns:
        a module on the CPU, in training mode.

    Raises:
        StitchLabError: images or options do not fit, or building it fails.
    """
    with torch.device("cpu"), Seeded(seed):
        return zoo.build(found, **arguments(network))


def arguments(network: Network) -> dict[str, Any]:
    """List the arguments that its architecture is built with."""
    return {"classes": len(network.classes), "channels": network.channels, "size": network.size, **network.options}


def frozen(module: nn.Module, device: str | torch.device) -> nn.Module:
    """Move the module to ``device``, put it into eval mode and freeze its parameters; return it."""
    return module.to(device).eval().requires_grad_(False)


def fingerprint(network: Network, tensors: dict[str, torch.Tensor]) -> str:
    """Compute the id that these weights have as this network: 64 hexadecimal digits."""
    more: dict[str, Any] = {}  # only where it is there: ids of networks without it stay what they were
    if network.resize is not None:
        more["resize"] = [network.resize, network.interpolation]
    if network.code is not None:
        more["code"] = network.code.sha256
    return content_id(
        {
            "architecture": network.architecture,
            "options": network.options,
            "classes": network.classes,
            "channels": network.channels,
            "size": network.size,
            "mean": network.mean,
            "std": network.std,
            "tensors": digest(tensors),
            **more,
        }
    )


def save(store: Store, network: Network, module: nn.Module, replaced: Network | None = None) -> LoadedNetwork:
    """Keep a module as this network; id, time and number of parameters are filled in.

    Args:
        store: where to keep it.
        network, module: its record, and what has its weights.
        replaced: a network that may hold its name, or be the very same; whoever replaces it deletes it then.

    Returns:
        it, with its module on the CPU, frozen.

    Raises:
        StitchLabError: another network has the name, or is the same; or a tensor cannot be kept.
    """
    if replaced is None:
        check_name_free(store, network.name)
    tensors = module.state_dict()
    key = fingerprint(network, tensors)
    if (there := store.intact(ROOM, key)) is not None and (replaced is None or replaced.id != key):
        raise StitchLabError(
            f"exactly this network is in the store already, under the name {there['name']!r}; use that one"
        )
    made = replace(
        network,
        id=key,
        created=datetime.now(UTC).isoformat(),
        parameters=sum(p.numel() for p in module.parameters()),
        origin={
            **network.origin,
            "stitchlab": VERSION,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )
    put_tensors(store, ROOM, key, tensors)
    store.put(ROOM, key, made.record())
    return LoadedNetwork.of(made, frozen(module, "cpu"))


def try_saving(store: Store, module: nn.Module) -> None:
    """Write a module's weights, read them back, and remove them again.

    Raises StitchLabError, in one line, where they could not be kept: to be found out before they are trained.
    """
    key = f"trial-{uuid.uuid4().hex}"
    try:
        put_tensors(store, ROOM, key, module.state_dict())
        module.load_state_dict(get_tensors(store, ROOM, key) or {})
    except StitchLabError:
        raise
    except Exception as error:  # whatever a user's module does with its own state
        line = (str(error).splitlines() or [""])[0]
        raise StitchLabError(
            f"{type(module).__name__} does not load what it saves, so that it could not be kept after "
            f"training: {type(error).__name__}: {line}"
        ) from error
    finally:
        store.delete(ROOM, key)


def confusion(
    network: LoadedNetwork, split: Split, device: str | torch.device = "cpu", report: Report = no_report
) -> torch.Tensor:
    """Count how many images of each class a network puts into each class.

    Args:
        network: with its module.
        split: the images.
        device: where its module is.
        report: told how much is measured.

    Returns:
        int64 (classes, classes): rows are the images' classes, columns the network's.
    """
    return training.confusion(
        network.module,
        split,
        partial(prepare, network),
        torch.device(device),
        len(network.classes),
        at_once(BATCH, network.size),
        report,
    )
