"""Builds torchvision's classification networks by name (``torchvision/resnet50``), fresh or with published weights.

Marcel & Rodriguez 2010, "Torchvision the machine-vision package of Torch"; its documentation cites the papers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torchvision
from torch import nn

from stitchlab.catalog.architectures import TORCHVISION, optimiser_of_torchvision
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.zoo.base import Architecture

#: Further arguments of the networks with auxiliary classifiers, which have no effect on the logits.
_ARGUMENTS = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}
_UNUSED = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
#: Their published weights expect mean and standard deviation .5; torchvision converts the usual scaling inside them.
_SCALED_BY_HALF = {"googlenet", "inception_v3"}


class Published(NamedTuple):
    """Holds published weights with their classes and preprocessing.

    The shorter side is resized to ``resize``, then the centre ``size``×``size`` cropped; ``mean`` and ``std`` are for
    pixels in 0..1.
    """

    tensors: dict[str, torch.Tensor]
    classes: tuple[str, ...]
    size: int
    resize: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """List the names of all classification networks of torchvision: ``torchvision/alexnet``, …"""
    return tuple(TORCHVISION + name for name in torchvision.models.list_models(module=torchvision.models))


def architecture(name: str) -> Architecture:
    """Find the architecture ``torchvision/NAME``. Raises UnknownName."""
    if name not in names():
        raise UnknownName("architecture", name, names())
    short = name.removeprefix(TORCHVISION)
    default = torchvision.models.get_model_weights(short).DEFAULT
    return Architecture(
        name=name,
        label=f"{short} (torchvision)",
        build=partial(_build, short),
        reference=f"torchvision {torchvision.__version__}",
        optimiser=optimiser_of_torchvision(short),
        size=default.transforms().crop_size[0],
        unused=_UNUSED.get(short, ()),
    )


def published(name: str, weights: str, folder: Path, download: bool) -> Published:
    """Get the published weights of ``torchvision/NAME``.

    Args:
        name: of the architecture.
        weights: torchvision's name of them: ``DEFAULT``, ``IMAGENET1K_V1``, …
        folder: where the files of weights are.
        download: whether to download a missing file.

    Raises:
        UnknownName: there are no such weights.
        StitchLabError: the file is missing, or cannot be downloaded.
    """
    short = architecture(name).name.removeprefix(TORCHVISION)
    available = torchvision.models.get_model_weights(short)
    if weights not in available.__members__:
        raise UnknownName(f"published weights of {name}", weights, available.__members__, "Or give a file")
    entry = available[weights]
    file = folder / entry.url.rpartition("/")[2]
    if not file.exists() and not download:
        raise StitchLabError(
            f"{weights} of {name} is not on this machine (looked for {file}) and is downloaded only on request: add "
            "--download, or put the file there"
        )
    try:
        tensors = entry.get_state_dict(model_dir=str(folder), progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # no network, or the file is broken or no longer on the server
        raise StitchLabError(
            f"{weights} of {name} could not be downloaded from {entry.url} ({' '.join(str(error).split())[:120]}); "
            f"connect this machine to the network, or put the file into {folder}"
        ) from error
    preprocessing = entry.transforms()
    mean, std = ((0.5,) * 3,) * 2 if short in _SCALED_BY_HALF else (tuple(preprocessing.mean), tuple(preprocessing.std))
    return Published(
        tensors,
        tuple(entry.meta["categories"]),
        preprocessing.crop_size[0],
        preprocessing.resize_size[0],
        preprocessing.interpolation.value,
        mean,
        std,
    )


def categories(name: str) -> tuple[str, ...]:
    """Name the classes of the published weights of ``torchvision/NAME``."""
    weights = torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT
    return tuple(weights.meta["categories"])


def _build(name: str, classes: int, channels: int, size: int) -> nn.Module:
    arguments: dict[str, Any] = dict(_ARGUMENTS.get(name, {}))
    if name.startswith("vit"):
        arguments["image_size"] = size
    if name.startswith("maxvit"):
        arguments["input_size"] = (size, size)
    module: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **arguments)
    if channels != 3:
        _replace_first_convolution(module, channels)
    return module


def _replace_first_convolution(module: nn.Module, channels: int) -> None:
    """Replace the convolution that takes RGB images by one that takes this many channels."""
    path, old = next(_convolutions_of_rgb(module))
    same: dict[str, Any] = {
        name: getattr(old, name) for name in ("out_channels", "kernel_size", "stride", "padding", "dilation")
    }
    new = nn.Conv2d(channels, **same, bias=old.bias is not None, device=old.weight.device)
    module.set_submodule(path, new)


def _convolutions_of_rgb(module: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    return ((path, m) for path, m in module.named_modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3)
