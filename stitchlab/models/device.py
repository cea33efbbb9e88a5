"""Picks the device to compute on."""

from __future__ import annotations

import torch

from stitchlab.errors import StitchLabError, UnknownName


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Find the device called auto, cpu, cuda or mps; one of PyTorch's own stays.

    Raises StitchLabError where this machine has none of that kind.
    """
    if isinstance(name, torch.device):
        return name
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, has in there.items() if has))
    if name not in there:
        raise UnknownName("device", name, ["auto", *there])
    if not there[name]:
        raise StitchLabError(f"this machine has no {name} device that PyTorch can use; choose --device auto or cpu")
    return torch.device(name)
