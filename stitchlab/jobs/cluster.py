"""Where jobs run: a worker of one's own on this machine, started on first use, or somebody's Dask cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.deploy.subprocess import SubprocessCluster

from stitchlab.errors import StitchLabError
from stitchlab.store import Store

IDLE = "2 hours"  # a local cluster that nobody needs, or whose owner was killed, ends itself after this


def local() -> Any:
    """A scheduler and one worker in processes of their own, on this machine's loopback only."""
    with _environment(_WORKER):
        return SubprocessCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"idle_timeout": IDLE}, worker_kwargs={"memory_limit": 0},
        )


_THREADS, _KEEP = str(os.cpu_count() or 1), str(2**30)
# What Dask sets for workers unless it is set already: one thread, and memory given back at once. This worker is alone
# on the machine, and giving back and faulting in activations at every step makes training twice as slow.
_WORKER = {
    "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
    "OMP_NUM_THREADS": _THREADS, "MKL_NUM_THREADS": _THREADS, "OPENBLAS_NUM_THREADS": _THREADS,
    "MALLOC_TRIM_THRESHOLD_": _KEEP, "MALLOC_MMAP_THRESHOLD_": _KEEP,
}


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """For processes that are started meanwhile; what the user has set stays, but for the path to this package."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if name == "PYTHONPATH" or not before[name]})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def remote(address: str, store: Store) -> Client:
    """Somebody's cluster. Raises StitchLabError where it does not answer, or its workers do not see the store."""
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise StitchLabError(
            f"no Dask scheduler answers at {address} ({error}); start one, or leave --workers and STITCHLAB_WORKERS out"
        ) from error
    try:
        sees = client.submit(Path.is_dir, store.root / "networks", pure=False).result(timeout=60)
    except TimeoutError:
        sees = None
    if not sees:
        client.close()
        what = "has no worker that answers" if sees is None else f"does not see the cache at {store.root}"
        raise StitchLabError(f"the cluster at {address} {what}; start workers with access to the same folder")
    return client
