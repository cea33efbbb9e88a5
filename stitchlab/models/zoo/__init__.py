"""Builds the architectures of the catalog, one family a file, and those of torchvision, timm and the user by name.

All take grey or RGB images and any number of classes. Those of the registry are plain torch.fx-traceable PyTorch: no
control flow on shapes, no in-place activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from stitchlab.catalog.architectures import ARCHITECTURES, TIMM, TORCHVISION
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.seeded import Seeded
from stitchlab.models.zoo import mlp, own, timm_models, vision, vit
from stitchlab.models.zoo.base import Architecture
from stitchlab.models.zoo.noise import Noise
from stitchlab.models.zoo.resnet import cifar, resnet18
from stitchlab.models.zoo.tiny10 import Tiny10

__all__ = ["REGISTRY", "Architecture", "architecture", "build", "known", "public", "sketch"]

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "tiny10": Tiny10,
    "resnet14": cifar(14),
    "resnet20": cifar(20),
    "resnet18": resnet18,
    "vit-tiny": vit.vit(4, 192, 12, 3),
    "vit-nano": vit.vit(2, 64, 6, 4),
    "mlp": mlp.mlp,
    "noise": Noise,
}
REGISTRY = {name: Architecture.of(entry, _BUILDERS[name]) for name, entry in ARCHITECTURES.items()}


def architecture(name: str) -> Architecture:
    """Find an architecture by name.

    That is one of `REGISTRY`, ``torchvision/NAME``, ``timm/NAME``, or of the user's own code, ``module:callable`` or
    ``FILE.py:callable``, which is run.

    Raises UnknownName; StitchLabError where timm is not installed, or the user's code cannot be run.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    if name.startswith(TORCHVISION):
        return vision.architecture(name)
    if name.startswith(TIMM):
        return timm_models.architecture(name)
    if ":" in name:
        return own.architecture(name)
    raise UnknownName("architecture", name, known(), "torchvision/NAME gives torchvision's")


def known() -> list[str]:
    """List the names of the registry and of torchvision's classification networks."""
    return [*REGISTRY, *vision.names()]


def public(name: str) -> str:
    """Return the name if it is one of `known`: what may come from a page. Raises UnknownName."""
    if name not in known():
        raise UnknownName("architecture", name, known(), "Own code is run from the command line only")
    return name


def build(arch: str | Architecture, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """Build a network of this architecture with fresh parameters, on the CPU, in training mode.

    Args:
        arch: see `architecture`.
        classes: number of outputs.
        channels: 1 (grey) or 3 (RGB).
        size: pixels a side of the images, which are square.
        options: see `Architecture.resolve`.

    Raises UnknownName; StitchLabError where an option or the images do not fit, or building it fails.
    """
    found = architecture(arch) if isinstance(arch, str) else arch
    made = found.resolve(options)
    found.check_size(size)
    try:
        return found.build(classes=classes, channels=channels, size=size, **made)
    except StitchLabError:
        raise
    except (Exception, SystemExit) as error:  # of the user's own code anything may come, of torchvision's an assertion
        line = (str(error).splitlines() or [""])[0]
        raise StitchLabError(
            f"{found.name} could not be built for {classes} classes and images of {channels}×{size}×{size}: "
            f"{type(error).__name__}: {line}"
        ) from error


def sketch(arch: str | Architecture, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """Build a network without any numbers (on the meta device), in eval mode: shapes cost neither time nor memory.

    The user's own code, and timm's networks, are built as they are: whether tracing them froze anything that Python
    decides shows only in numbers.

    Args:
        arch, classes, channels, size, options: as for `build`.

    Raises:
        UnknownName: there is no such architecture.
        StitchLabError: an option or the images do not fit, or building it fails.
    """
    found = architecture(arch) if isinstance(arch, str) else arch
    what: dict[str, Any] = {"classes": classes, "channels": channels, "size": size, **options}
    if found.code is not None or found.name.startswith(TIMM):
        with Seeded(0):
            return build(found, **what).eval()
    try:
        with torch.device("meta"), _Unfilled():
            return build(found, **what).eval()
    except StitchLabError:  # some count with tensors while they are built
        with _NoNumbers(), _Unfilled():
            return build(found, **what).eval().to("meta")


class _NoNumbers(TorchFunctionMode):
    """Puts what parameters are made of on the meta device; all else is computed as usual."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **{**(kwargs or {}), **({"device": "meta"} if func is torch.empty else {})})


_FILLS = {
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
    *(torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_, torch.Tensor.erfinv_),
}


class _Unfilled(TorchFunctionMode):
    """What has no numbers is not filled with any: PyTorch takes longer over that than over all else of a sketch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in _FILLS and (tensor := args[0] if args else given["tensor"]).is_meta:
            return tensor
        return func(*args, **given)
