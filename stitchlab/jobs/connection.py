"""Connect to the workers: in the background, when they are first needed, and again when the connection is lost.

Dask is imported only when it is used, since looking at results needs none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stitchlab.errors import StitchLabError, one_line
from stitchlab.jobs import calls
from stitchlab.jobs.local_workers import GRID_WORKERS, WORKERS, WorkerKind
from stitchlab.store import Store

if TYPE_CHECKING:
    from distributed import Client

KINDS: tuple[WorkerKind, ...] = ("grid", "pages")
# The modules whose functions workers call.
TASKS = "stitchlab.worker.tasks"
QUESTIONS = "stitchlab.worker.questions"
_MODULES: dict[WorkerKind, list[str]] = {"grid": [TASKS], "pages": [QUESTIONS, TASKS]}
# The packages that this process's environment needs before workers can compute.
PACKAGES_FOR_LOCAL_WORKERS = ("torch", "distributed")
PACKAGES_FOR_REMOTE_WORKERS = ("distributed",)
SCHEDULER_TIMEOUT_S = 10.0  # for connecting to a cluster elsewhere
STORE_TEST_TIMEOUT_S = 60.0  # for a worker of that cluster to say whether it sees the store


class NotInstalled(StitchLabError):
    """Report that computing needs packages that are not installed here."""


class Connection:
    """Represent the connection to the workers: those at an address, or else some started on this machine."""

    def __init__(self, store: Store, address: str | None) -> None:
        self._store, self._address = store, address
        self._lock = threading.Lock()
        self._client: Future[Client] | None = None
        self._resources: set[str] = set()  # by which workers are told apart; empty if they do not name these kinds

    @property
    def grid_workers(self) -> int:
        """Count the workers that share the tasks of a grid; a cluster elsewhere counts as one."""
        return 1 if self.remote else GRID_WORKERS

    @cached_property
    def lacking(self) -> str:
        """Say in one line what to install before there can be workers; empty if nothing is missing."""
        packages = PACKAGES_FOR_REMOTE_WORKERS if self.remote else PACKAGES_FOR_LOCAL_WORKERS
        absent = [name for name in packages if not _installed(name)]
        if not absent:
            return ""
        return (
            f"Computing needs {' and '.join(absent)}, not installed here: "
            "run `pip install -r requirements.txt`. "
            "Existing results, the gallery and .stitch files can be viewed without."
        )

    @property
    def remote(self) -> bool:
        """Tell whether the workers are a cluster elsewhere, and not this machine's own."""
        return self._address is not None

    def client(self) -> Future[Client]:
        """Return the future of the Dask client; start connecting unless that is under way or done.

        Its error is a StitchLabError: the cluster does not answer, or does not see the store.
        """
        with self._lock:
            if self._client is None or _gone(self._client):
                previous = self._client
                connecting: Future[Client] = Future()
                self._client = connecting
                arguments = connecting, previous
                threading.Thread(target=self._connect, args=arguments, name="connect", daemon=True).start()
            return self._client

    def place(self, kind: WorkerKind) -> dict[str, Any]:
        """Return the arguments of `Client.submit` by which a worker of this kind takes the task."""
        return {"resources": {kind: 1}} if kind in self._resources else {}

    def has(self, kind: WorkerKind) -> bool:
        """Tell whether there is a worker for tasks of this kind. This asks the scheduler, so it may take a while."""
        if self._client is None or not self._client.done() or _gone(self._client):
            return False
        with contextlib.suppress(Exception):
            workers = self._client.result().scheduler_info()["workers"].values()
            return any(not self._resources or kind in worker["resources"] for worker in workers)
        return False

    def repair(self) -> None:
        """Restart local workers whose process has ended; Dask itself does not do that."""
        if self._client is not None and self._client.done() and not _gone(self._client):
            cluster = self._client.result().cluster
            if cluster is not None:
                cluster.scale(len(WORKERS))

    def close(self) -> None:
        """Shut down the workers of this machine, or disconnect from a cluster elsewhere."""
        with self._lock:
            client, self._client = self._client, None
        _close(client)

    def _connect(self, connecting: Future[Client], previous: Future[Client] | None) -> None:
        """Set the result of ``connecting`` to the new client, or its exception to a StitchLabError."""
        try:
            _close(previous)
            client = _local() if self._address is None else _remote(self._address, self._store)
            self._resources = {*KINDS, "data"} if self._address is None else _kinds(client)
            if self._address is None:
                _warm_up(client)
        except StitchLabError as error:
            connecting.set_exception(error)
        except Exception as error:  # the operating system may fail to start a process in many ways
            connecting.set_exception(StitchLabError(f"no worker could be started ({one_line(error)}); try again"))
        else:
            connecting.set_result(client)


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
    cluster = client.result().cluster
    with contextlib.suppress(Exception):  # if the cluster was killed, there is nothing left to close
        client.result().close()
    if cluster is not None:
        with contextlib.suppress(Exception):
            cluster.close()


def _local() -> Client:
    from distributed import Client

    from stitchlab.jobs.local_cluster import start

    return Client(start())


def let_run(future: Any) -> None:
    """Have Dask run a task whose future is not kept; otherwise Dask would drop it."""
    from distributed import fire_and_forget

    fire_and_forget(future)


def _warm_up(client: Client) -> None:
    for kind in WORKERS.values():
        let_run(client.submit(calls.load, _MODULES[kind], pure=False, priority=10_000, resources={kind: 1}))


def _kinds(client: Client) -> set[str]:
    """Return the Dask resources of a cluster's workers if they name both kinds, ``grid`` and ``pages``; else none."""
    resources = {name for worker in client.scheduler_info()["workers"].values() for name in worker["resources"]}
    return resources if set(KINDS) <= resources else set()


def _remote(address: str, store: Store) -> Client:
    """Connect to a cluster. Raises StitchLabError if it does not answer, or cannot read the store."""
    from distributed import Client

    try:
        client = Client(address, timeout=SCHEDULER_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise StitchLabError(
            f"no Dask scheduler answers at {address} ({error}); start one, or leave --workers and STITCHLAB_WORKERS out"
        ) from error
    try:
        test = client.submit(Path.is_dir, store.root / "networks", pure=False)
        sees_store = test.result(timeout=STORE_TEST_TIMEOUT_S)
    except TimeoutError:
        sees_store = None
    if not sees_store:
        client.close()
        problem = "has no worker that answers" if sees_store is None else f"cannot read the cache at {store.root}"
        raise StitchLabError(f"the cluster at {address} {problem}; start workers with access to the same folder")
    return client
