"""Picks the device to compute on."""

from __future__ import annotations

import torch

from stitchlab.errors import StitchLabError, UnknownName


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device called auto, cpu, cuda or mps; a device of PyTorch's own is returned as it is.

    Raises UnknownName; StitchLabError where this machine has no such device.
    """
    if isinstance(name, torch.device):
        return name
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, usable in available.items() if usable))
    if name not in available:
        raise UnknownName("device", name, ["auto", *available])
    if not available[name]:
        raise StitchLabError(f"this machine has no {name} device that PyTorch can use; choose --device auto or cpu")
    return torch.device(name)
