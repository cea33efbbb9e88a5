"""Measures how fast this machine computes, in a second: estimates go by it until work like theirs was timed here.

The measure is what nearly all time of a grid goes into: a network's pass forth, and back to its input. It is that of
ResNet-20 on small images, so a network whose arithmetic is of another kind goes faster or slower by some times.
"""

from __future__ import annotations

import os
import platform
import time
from typing import Literal

import torch

from stitchlab.cutting.layered import Layered
from stitchlab.models import zoo
from stitchlab.results.plan import Work
from stitchlab.store import Store

ROOM = "timings"
NOMINAL = 1e-11  # seconds for an operation where nothing was measured and only shares are wanted
STEPS = 5  # of which the fastest counts: others were disturbed
IMAGES = {"cpu": 64}  # run together; more on a GPU, which as few would not fill
SHAPE = (3, 32, 32)


def key(work: Work | Literal["machine"], device: torch.device, end: str) -> str:
    """Name the rate of a kind of work on this machine.

    Args:
        work: ``tlm``, ``dm``, ``functional``, ``indices``, ``accuracy``; ``machine`` for its own measure.
        device: that it is done on.
        end: id of the end network; empty: of any.
    """
    return f"{platform.node()}-{device.type}-{work}-{end[:12]}"


def kept(store: Store, device: torch.device) -> float | None:
    """Read the seconds that one operation takes, if that was measured on this machine."""
    found = store.intact(ROOM, key("machine", device, ""))
    return None if found is None else float(found["seconds_per_flop"])


def rate(store: Store, device: torch.device) -> float:
    """Give the seconds that one operation takes; it is measured once a machine, and kept."""
    found = kept(store, device)
    if found is None:
        found = measured(device)
        store.put(ROOM, key("machine", device, ""), {"seconds_per_flop": found})
    return found


def measured(device: torch.device) -> float:
    """Measure the seconds that one operation takes, and keep nothing.

    That is with as many threads as grids are computed with, which on the pages' worker are others.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("STITCHLAB_GRID_THREADS") or before))
    try:
        count = IMAGES.get(device.type, 512)
        module = zoo.build("resnet20", classes=10, channels=SHAPE[0], size=SHAPE[1]).eval().requires_grad_(False)
        flops = Layered(module, SHAPE).flops
        module = module.to(device).to(memory_format=torch.channels_last)
        images = torch.zeros(count, *SHAPE, device=device).contiguous(memory_format=torch.channels_last)
        return min(_step(module, images.requires_grad_()) for _ in range(STEPS)) / (2 * count * flops)
    finally:
        torch.set_num_threads(before)


def _step(module: torch.nn.Module, images: torch.Tensor) -> float:
    started = time.perf_counter()
    (gradient,) = torch.autograd.grad(module(images).sum(), images)
    gradient.sum().item()  # a GPU has computed only when somebody looks
    return time.perf_counter() - started
