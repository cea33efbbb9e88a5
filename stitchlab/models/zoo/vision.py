"""Builds torchvision's classification networks by name, ``torchvision/resnet50``: fresh, or with published weights.

Marcel & Rodriguez 2010, "Torchvision the machine-vision package of Torch"; its documentation names each one's paper.
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

#: What a family is built with beside the number of classes; auxiliary classifiers play no part in the logits.
_BUILT = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}
_UNUSED = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
#: These two bring images from the usual mean and deviation to their own by themselves, unless they are given so.
_HALF = {"googlenet", "inception_v3"}


class Published(NamedTuple):
    """Holds weights that somebody published, with all that belongs to them.

    ``resize`` is the shorter side before the centre ``size``×``size`` is cut out, ``mean`` and ``std`` those of pixels
    in 0..1.
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
    """List all of torchvision's classification networks: ``torchvision/alexnet``, …"""
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
        weights: what torchvision calls them: ``DEFAULT``, ``IMAGENET1K_V1``, …
        folder: where their files lie.
        download: fetch the file if it is not there.

    Raises UnknownName; StitchLabError where they are not there, or cannot be fetched.
    """
    short = architecture(name).name.removeprefix(TORCHVISION)
    there = torchvision.models.get_model_weights(short)
    if weights not in there.__members__:
        raise UnknownName(f"published weights of {name}", weights, there.__members__, "Or give a file")
    chosen = there[weights]
    file = folder / chosen.url.rpartition("/")[2]
    if not file.exists() and not download:
        raise StitchLabError(
            f"{weights} of {name} is not on this machine (looked for {file}) and is downloaded only on request: add "
            "--download, or put the file there"
        )
    try:
        tensors = chosen.get_state_dict(model_dir=str(folder), progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # no network, no such file any more, a broken one
        raise StitchLabError(
            f"{weights} of {name} could not be downloaded from {chosen.url} ({' '.join(str(error).split())[:120]}); "
            f"connect this machine to the network, or put the file into {folder}"
        ) from error
    how = chosen.transforms()
    mean, std = ((0.5,) * 3,) * 2 if short in _HALF else (tuple(how.mean), tuple(how.std))
    return Published(
        tensors,
        tuple(chosen.meta["categories"]),
        how.crop_size[0],
        how.resize_size[0],
        how.interpolation.value,
        mean,
        std,
    )


def categories(name: str) -> tuple[str, ...]:
    """Name the classes of the published weights of ``torchvision/NAME``."""
    weights = torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT
    return tuple(weights.meta["categories"])


def _build(name: str, classes: int, channels: int, size: int) -> nn.Module:
    more: dict[str, Any] = dict(_BUILT.get(name, {}))
    if name.startswith("vit"):
        more["image_size"] = size
    if name.startswith("maxvit"):
        more["input_size"] = (size, size)
    module: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **more)
    if channels != 3:
        _first_convolution(module, channels)
    return module


def _first_convolution(module: nn.Module, channels: int) -> None:
    """Make the convolution that takes the images take this many channels."""
    path, old = next(_convolutions(module))
    alike: dict[str, Any] = {
        name: getattr(old, name) for name in ("out_channels", "kernel_size", "stride", "padding", "dilation")
    }
    made = nn.Conv2d(channels, **alike, bias=old.bias is not None, device=old.weight.device)
    module.set_submodule(path, made)


def _convolutions(module: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    return ((path, m) for path, m in module.named_modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3)
