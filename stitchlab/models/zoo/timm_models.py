"""Builds timm's networks by name, ``timm/convnext_atto``, where that optional package is installed (Wightman 2019)."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from torch import nn

from stitchlab.catalog.architectures import TIMM
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.zoo.base import Architecture


def architecture(name: str) -> Architecture:
    """Find the architecture ``timm/NAME``. Raises UnknownName; StitchLabError where timm is not installed."""
    timm, short = _timm(), name.removeprefix(TIMM)
    if not timm.is_model(short):
        raise UnknownName("network of timm", short, timm.list_models())
    config = timm.get_pretrained_cfg(short, allow_unregistered=True)
    size = config.input_size[1] if config is not None else 224
    return Architecture(
        name=name,
        label=f"{short} (timm)",
        build=partial(_build, short),
        reference=f"timm {timm.__version__}",
        optimiser="adamw",
        size=size,
    )


def _build(name: str, classes: int, channels: int, size: int) -> nn.Module:
    make = partial(_timm().create_model, name, pretrained=False, num_classes=classes, in_chans=channels)
    try:
        module: nn.Module = make(img_size=size)
    except TypeError:  # networks that take images of any size have no such parameter
        module = make()
    return module


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise StitchLabError(
            "timm's networks need timm, which is not installed here: pip install timm, or choose torchvision/NAME"
        ) from error
