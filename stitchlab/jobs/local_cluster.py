"""Start the cluster of this machine: a scheduler and its workers, each in a process of its own.

The workers that compute grids share the cores (`stitchlab.jobs.local_workers`). Another worker answers pages with one
thread, so it hardly slows them down; a second thread of that worker downloads data, so that no page waits for that. All
of them listen on the loopback interface only. `stitchlab.jobs.connection` imports this file only when it is used.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from distributed.deploy.spec import SpecCluster
from distributed.deploy.subprocess import SubprocessScheduler, SubprocessWorker

from stitchlab.jobs.local_workers import COMPUTE_THREADS, CPU_CORES, WORKERS, WorkerKind

HOST = "127.0.0.1"
#: A cluster without tasks ends itself after this time, also when the process that started it was killed.
IDLE_TIMEOUT = "2 hours"
MAX_LOST_WORKERS = 1  # how often a task is tried again after its worker's process ended; then the task fails


class Worker(SubprocessWorker):
    """Start a worker's process with environment variables of its own, which libraries read when it starts."""

    def __init__(self, scheduler: str, environment: dict[str, str], **options: Any) -> None:
        super().__init__(scheduler, **options)
        self.environment = environment

    async def _start(self) -> None:
        specification = json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs})
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dask",
            "spec",
            self.scheduler,
            "--spec",
            specification,
            env={**os.environ, **self.environment},
        )


def start() -> SpecCluster:
    """Start the scheduler and the workers, each with a Dask resource for its kind of task: ``grid`` or ``pages``."""
    folders = [str(Path(__file__).parents[2]), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(folders))  # every process must find this package
    scheduler = {
        "host": HOST,
        "port": 0,
        "dashboard": True,
        "dashboard_address": f"{HOST}:0",
        "idle_timeout": IDLE_TIMEOUT,
        "allowed_failures": MAX_LOST_WORKERS,
    }
    return SpecCluster(
        scheduler={"cls": SubprocessScheduler, "options": {"scheduler_kwargs": scheduler}},
        workers={name: _worker(name, kind) for name, kind in WORKERS.items()},
        name="StitchLab",
        silence_logs=logging.WARNING,
    )


def _worker(name: str, kind: WorkerKind) -> dict[str, Any]:
    resources = {kind: 1} if kind == "grid" else {kind: 1, "data": 1}
    worker = {
        "host": HOST,
        "nthreads": len(resources),
        "memory_limit": 0,
        "name": name,
        "resources": resources,
        "silence_logs": logging.WARNING,
    }
    return {"cls": Worker, "options": {"environment": environment(kind), "worker_kwargs": worker}}


def environment(kind: WorkerKind) -> dict[str, str]:
    """Return the environment variables of a worker's process; those that the user has set take precedence.

    Otherwise Dask would set them: to one thread, and so that memory is given back to the system at once. But then the
    memory of activations is given back and asked for again at every step, which makes training twice as slow.
    """
    threads, kept_bytes = str(COMPUTE_THREADS[kind]), str(2**30)
    defaults = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MALLOC_TRIM_THRESHOLD_": kept_bytes,
        "MALLOC_MMAP_THRESHOLD_": kept_bytes,
        "STITCHLAB_TRAINING_THREADS": str(CPU_CORES),
        "STITCHLAB_GRID_THREADS": str(COMPUTE_THREADS["grid"]),
    }
    return {name: os.environ.get(name) or value for name, value in defaults.items()}
