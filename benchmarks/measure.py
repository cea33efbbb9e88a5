"""Measures times and memory, each in a process of its own, so that no measurement uses another's caches or memory."""

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

DEFAULT_REPEATS = 5


class Skipped(Exception):
    """Raised where a row cannot be measured on this machine; the message says what is missing."""


@dataclass
class Row:
    """Represents a line of the table.

    ``ratio`` is the baseline's time divided by ours; in row g the share of the limit, in row f the number that ``what``
    names, and in the rows about the app, from i on, ours divided by the baseline's. ``ours_peak_mb`` is the memory in
    addition to what the process had before; in row i all memory of a process.
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
    """Holds the seconds of each repeat, the peak of additional memory (MB), and the result of the measured work."""

    seconds: list[float]
    peak_mb: float | None = None
    result: Any = None

    @property
    def median(self) -> float:
        """Return the median of the repeats."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """Describe the range of the repeats, from the fastest to the slowest."""
        return f"{min(self.seconds):.3g}–{max(self.seconds):.3g} s of {len(self.seconds)}"


def in_own_process(work: Callable[..., Measured], *arguments: Any) -> Measured:
    """Run a measurement in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def timed(work: Callable[[], Any], device: torch.device, repeats: int = DEFAULT_REPEATS, warm_ups: int = 1) -> Measured:
    """Time repeated calls of a function.

    Args:
        work: the function.
        device: whose memory is measured; a GPU is waited for after each call.
        repeats, warm_ups: number of calls that are timed, and of calls before them that are not.

    Returns:
        the measurement; its ``result`` is that of the last call.
    """
    before = _reset_peak(device)
    for _ in range(warm_ups):
        work()
    finish(device)
    seconds, result = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        finish(device)
        seconds.append(time.perf_counter() - started)
    return Measured(seconds, _peak_mb(device, before), result)


def finish(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _reset_peak(device: torch.device) -> float | None:
    """Reset the peak of memory, and return the memory in use in MB; None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 1e6
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # on Linux this resets the peak
    except OSError:
        return None
    return _process_mb("VmRSS")


def _peak_mb(device: torch.device, before: float | None) -> float | None:
    if before is None:
        return None
    now = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else _process_mb("VmHWM")
    return now - before


def _process_mb(field: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1e3 for line in file if line.startswith(field))


def machine(device: torch.device) -> dict[str, Any]:
    """Describe this machine and the versions of the libraries."""
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
    """Write the rows as a text table."""
    lines = [("row", "what", "baseline", "ours", "baseline", "ratio", "peak")]
    lines += [
        (
            r.row,
            r.what,
            r.baseline,
            _text(r.ours_s, ".4g", " s"),
            _text(r.baseline_s, ".4g", " s"),
            _text(r.ratio, ".3g"),
            _text(r.ours_peak_mb, ".0f", " MB"),
        )
        for r in rows
    ]
    widths = [max(len(line[k]) for line in lines) for k in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _text(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"
