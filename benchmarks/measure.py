"""Measures times and memory, each in a process of its own, so that none inherits another's caches or memory."""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import torch

REPEATS = 5


class Skipped(Exception):
    """Raised where a row cannot be measured here; the message says what is lacking."""


@dataclass
class Row:
    """Represents a line of the table.

    ``ratio`` is baseline over ours; for g the share of the limit, for f what ``what`` says; from i on, about the app,
    ours over the baseline. ``ours_peak_mb`` is memory beyond what was there before; for i all memory of a process.
    """

    row: str
    what: str
    baseline: str
    ours_s: float | None
    baseline_s: float | None
    ratio: float | None
    ours_peak_mb: float | None
    device: str
    spread: str = ""
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class Measured:
    """Holds seconds of repeats after a warm-up, the most memory beyond what was there before (MB), and results."""

    seconds: list[float]
    peak_mb: float | None = None
    found: Any = None

    @property
    def median(self) -> float:
        """Give the median of the repeats."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """Say how far repeats are apart, from the fastest to the slowest."""
        return f"{min(self.seconds):.3g}–{max(self.seconds):.3g} s of {len(self.seconds)}"


def alone(work: Callable[..., Measured], *arguments: Any) -> Measured:
    """Run a measurement in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def timed(work: Callable[[], Any], device: torch.device, repeats: int = REPEATS, warm: int = 1) -> Measured:
    """Time a piece of work, again and again.

    Args:
        work: is called.
        device: whose memory is measured, and which is waited for.
        repeats, warm: tries that count, and tries before them that do not.

    Returns:
        ``found`` is what the last try returned.
    """
    before = _begin(device)
    for _ in range(warm):
        work()
    finish(device)
    seconds, found = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        found = work()
        finish(device)
        seconds.append(time.perf_counter() - started)
    return Measured(seconds, _peak(device, before), found)


def finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _begin(device: torch.device) -> float | None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 1e6
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # Linux: the peak is that from now on
    except OSError:
        return None
    return _status("VmRSS")


def _peak(device: torch.device, before: float | None) -> float | None:
    if before is None:
        return None
    now = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else _status("VmHWM")
    return now - before


def _status(name: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1e3 for line in file if line.startswith(name))


def machine(device: torch.device) -> dict[str, Any]:
    """Describe what this ran on."""
    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "scipy", "scikit-learn")}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(rows: Sequence[Row]) -> str:
    """Write the rows as a table for people."""
    lines = [("row", "what", "baseline", "ours", "baseline", "ratio", "peak")]
    lines += [
        (
            r.row,
            r.what,
            r.baseline,
            _said(r.ours_s, ".4g", " s"),
            _said(r.baseline_s, ".4g", " s"),
            _said(r.ratio, ".3g"),
            _said(r.ours_peak_mb, ".0f", " MB"),
        )
        for r in rows
    ]
    widths = [max(len(line[k]) for line in lines) for k in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _said(value: float | None, how: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{how}}{unit}"
