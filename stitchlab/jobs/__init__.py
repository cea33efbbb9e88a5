"""The queue: requests become units of work on Dask, and their progress becomes something a page can read.

By default a local cluster of one worker in a process of its own, started on first use; or somebody's cluster, whose
workers must see the same cache. What workers tell lies in the store (rooms ``jobs``, ``progress``, ``cancel``), so
that any process may look, and closing a tab or a server loses nothing that is finished. Dask cannot stop a running
task: a cancel flag is read between steps.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client

from stitchlab.grid import estimate as cost
from stitchlab.grid.compute import pick_device
from stitchlab.grid.units import Unit, load_pair, missing
from stitchlab.jobs.cluster import local, remote
from stitchlab.ood import LEARNING, QUICK
from stitchlab.request import METHODS, Detection, content_id
from stitchlab.results.detection import STATISTICS, Cell, Distribution
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads
from stitchlab.worker import tasks

DEMO = "demo"  # the job that trains the demo's networks
QUIET = 60.0  # seconds without a word after which a job of another process counts as interrupted


@dataclass(frozen=True)
class Status:
    """How a job stands: queued, running, done, cancelled, failed, or interrupted (nobody works on it any more).

    ``what`` is being worked on, ``done`` is in 0..1, ``seconds_left`` is None while unknown, ``message`` is the one
    line of a failure.
    """

    state: str
    what: str = ""
    done: float = 0.0
    seconds_left: float | None = None
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether somebody works on it or will."""
        return self.state in ("queued", "running")


class Jobs:
    """Jobs on a cluster.

    Args:
        store: where networks and results are; a cluster's workers must see the same folder.
        address: of a Dask scheduler, tcp://…; default is STITCHLAB_WORKERS, else a local worker.
        device: what the workers compute on: auto, cpu, cuda or mps.
    """

    def __init__(self, store: Store, address: str | None = None, device: str = "auto") -> None:
        self.store, self.device = store, device
        self.address = address or os.environ.get("STITCHLAB_WORKERS") or None
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._futures: dict[str, list[Any]] = {}  # kept, since Dask drops a task whose future is gone

    def compute(self, run: Run, cell: tuple[str, str] | None = None) -> None:
        """Queue what is missing of a run, or of one cell (front layer, end layer) of it.

        Nothing happens where it is queued already or complete.

        Raises StitchLabError where the cluster does not answer or does not see the store.
        """
        if units := missing(run) if cell is None else _of_cell(missing(run), cell):
            weights = self._weights(run, units)
            wanted = [(tasks.compute, (str(self.store.root), run.id, unit, self.device)) for unit in units]
            self._submit(run.id, wanted, weights, [unit.label for unit in units])

    def judge(self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[Cell]) -> None:
        """Queue what detectors lack on these cells of a run (job `judging`): columns, those that learn last."""
        found = Distribution(run, detection)
        learning = [name for name in detectors if name in LEARNING]
        columns = [(names, j, column) for part in ([STATISTICS, *(n for n in detectors if n in QUICK)], learning)
                   for j, (names, column) in found.lacking(part, cells).items()]
        wanted = [(tasks.judge, (str(self.store.root), run.id, detection, *column, self.device)) for column in columns]
        if wanted:
            weights = [len(column) + (30.0 if set(names) & set(learning) else 1.0) for names, _, column in columns]
            self._submit(judging(run, detection, cells), wanted, weights, [f"detectors on {j}" for _, j, _ in columns])

    def walk(self, run: Run, front_layer: str, end_layer: str) -> None:
        """Queue a cell's walk through TLM's epochs (job `walking`)."""
        wanted = (tasks.walk, (str(self.store.root), run.id, front_layer, end_layer, self.device))
        self._submit(walking(run, front_layer, end_layer), [wanted], [1.0], ["following the epochs"])

    def train(self, wanted: dict[str, Any]) -> None:
        """Queue the training of a network (`tasks.train`), job `making` of its name."""
        self._submit(making(wanted["name"]), [(tasks.train, (str(self.store.root), wanted, self.device))], [1.0],
                     [f"training {wanted['name']}"])

    def bring(self, upload: str, wanted: dict[str, Any]) -> None:
        """Queue the import of an upload (`tasks.bring`), job `making` of the network's name."""
        self._submit(making(wanted["name"]), [(tasks.bring, (str(self.store.root), upload, wanted, self.device))],
                     [1.0], [f"importing {wanted['name']}"], upload)

    def measure(self, network: str) -> None:
        """Queue what a network, by its id, says of its data's test images (job `measuring`)."""
        self._submit(measuring(network), [(tasks.measure, (str(self.store.root), network, self.device))], [1.0],
                     ["measuring"])

    def fetch(self, data: str) -> None:
        """Queue a data set (job `fetching`)."""
        self._submit(fetching(data), [(tasks.fetch, (str(self.store.root), data))], [1.0], [f"getting {data}"])

    def begun(self) -> dict[str, Status]:
        """Networks that are being made, or were not made in the end, by name; `forget` lets one go."""
        names = [key.removeprefix(_MAKING) for key in self.store.keys("jobs") if key.startswith(_MAKING)]
        found = {name: self.status(making(name)) for name in names}
        return {name: status for name, status in found.items() if status is not None and status.state != "done"}

    def curve(self, name: str) -> list[dict[str, float]]:
        """The curve so far of a network that is being trained: `training.Point` as JSON knows it."""
        record = self.store.intact("jobs", making(name))
        kept = self.store.intact("progress", f"{record['attempt']}.0.curve") if record else None
        return kept["curve"] if kept else []

    def forget(self, job: str) -> None:
        """Let go of a job that has ended."""
        self.store.delete("jobs", job)

    def train_demo(self) -> None:
        """Queue the training of the demo's two networks."""
        self._submit(DEMO, [(tasks.train_demo, (str(self.store.root),))], [1.0], ["training two networks on digits"])

    def estimate(self, run: Run) -> float | None:
        """Seconds that what is missing should take; None where nothing was measured on this machine yet."""
        seconds = self._seconds(run, missing(run))
        return None if any(s is None for s in seconds) else sum(s for s in seconds if s is not None)

    def cancel(self, job: str) -> None:
        """Stop a job within seconds; finished cells stay. No matter if there is no such job."""
        if record := self.store.get("jobs", job):
            self.store.put("cancel", record["attempt"], {})
            for future in self._futures.pop(record["attempt"], []):
                if future.status == "pending" and not future.done():
                    future.cancel()
            if record.get("upload"):
                uploads.remove(self.store, record["upload"])

    def status(self, job: str) -> Status | None:
        """How a job stands; None where it was never queued."""
        record = self.store.get("jobs", job)
        if record is None:
            return None
        units = [self.store.get("progress", f"{record['attempt']}.{k}") for k in range(len(record["weights"]))]
        done = sum(w * (u["done"] if u else 0) for w, u in zip(record["weights"], units, strict=True))
        told = [u for u in units if u is not None]
        what = max(told, key=lambda u: float(u["time"]))["what"] if told else record["labels"][0]
        state, message = self._state(record, told)
        status = Status(state, what, done / sum(record["weights"]), message=message)
        return replace(status, seconds_left=_seconds_left(record["weights"], units, done)) if status.active else status

    def close(self) -> None:
        """End the local cluster, or leave somebody's."""
        if self._client is not None:
            cluster = self._client.cluster
            self._client.close()
            if cluster is not None:
                cluster.close()
            self._client = None

    def _state(self, record: dict[str, Any], told: Sequence[dict[str, Any]]) -> tuple[str, str]:
        futures = self._futures.get(record["attempt"], [])
        failed = [u["message"] for u in told if u["state"] == "failed"]
        # A worker that died could not tell; its future knows.
        failed += [f"a worker ended: {f.exception()}" for f in futures if f.status == "error" and not failed]
        if len(told) == len(record["weights"]) and all(u["state"] == "done" for u in told):
            return "done", ""  # also where a cancel came too late
        if self.store.has("cancel", record["attempt"]):
            return "cancelled", ""
        ours = any(not future.done() for future in futures)
        last = max([record["created"], *(u["time"] for u in told)])
        if ours or (not futures and not failed and time.time() - last < QUIET):
            return ("running" if told else "queued"), ""
        return ("failed", failed[0]) if failed else ("interrupted", "")

    def _submit(
        self, job: str, wanted: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], weights: list[float],
        labels: list[str], upload: str = "",
    ) -> None:
        with self._lock:
            if (status := self.status(job)) is not None and status.active:
                return
            client = self._connected()
            attempt = f"{job}-{uuid.uuid4().hex[:8]}"
            self.store.put("jobs", job, {
                "attempt": attempt, "weights": weights, "labels": labels, "created": time.time(),
                "upload": upload,
            })
            self._futures[attempt] = [
                client.submit(function, *arguments, attempt, k, key=f"{attempt}.{k}", priority=-k, pure=False)
                for k, (function, arguments) in enumerate(wanted)
            ]

    def _connected(self) -> Client:
        if self._client is None or self._client.status != "running":
            self._client = Client(local()) if self.address is None else remote(self.address, self.store)
        return self._client

    def _weights(self, run: Run, units: Sequence[Unit]) -> list[float]:
        seconds = self._seconds(run, units)
        if all(s is not None for s in seconds):
            return [float(s or 0) for s in seconds]
        pair = load_pair(self.store, run.request, pick_device("cpu"))
        return [cost.flops(pair, run.request, unit.work, unit.cells) for unit in units]

    def _seconds(self, run: Run, units: Sequence[Unit]) -> list[float | None]:
        # Networks are only looked at here, so they stay on the CPU, whatever the workers compute on.
        pair = replace(load_pair(self.store, run.request, pick_device("cpu")), device=pick_device(self.device))
        return [cost.seconds(self.store, pair, run.request, unit.work, unit.cells) for unit in units]


def _of_cell(units: Sequence[Unit], cell: tuple[str, str]) -> list[Unit]:
    """Those stitches of a cell, and the end network's own accuracy, that are among these units."""
    stitched = [replace(unit, cells=(cell,)) for unit in units if unit.work in METHODS and cell in unit.cells]
    return [unit for unit in units if unit.work == "accuracy"] + stitched


_MAKING = "making-"


def making(name: str) -> str:
    """The job that makes the network of this name."""
    return f"{_MAKING}{name}"


def measuring(network: str) -> str:
    """The job that measures a network, by its id."""
    return f"measuring-{network}"


def fetching(data: str) -> str:
    """The job that gets a data set."""
    return f"fetching-{content_id(data)[:16]}"


def judging(run: Run, detection: Detection, cells: Sequence[Cell]) -> str:
    """The job that judges these cells."""
    return f"{run.id}-ood-{content_id([detection, cells])[:16]}"


def walking(run: Run, front_layer: str, end_layer: str) -> str:
    """The job that follows a cell's epochs."""
    return f"{run.id}-walk-{content_id([front_layer, end_layer])[:16]}"


def _seconds_left(weights: Sequence[float], units: Sequence[dict[str, Any] | None], done: float) -> float | None:
    """At the rate of the unit that spoke last, once it has come some way; starting up does not count."""
    moving = [(u, w) for u, w in zip(units, weights, strict=True) if u is not None and u["done"] > 0.05 and w > 0]
    if not moving:
        return None
    unit, weight = max(moving, key=lambda pair: float(pair[0]["time"]))
    rate = (unit["time"] - unit["started"]) / (unit["done"] * weight)
    return float(rate * (sum(weights) - done))
