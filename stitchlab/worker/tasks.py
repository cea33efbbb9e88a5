"""Tasks of jobs, as a worker runs them: each tells the store how it goes, and stops where the store says so."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.errors import Cancelled, StitchLabError
from stitchlab.grid import demo, estimate
from stitchlab.grid.ask import ask
from stitchlab.grid.compute import compute_unit
from stitchlab.models import create, importing, zoo
from stitchlab.models.device import pick_device
from stitchlab.models.train import Point
from stitchlab.ood import trajectory as walks
from stitchlab.ood.evaluate import judge_column
from stitchlab.probes.compute import compute as compute_probes
from stitchlab.request import Detection, Report, TaskLoss
from stitchlab.results import data_sets, networks, probes, summary
from stitchlab.results.detection import Cell
from stitchlab.results.plan import Unit, missing
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads
from stitchlab.store.looks import Watch, leave
from stitchlab.worker.questions import looked_at

EVERY = 0.3  # seconds between two words


def compute(root: str, run_id: str, unit: Unit, device: str, attempt: str, k: int) -> None:
    """Compute one unit, until all its cells are there, whoever computes them."""
    store = Store(root)

    def work(report: Report) -> None:
        run = Run.load(run_id, store)
        while any(unit.shares(other) for other in missing(run)):
            if not compute_unit(store, run.request, unit, pick_device(device), report):
                report("waiting for another process that computes the same cells", 0.0)
                time.sleep(EVERY)
            run = Run.load(run_id, store)
        summary.keep(run)

    told(store, attempt, k, unit.label, work)


def plan(root: str, run_id: str, units: Sequence[Unit], device: str, attempt: str) -> None:
    """Find out what share of the work each unit of an attempt is, for its progress."""
    store = Store(root)
    run = Run.load(run_id, store)
    each = estimate.shares(store, looked_at(run, device), run.request, units)
    if _current(store, attempt) is not None:
        store.put("progress", f"{attempt}.plan", {"weights": [max(one.seconds, 1e-9) for one in each],
                                                    "timed": [one.timed for one in each]})


def prepare(root: str, wanted: dict[str, Any], attempt: str, k: int) -> None:
    """Make what a request needs, a control or decoded images, and write its record; the result has the ``run``'s id.

    ``wanted`` are the arguments of `stitchlab.grid.ask.ask` as plain values.
    """
    store, what = Store(root), dict(wanted)

    def work(report: Report) -> dict[str, Any]:
        if "tlm" in what:
            what["tlm"] = TaskLoss(**what["tlm"])
        return {"run": ask(store=store, report=report, **what).id}

    told(store, attempt, k, "preparing the request", work)


def judge(
    root: str, record: dict[str, Any], detection: Detection, names: Sequence[str], end_layer: str,
    cells: Sequence[Cell], device: str, attempt: str, k: int,
) -> None:
    """Have detectors look at one column."""
    store = Store(root)

    def work(report: Report) -> None:
        run = Run(store, record)
        judge_column(run, detection, names, end_layer, cells, pick_device(device), report)
        summary.keep(run)

    told(store, attempt, k, f"detectors on {end_layer}", work)


def walk(
    root: str, record: dict[str, Any], front_layer: str, end_layer: str, device: str, attempt: str, k: int
) -> None:
    """Follow a cell's walk through TLM's epochs."""
    store = Store(root)
    told(store, attempt, k, "following the epochs", lambda report: walks.walk(
        Run(store, record), front_layer, end_layer, pick_device(device), report))


def train(root: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Train a network (`stitchlab.models.create.train`), architecture and data by names that a page may say.

    Data may also be named by its fingerprint.
    """
    store, what, label = Store(root), dict(wanted), f"training {wanted['name']}"

    def watch(curve: list[Point]) -> None:
        store.put("progress", f"{attempt}.{k}.curve", {"curve": [asdict(point) for point in curve]})

    def work(report: Report) -> None:
        arch, data = zoo.public(what.pop("arch")), _data(store, what.pop("data"))
        with _training_threads():
            create.train(arch, data, store, device=pick_device(device), watch=watch,
                         report=lambda what, done: report(f"{label}: {what}", done), **what)

    told(store, attempt, k, label, work)


def bring(root: str, upload: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Import uploaded weights (`stitchlab.models.importing.import_weights`); the upload goes, whatever comes of it."""
    store, what = Store(root), dict(wanted)

    def work(report: Report) -> None:
        arch, data = zoo.public(what.pop("arch")), _data(store, what.pop("data"))
        importing.import_weights(uploads.place(store, upload), store, arch=arch, data=data, device=pick_device(device),
                              report=report, **what)

    try:
        told(store, attempt, k, f"importing {wanted['name']}", work)
    finally:
        uploads.remove(store, upload)


def measure(root: str, network: str, device: str, attempt: str, k: int) -> None:
    """Count what a network says of the test images of its data."""
    store = Store(root)

    def work(report: Report) -> None:
        found = networks.find(store, network)
        data = datasets.load_by_fingerprint(found.data_fingerprint, store)
        create.measure(store, found.id, data, pick_device(device), report)

    told(store, attempt, k, "measuring", work)


def probe(root: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Compute what linear probes of a network lack: ``wanted`` are arguments of `stitchlab.results.probes.find`."""
    store = Store(root)

    def work(report: Report) -> None:
        compute_probes(probes.find(store, **wanted), pick_device(device), report)

    told(store, attempt, k, "linear probes", work)


def fetch(root: str, data: str, attempt: str, k: int) -> None:
    """Get a data set: download it if need be, or decode a folder under a configured root."""
    store = Store(root)

    def work(report: Report) -> None:
        datasets.load(data_sets.public(data, store), store, report=report, download=True)

    told(store, attempt, k, f"getting {data}", work)


def train_demo(root: str, seed: int, attempt: str, k: int) -> None:
    """Train one of the demo's two networks."""
    store = Store(root)
    told(store, attempt, k, "training two networks on digits", lambda report: demo.train(store, report, [seed]))


@contextlib.contextmanager
def _training_threads() -> Iterator[None]:
    """Compute with all cores of a machine whose workers share them for grids: a training has nobody to share with."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("STITCHLAB_TRAINING_THREADS") or before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _data(store: Store, data: str) -> DataSet:
    """Load data that work is asked for with, by fingerprint or by a name that a page may say; it is recorded."""
    if data_sets.is_fingerprint(data):
        return datasets.load_by_fingerprint(data, store)
    return datasets.load(data_sets.public(data, store), store)


def told(store: Store, attempt: str, k: int, label: str, work: Callable[[Report], dict[str, Any] | None]) -> None:
    """Do the work, telling the store how it goes and what comes of it, and stop where the store says so."""
    started = time.time()
    last = 0.0
    looks = Watch(store, attempt)

    def tell(what: str, done: float, state: str = "running", message: str = "", **more: Any) -> None:
        store.put("progress", f"{attempt}.{k}", {
            "state": state, "what": what, "done": done, "message": message, "started": started, "time": time.time(),
            **more,
        })

    def report(what: str, done: float) -> None:
        nonlocal last
        if store.has("cancel", attempt):
            raise Cancelled("cancelled")
        if time.monotonic() - last > EVERY:
            if (record := _current(store, attempt)) is None:
                raise Cancelled("the job was let go, or begun anew")
            if not record.get("asked", True) and looks.left():
                leave(store, attempt)
                raise Cancelled("nobody had asked for it, and nobody looks any more")
            last = time.monotonic()
            tell(what, done)

    try:
        report(label, 0.0)
        result = work(report)
        tell(label, 1.0, "done", result=result)
    except Cancelled:
        with contextlib.suppress(StitchLabError):
            if _current(store, attempt) is not None:  # else nobody wants to know any more, and nobody would remove it
                tell(label, 0.0, "cancelled")
    except Exception as error:
        line = str(error).splitlines()[0] if str(error) else ""
        with contextlib.suppress(StitchLabError):  # the disk may be full, and that may be the error
            tell(label, 0.0, "failed", line if isinstance(error, StitchLabError) else f"{type(error).__name__}: {line}")
        raise


def _current(store: Store, attempt: str) -> dict[str, Any] | None:
    """The record of a job, ``{job}-{8 digits}`` being its latest attempt; None where it was let go or begun anew."""
    record = store.intact("jobs", attempt.rpartition("-")[0])
    return record if record is not None and record["attempt"] == attempt else None
