"""Sets how precisely things are computed: full float32 on CUDA, and float64 where a device has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


@contextlib.contextmanager
def fp32() -> Iterator[None]:
    """Compute in full float32 on CUDA: TF32 would make the same request give other numbers on other cards."""
    was = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = was


def exact(x: Tensor) -> Tensor:
    """Turn x into float64, on the CPU where its device has none (mps)."""
    return x.to(precise(x)).double()


def precise(x: Tensor) -> torch.device:
    """Find the device on which x can be had in float64."""
    return torch.device("cpu") if x.device.type == "mps" else x.device
