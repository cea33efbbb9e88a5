"""Decide which workers are started on this machine, and with how many threads each of them computes.

Two workers share the cores and the tasks of a grid. A browser and a server run on the same machine; whenever one of
them displaces a thread of a process, that process's other threads wait for it, whereas another process does not
(measured in benchmarks/README.md). Processes share a GPU badly, so a machine with a GPU has one worker for grids.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import Literal

#: Kinds of tasks. Each is also the Dask resource of the workers that take tasks of that kind.
WorkerKind = Literal["grid", "pages", "data"]

CPU_CORES = os.cpu_count() or 1


def _gpu() -> bool:
    """Guess whether this machine has a GPU that PyTorch can use, without importing PyTorch."""
    is_apple_silicon = sys.platform == "darwin" and platform.machine() == "arm64"
    return is_apple_silicon or shutil.which("nvidia-smi") is not None


GRID_WORKERS = 1 if CPU_CORES == 1 or _gpu() else 2

#: The workers of this machine, by name, with the kind of tasks that each takes.
WORKERS: dict[str, WorkerKind] = {"grid": "grid", "pages": "pages"}
WORKERS |= {f"grid-{k}": "grid" for k in range(2, GRID_WORKERS + 1)}
#: With how many threads a worker of each kind computes.
COMPUTE_THREADS: dict[WorkerKind, int] = {"grid": CPU_CORES // GRID_WORKERS, "pages": 1}
