"""Decide which workers are started on this machine, and how many threads each of them computes with.

Two workers share the cores and a grid's units: beside a browser and a server, threads of one process wait for the one
that was displaced, processes do not (measured in benchmarks/README.md). A GPU is shared badly, so there is one worker.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import Literal

Kind = Literal["grid", "pages", "data"]  # what a task is, and the Dask resource of the worker that takes it

CORES = os.cpu_count() or 1


def _gpu() -> bool:
    """Guess whether this machine has a GPU that PyTorch can use, without importing PyTorch."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or shutil.which("nvidia-smi") is not None


GRID_WORKERS = 1 if CORES == 1 or _gpu() else 2

#: By name: the kind of tasks that it takes, which is its Dask resource.
WORKERS: dict[str, Kind] = {"grid": "grid", "pages": "pages"}
WORKERS |= {f"grid-{k}": "grid" for k in range(2, GRID_WORKERS + 1)}
THREADS: dict[str, int] = {"grid": CORES // GRID_WORKERS, "pages": 1}  # of a computation, by kind
