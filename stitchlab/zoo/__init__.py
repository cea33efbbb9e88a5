"""Architectures as a literal registry, one family a file; all take grey or RGB images and any number of classes.

Every network is plain torch.fx-traceable PyTorch: no control flow on shapes, no in-place activation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.zoo.resnet import cifar, resnet18
from stitchlab.zoo.tiny10 import Tiny10
from stitchlab.zoo.vit import vit


@dataclass(frozen=True)
class Architecture:
    """An architecture of the registry.

    ``build(classes, channels, size, **options)`` makes it with fresh parameters; ``options`` are all there are, with
    their defaults. Images of ``smallest`` to ``largest`` pixels a side that are a multiple of ``multiple`` fit.
    ``optimiser`` is what it is trained with here.
    """

    name: str
    label: str
    build: Callable[..., nn.Module]
    reference: str
    options: dict[str, Any] = field(default_factory=dict)
    smallest: int = 1
    largest: int | None = None
    multiple: int = 1
    optimiser: str = "sgd"

    def fits(self, size: int) -> bool:
        """Whether images of ``size``×``size`` pixels fit."""
        return self.smallest <= size <= (self.largest or size) and size % self.multiple == 0


_HE = "He et al. 2016"
_DOSOVITSKIY = "Dosovitskiy et al. 2021"

REGISTRY: dict[str, Architecture] = {
    "tiny10": Architecture("tiny10", "Tiny-10", Tiny10, "Kornblith et al. 2019", smallest=27),
    "resnet14": Architecture("resnet14", "ResNet-14", cifar(14), _HE, smallest=4),
    "resnet20": Architecture("resnet20", "ResNet-20", cifar(20), _HE, smallest=4),
    "resnet18": Architecture("resnet18", "ResNet-18 (3×3 stem)", resnet18, _HE, {"width": 64}, smallest=8),
    "vit-tiny": Architecture("vit-tiny", "ViT-Tiny (patch 4)", vit(4, 192, 12, 3), _DOSOVITSKIY,
                             smallest=8, multiple=4, optimiser="adamw"),
    "vit-nano": Architecture("vit-nano", "ViT-Nano (patch 2)", vit(2, 64, 6, 4), _DOSOVITSKIY,
                             smallest=4, largest=16, multiple=2, optimiser="adamw"),
}


def build(arch: str, *, classes: int, channels: int, size: int, **options: Any) -> nn.Module:
    """A network of this architecture with fresh parameters, on the CPU, in training mode.

    Args:
        arch: a name of `REGISTRY`.
        classes: number of outputs.
        channels: 1 (grey) or 3 (RGB).
        size: pixels a side of the images, which are square.
        options: see `resolve`.

    Raises UnknownName; StitchLabError where an option or the images do not fit.
    """
    made = resolve(arch, options)
    known = architecture(arch)
    if not known.fits(size):
        most = f" to {known.largest}" if known.largest else " or more"
        step = f" and a multiple of {known.multiple}" if known.multiple > 1 else ""
        raise StitchLabError(
            f"{arch} takes images of {known.smallest}{most} pixels a side{step}; these have {size}. "
            "Choose another architecture, or bring the images to another size (folder:PATH@SIZE)"
        )
    return known.build(classes=classes, channels=channels, size=size, **made)


def architecture(name: str) -> Architecture:
    """The architecture of this name. Raises UnknownName."""
    if name not in REGISTRY:
        raise UnknownName("architecture", name, REGISTRY)
    return REGISTRY[name]


def resolve(arch: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """All options of an architecture, these over its defaults.

    Raises UnknownName for the architecture; StitchLabError for an option that it does not have or that is no count.
    """
    defaults, options = architecture(arch).options, options or {}
    if unknown := sorted(set(options) - set(defaults)):
        there = f"its options are: {', '.join(defaults)}" if defaults else "it has none"
        raise StitchLabError(f"{arch} has no option {', '.join(unknown)}; {there}")
    for name, value in options.items():
        if type(value) is not int or value < 1:
            raise StitchLabError(f"{arch}'s option {name} is a whole number from 1 on; {value!r} came")
    return {**defaults, **options}
