"""Builds architectures by name: the catalog's (one file per family), torchvision's, timm's, and the user's own.

All take grey or RGB images and any number of classes. Those of the catalog are plain PyTorch that torch.fx can trace:
they have no control flow on shapes and no in-place activations.
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

__all__ = ["REGISTRY", "Architecture", "architecture", "build", "check_public_name", "known_names", "sketch"]

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

    The name is one of `REGISTRY`, ``torchvision/NAME``, ``timm/NAME``, or names the user's own code, which is then run:
    ``module:callable`` or ``FILE.py:callable``.

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
    raise UnknownName("architecture", name, known_names(), "for a torchvision network, write torchvision/NAME")


def known_names() -> list[str]:
    """List the names of the registry and of torchvision's classification networks."""
    return [*REGISTRY, *vision.names()]


def check_public_name(name: str) -> str:
    """Return the name if a page may use it, that is, if it is one of `known_names`. Raises UnknownName."""
    if name not in known_names():
        raise UnknownName("architecture", name, known_names(), "Own code is run from the command line only")
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
    builder = architecture(arch) if isinstance(arch, str) else arch
    options = builder.resolve(options)
    builder.check_size(size)
    try:
        return builder.build(classes=classes, channels=channels, size=size, **options)
    except StitchLabError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything, torchvision's an AssertionError
        line = (str(error).splitlines() or [""])[0]
        raise StitchLabError(
            f"{builder.name} could not be built for {classes} classes and images of {channels}×{size}×{size}: "
            f"{type(error).__name__}: {line}"
        ) from error


def sketch(arch: str | Architecture, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """Build a network of shapes without values (on the meta device), in eval mode: it takes little time and no memory.

    The user's own code and timm's networks are built with values: only values show whether torch.fx has fixed a branch
    of their Python code that depends on the data.

    Args:
        arch, classes, channels, size, options: as for `build`.

    Raises:
        UnknownName: there is no such architecture.
        StitchLabError: an option or the images do not fit, or building it fails.
    """
    builder = architecture(arch) if isinstance(arch, str) else arch
    arguments: dict[str, Any] = {"classes": classes, "channels": channels, "size": size, **options}
    if builder.code is not None or builder.name.startswith(TIMM):
        with Seeded(0):
            return build(builder, **arguments).eval()
    try:
        with torch.device("meta"), _Unfilled():
            return build(builder, **arguments).eval()
    except StitchLabError:  # some constructors compute with values, which meta tensors do not have
        with _EmptyOnMeta(), _Unfilled():
            return build(builder, **arguments).eval().to("meta")


class _EmptyOnMeta(TorchFunctionMode):
    """Redirects torch.empty, by which PyTorch creates parameters, to the meta device; all else is computed as usual."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **{**(kwargs or {}), **({"device": "meta"} if func is torch.empty else {})})


_FILLS = {
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
    *(torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_, torch.Tensor.erfinv_),
}


class _Unfilled(TorchFunctionMode):
    """Skips the filling of tensors on the meta device, which would take most of the time of a sketch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FILLS and (tensor := args[0] if args else kwargs["tensor"]).is_meta:
            return tensor
        return func(*args, **kwargs)
