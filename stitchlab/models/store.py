"""Builds, loads and saves networks with their weights; `stitchlab.results.networks` has their records."""

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

from stitchlab.data.splits import BATCH, Split, batch_size_for
from stitchlab.errors import StitchLabError
from stitchlab.models import train as training
from stitchlab.models import zoo
from stitchlab.models.device import pick_device
from stitchlab.models.seeded import Seeded
from stitchlab.models.tensors import digest, get_tensors, put_tensors
from stitchlab.models.zoo import Architecture
from stitchlab.models.zoo.own import unchanged_architecture
from stitchlab.request import Report, content_id, no_report
from stitchlab.results.networks import ROOM, Network, check_name_free, find
from stitchlab.results.version import VERSION
from stitchlab.store import Store, store_or_default

MAX_LOADED_NETWORKS = 8  # that stay in the memory of this process


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedNetwork(Network):
    """Represents a network with its module, in eval mode and with frozen parameters."""

    module: nn.Module = field(repr=False)

    @classmethod
    def of(cls, network: Network, module: nn.Module) -> LoadedNetwork:
        """Combine a network's record with its module."""
        return cls(**{**vars(network), "module": module})


def prepare(network: Network, images: torch.Tensor) -> torch.Tensor:
    """Turn pixels 0..255 (N,C,H,W), uint8 or float, on any device, into the float32 input of a network's module.

    Grey images are repeated for a network that takes colour, and colour images made grey (ITU-R BT.601) for one that
    takes grey. Then they are resized to the network's size, and scaled: (x / 255 − mean) / std.
    """
    if images.shape[1] != network.channels:
        images = images.expand(-1, 3, -1, -1) if network.channels == 3 else transforms.rgb_to_grayscale(images)
    if network.resize is not None:
        interpolation = InterpolationMode(network.interpolation)
        images = transforms.resize(images, [network.resize], interpolation, antialias=True)
        images = transforms.center_crop(images, [network.size, network.size])
    elif images.shape[2:] != (network.size, network.size):
        images = transforms.resize(images, [network.size, network.size], antialias=True)
    mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (network.mean, network.std))
    return (images.float() / 255 - mean) / std


def load(name_or_id: str, store: Store | None = None, *, device: str | torch.device = "auto") -> LoadedNetwork:
    """Load a network with its module, in eval mode and frozen.

    Args:
        name_or_id: of the network.
        store: where the network is; default is `Store()`.
        device: of the module: auto, cpu, cuda, mps or one of PyTorch's own.

    Raises:
        UnknownName: no network has this name.
        Damaged: one of its files does not match its checksum.
        StitchLabError: its weights or its code are missing, or this machine has no such device.
    """
    store = store_or_default(store)
    network = find(store, name_or_id)
    return LoadedNetwork.of(network, _module(store.root, network.id, str(pick_device(device))))


@lru_cache(maxsize=MAX_LOADED_NETWORKS)
def _module(root: Path, network_id: str, device: str) -> nn.Module:
    store = Store(root)
    network, tensors = find(store, network_id), get_tensors(store, ROOM, network_id)
    if tensors is None:
        raise StitchLabError(
            f"the weights of {network.name} are missing from {root}; delete the network and make it again"
        )
    module = build(network)
    module.load_state_dict(tensors)
    return freeze(module, device)


def architecture(network: Network) -> Architecture:
    """Find the architecture that builds a network.

    Raises StitchLabError where the user's code has changed, or timm is not installed.
    """
    if network.code is not None:
        return unchanged_architecture(network.architecture, network.code)
    return zoo.architecture(network.architecture)


def build(network: Network, builder: Architecture | None = None) -> nn.Module:
    """Build a module of this network's architecture, whose weights are to be replaced or do not matter."""
    return build_fresh(network, builder or architecture(network), 0)


def build_fresh(network: Network, builder: Architecture, seed: int) -> nn.Module:
    """Build a module of this architecture with initial weights drawn from a seed; other threads do not affect them.

    Args:
        network: the record, with the classes, channels, size and options to build for.
        builder: its architecture.
        seed: of the weights.

    Returns:
        a module on the CPU, in training mode.

    Raises:
        StitchLabError: images or options do not fit, or building it fails.
    """
    with torch.device("cpu"), Seeded(seed):
        return zoo.build(builder, **arguments(network))


def arguments(network: Network) -> dict[str, Any]:
    """Return the arguments with which `stitchlab.models.zoo.build` builds the network."""
    return {"classes": len(network.classes), "channels": network.channels, "size": network.size, **network.options}


def freeze(module: nn.Module, device: str | torch.device) -> nn.Module:
    """Move the module to ``device``, put it into eval mode and freeze its parameters; return it."""
    return module.to(device).eval().requires_grad_(False)


def fingerprint(network: Network, tensors: dict[str, torch.Tensor]) -> str:
    """Compute the id of this network with these weights: 64 hexadecimal digits."""
    optional: dict[str, Any] = {}  # keys of later versions; left out where empty, so that older networks keep their ids
    if network.resize is not None:
        optional["resize"] = [network.resize, network.interpolation]
    if network.code is not None:
        optional["code"] = network.code.sha256
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
            **optional,
        }
    )


def save(store: Store, network: Network, module: nn.Module, replaced: Network | None = None) -> LoadedNetwork:
    """Save a module as this network; id, time and number of parameters are filled in.

    Args:
        store: where to save it.
        network, module: the record, and the module with the weights.
        replaced: an existing network that may have the same name or be the same; the caller deletes it afterwards.

    Returns:
        the saved network, with its module on the CPU, frozen.

    Raises:
        StitchLabError: another network has this name or is the same; or a tensor cannot be saved.
    """
    if replaced is None:
        check_name_free(store, network.name)
    tensors = module.state_dict()
    network_id = fingerprint(network, tensors)
    existing = store.intact(ROOM, network_id)
    if existing is not None and (replaced is None or replaced.id != network_id):
        raise StitchLabError(
            f"exactly this network is in the store already, under the name {existing['name']!r}; use that one"
        )
    saved = replace(
        network,
        id=network_id,
        created=datetime.now(UTC).isoformat(),
        parameters=sum(p.numel() for p in module.parameters()),
        origin={
            **network.origin,
            "stitchlab": VERSION,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )
    put_tensors(store, ROOM, network_id, tensors)
    store.put(ROOM, network_id, saved.record())
    return LoadedNetwork.of(saved, freeze(module, "cpu"))


def try_saving(store: Store, module: nn.Module) -> None:
    """Write a module's weights, read them back, and remove them again.

    Raises StitchLabError where the weights could not be saved, so that this is known before the training.
    """
    key = f"trial-{uuid.uuid4().hex}"
    try:
        put_tensors(store, ROOM, key, module.state_dict())
        module.load_state_dict(get_tensors(store, ROOM, key) or {})
    except StitchLabError:
        raise
    except Exception as error:  # a user's module may raise anything
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
    """Count how many images of each class a network assigns to each class.

    Args:
        network: with its module.
        split: the images.
        device: where the module is.
        report: receives the progress.

    Returns:
        int64 (classes, classes): rows are the images' labels, columns the network's predictions.
    """
    return training.confusion(
        network.module,
        split,
        partial(prepare, network),
        torch.device(device),
        len(network.classes),
        batch_size_for(BATCH, network.size),
        report,
    )
