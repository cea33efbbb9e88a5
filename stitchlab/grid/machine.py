"""Measure how fast this machine computes, within a second; estimates use this rate until similar work was timed here.

It times a forward pass and a backward pass to the input, which take nearly all the time of a grid. The network is
ResNet-20 on small images: networks with other operations may run several times faster or slower per operation.
"""

from __future__ import annotations

import os
import platform
import time
from typing import Literal

import torch

from stitchlab.cutting.layered import Layered
from stitchlab.models import zoo
from stitchlab.results.plan import GridWork
from stitchlab.store import Store

ROOM = "timings"
NOMINAL_SECONDS_PER_FLOP = 1e-11  # if nothing was measured and only relative costs matter
TIMED_STEPS = 5  # the fastest counts, because other processes may slow down the rest
CPU_BATCH = 64  # images that are run together
GPU_BATCH = 512  # more than on a CPU, because 64 images would not fill a GPU
IMAGE_SHAPE = (3, 32, 32)

RateName = GridWork | Literal["machine"]


def key(work: RateName, device: torch.device, end: str) -> str:
    """Return the key of the rate of a kind of work on this machine.

    Args:
        work: ``tlm``, ``dm``, ``functional``, ``indices`` or ``accuracy``; ``machine`` for what this module measures.
        device: where the work is done.
        end: id of the end network; empty for all networks.
    """
    return f"{platform.node()}-{device.type}-{work}-{end[:12]}"


def read_rate(store: Store, rate_key: str) -> float | None:
    """Read seconds per operation under a `key`; return None where the store has no such rate."""
    entry = store.intact(ROOM, rate_key)
    return None if entry is None else float(entry["seconds_per_flop"])


def keep_rate(store: Store, rate_key: str, seconds_per_flop: float) -> None:
    """Keep the seconds per operation of some work.

    Args:
        store: where rates are kept.
        rate_key: the `key` of the rate.
        seconds_per_flop: the rate.
    """
    store.put(ROOM, rate_key, {"seconds_per_flop": seconds_per_flop})


def kept_rate(store: Store, device: torch.device) -> float | None:
    """Read the seconds per operation that were measured on this machine; return None if they were not."""
    return read_rate(store, key("machine", device, ""))


def rate(store: Store, device: torch.device) -> float:
    """Return the seconds per operation on this machine; they are measured once, and kept."""
    seconds_per_flop = kept_rate(store, device)
    if seconds_per_flop is None:
        seconds_per_flop = measure_rate(device)
        keep_rate(store, key("machine", device, ""), seconds_per_flop)
    return seconds_per_flop


def measure_rate(device: torch.device) -> float:
    """Measure the seconds per operation, without keeping them.

    The measurement uses as many threads as the computation of grids, not as many as the worker that answers pages.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("STITCHLAB_GRID_THREADS") or threads_before))
    try:
        count = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        channels, size, _ = IMAGE_SHAPE
        module = zoo.build("resnet20", classes=10, channels=channels, size=size).eval().requires_grad_(False)
        flops = Layered(module, IMAGE_SHAPE).flops
        module = module.to(device).to(memory_format=torch.channels_last)
        images = torch.zeros(count, *IMAGE_SHAPE, device=device).contiguous(memory_format=torch.channels_last)
        return min(_timed_step(module, images.requires_grad_()) for _ in range(TIMED_STEPS)) / (2 * count * flops)
    finally:
        torch.set_num_threads(threads_before)


def _timed_step(module: torch.nn.Module, images: torch.Tensor) -> float:
    """Return the seconds of a forward and a backward pass."""
    started = time.perf_counter()
    (gradient,) = torch.autograd.grad(module(images).sum(), images)
    gradient.sum().item()  # reading a number waits until a GPU has finished
    return time.perf_counter() - started
