"""Start the cluster of this machine: a scheduler and its workers, each in a process of its own.

Workers of grids share the cores (`stitchlab.jobs.local_workers`); another answers pages, with one thread, so that it
hardly disturbs them. Beside that thread it has one that fetches data, so that no page waits for a download. Everything
listens on the loopback interface only. `stitchlab.jobs.connection` imports this file on use.
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

from stitchlab.jobs.local_workers import CORES, THREADS, WORKERS

HOST = "127.0.0.1"
IDLE = "2 hours"  # a cluster that nobody needs, or whose owner was killed, ends itself after this
FAILURES = 1  # how often a task may lose its worker and be tried again; whoever waits hears of it after that


class Worker(SubprocessWorker):
    """Run a worker's process with environment variables, which libraries read when it starts."""

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
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(folders))  # all must be able to import this package
    scheduler = {
        "host": HOST,
        "port": 0,
        "dashboard": True,
        "dashboard_address": f"{HOST}:0",
        "idle_timeout": IDLE,
        "allowed_failures": FAILURES,
    }
    return SpecCluster(
        scheduler={"cls": SubprocessScheduler, "options": {"scheduler_kwargs": scheduler}},
        workers={name: _worker(name, kind) for name, kind in WORKERS.items()},
        name="StitchLab",
        silence_logs=logging.WARNING,
    )


def _worker(name: str, kind: str) -> dict[str, Any]:
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


def environment(kind: str) -> dict[str, str]:
    """Return the environment variables of a worker's process; those that the user has set win.

    Dask sets them unless they are set: one thread, and memory given back at once. But giving back and faulting in
    activations at every step makes training twice as slow.
    """
    threads, keep = str(THREADS[kind]), str(2**30)
    wanted = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MALLOC_TRIM_THRESHOLD_": keep,
        "MALLOC_MMAP_THRESHOLD_": keep,
        "STITCHLAB_TRAINING_THREADS": str(CORES),
        "STITCHLAB_GRID_THREADS": str(THREADS["grid"]),
    }
    return {name: os.environ.get(name) or value for name, value in wanted.items()}
