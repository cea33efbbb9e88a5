"""Connect to the workers: once, in the background, when first needed, and again when the connection is gone.

Dask is imported on use, since who only looks at results needs none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stitchlab.errors import StitchLabError
from stitchlab.jobs import calls
from stitchlab.jobs.local_workers import GRID_WORKERS, WORKERS, Kind
from stitchlab.store import Store

if TYPE_CHECKING:
    from distributed import Client

KINDS: tuple[Kind, ...] = ("grid", "pages")
TASKS, QUESTIONS = "stitchlab.worker.tasks", "stitchlab.worker.questions"  # the modules whose functions workers call
_NEEDED: dict[Kind, list[str]] = {"grid": [TASKS], "pages": [QUESTIONS, TASKS]}
HERE, ELSEWHERE = ("torch", "distributed"), ("distributed",)  # what computing needs, on workers of this machine or not
ANSWER = 10.0  # seconds that somebody's scheduler has to answer


class NotInstalled(StitchLabError):
    """Report that computing needs packages that are not installed here."""


class Connection:
    """Represent the connection to the workers: those at an address, or else some started on this machine."""

    def __init__(self, store: Store, address: str | None) -> None:
        self._store, self._address = store, address
        self._lock = threading.Lock()
        self._client: Future[Client] | None = None
        self._resources: set[str] = set()  # by which workers are told apart; none where they do not name these kinds

    @property
    def grid_workers(self) -> int:
        """Count the workers that share a grid's units; a cluster elsewhere counts as one."""
        return 1 if self.remote else GRID_WORKERS

    @cached_property
    def lacking(self) -> str:
        """Say in one line what to install before there can be workers; empty if nothing is missing."""
        absent = [name for name in (ELSEWHERE if self.remote else HERE) if not _installed(name)]
        if not absent:
            return ""
        return (
            f"Computing needs {' and '.join(absent)}, not installed here: "
            "run `pip install -r requirements.txt`. "
            "Existing results, the gallery and .stitch files can be viewed without."
        )

    @property
    def remote(self) -> bool:
        """Tell whether the workers are a cluster elsewhere, and none of this machine's own."""
        return self._address is not None

    def client(self) -> Future[Client]:
        """Return the future of the Dask client; start connecting unless that is under way or done.

        Its error is a StitchLabError: the cluster does not answer, or does not see the store.
        """
        with self._lock:
            if self._client is None or _gone(self._client):
                old, self._client = self._client, Future()
                threading.Thread(target=self._connect, args=(self._client, old), name="connect", daemon=True).start()
            return self._client

    def place(self, kind: Kind) -> dict[str, Any]:
        """Return the arguments of `Client.submit` by which a worker of this kind takes the task."""
        return {"resources": {kind: 1}} if kind in self._resources else {}

    def has(self, kind: Kind) -> bool:
        """Tell whether a worker takes tasks of this kind. This asks the scheduler, so it may take a while."""
        if self._client is None or not self._client.done() or _gone(self._client):
            return False
        with contextlib.suppress(Exception):
            workers = self._client.result().scheduler_info()["workers"].values()
            return any(not self._resources or kind in worker["resources"] for worker in workers)
        return False

    def repair(self) -> None:
        """Restart local workers whose process has ended, which Dask itself does not do."""
        if self._client is not None and self._client.done() and not _gone(self._client):
            cluster = self._client.result().cluster
            if cluster is not None:
                cluster.scale(len(WORKERS))

    def close(self) -> None:
        """Shut down the workers of this machine, or disconnect from somebody's cluster."""
        with self._lock:
            client, self._client = self._client, None
        _close(client)

    def _connect(self, made: Future[Client], old: Future[Client] | None) -> None:
        try:
            _close(old)
            client = _local() if self._address is None else _remote(self._address, self._store)
            self._resources = {*KINDS, "data"} if self._address is None else _kinds(client)
            if self._address is None:
                _warm_up(client)
        except StitchLabError as error:
            made.set_exception(error)
        except Exception as error:  # of an operating system that starts no process, anything may come
            made.set_exception(StitchLabError(f"no worker could be started ({calls.one_line(error)}); try again"))
        else:
            made.set_result(client)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def _gone(client: Future[Client]) -> bool:
    return client.done() and (client.exception() is not None or client.result().status != "running")


def _close(client: Future[Client] | None) -> None:
    """Close a connection once it is made, and the cluster that was started for it."""
    if client is None or client.exception() is not None:
        return
    ours, cluster = client.result(), client.result().cluster
    with contextlib.suppress(Exception):  # of a cluster that was killed nothing is left to end
        ours.close()
    if cluster is not None:
        with contextlib.suppress(Exception):
            cluster.close()


def _local() -> Client:
    from distributed import Client

    from stitchlab.jobs.local_cluster import start

    return Client(start())


def let_run(future: Any) -> None:
    """Have Dask run a task although nobody waits for it, which it would drop otherwise."""
    from distributed import fire_and_forget

    fire_and_forget(future)


def _warm_up(client: Client) -> None:
    for kind in WORKERS.values():
        let_run(client.submit(calls.load, _NEEDED[kind], pure=False, priority=10_000, resources={kind: 1}))


def _kinds(client: Client) -> set[str]:
    """Return the resources of a cluster's workers, if they tell grids from pages."""
    named = {name for worker in client.scheduler_info()["workers"].values() for name in worker["resources"]}
    return named if set(KINDS) <= named else set()


def _remote(address: str, store: Store) -> Client:
    """Connect to a cluster. Raises StitchLabError if it does not answer, or cannot read the store."""
    from distributed import Client

    try:
        client = Client(address, timeout=ANSWER)
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
        what = "has no worker that answers" if sees is None else f"cannot read the cache at {store.root}"
        raise StitchLabError(f"the cluster at {address} {what}; start workers with access to the same folder")
    return client
