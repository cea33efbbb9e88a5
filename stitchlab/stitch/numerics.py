"""Set the precision of computations: full float32 on CUDA, and float64 where a device has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


@contextlib.contextmanager
def fp32() -> Iterator[None]:
    """Compute in full float32 on CUDA: with TF32 the same request would give other numbers on other GPUs."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def to_float64(x: Tensor) -> Tensor:
    """Convert x to float64; it moves to the CPU where its device has no float64 (mps)."""
    return x.to(float64_device(x)).double()


def float64_device(x: Tensor) -> torch.device:
    """Return the device of x if it has float64, and the CPU otherwise."""
    return torch.device("cpu") if x.device.type == "mps" else x.device
