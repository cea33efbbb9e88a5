"""Does the tasks of jobs, as a worker runs them: each tells the store how it goes, and stops where it says so.

In all, ``root`` is the store's folder, ``device`` auto, cpu, cuda or mps; ``attempt`` and ``k`` are as for
`stitchlab.worker.progress.run_with_progress`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from stitchlab.checks.compute import perform
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.grid import demo, estimate
from stitchlab.grid.ask import ask
from stitchlab.grid.compute import compute_unit
from stitchlab.models import create, importing, zoo
from stitchlab.models.device import pick_device
from stitchlab.models.train import Point
from stitchlab.ood import trajectory
from stitchlab.ood.evaluate import judge_column
from stitchlab.probes.compute import compute as compute_probes
from stitchlab.request import Detection, Report, TaskLoss
from stitchlab.results import data_sets, networks, probes, summary
from stitchlab.results.checks.plan import Step
from stitchlab.results.detection import MethodCell
from stitchlab.results.plan import Unit, missing
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads
from stitchlab.worker.progress import PROGRESS_INTERVAL_S, current, run_with_progress
from stitchlab.worker.questions import looked_at


def compute(root: str, run_id: str, unit: Unit, device: str, attempt: str, k: int) -> None:
    """Compute one unit, until all its cells are there, whoever computes them.

    Args:
        root, run_id, unit, device, attempt, k: as for all tasks; the run, and what of it is computed.
    """
    store = Store(root)

    def work(report: Report) -> None:
        run = Run.load(run_id, store)
        while any(unit.shares(other) for other in missing(run)):
            if not compute_unit(store, run.request, unit, pick_device(device), report):
                report("waiting for another process that computes the same cells", 0.0)
                time.sleep(PROGRESS_INTERVAL_S)
            run = Run.load(run_id, store)
        summary.keep(run)

    run_with_progress(store, attempt, k, unit.label, work)


def plan(root: str, run_id: str, units: Sequence[Unit], device: str, attempt: str) -> None:
    """Find out what share of the work each unit of an attempt is, for its progress.

    Args:
        root, run_id, units, device, attempt: as for all tasks; the run, and its units in the order of their ``k``.
    """
    store = Store(root)
    run = Run.load(run_id, store)
    each = estimate.shares(store, looked_at(run, device), run.request, units)
    if current(store, attempt) is not None:
        store.put(
            "progress",
            f"{attempt}.plan",
            {"weights": [max(one.seconds, 1e-9) for one in each], "timed": [one.timed for one in each]},
        )


def prepare(root: str, wanted: dict[str, Any], attempt: str, k: int) -> None:
    """Make what a request needs, a control or decoded images, and write its record; the result has the ``run``'s id.

    Args:
        root, wanted, attempt, k: as for all tasks; arguments of `stitchlab.grid.ask.ask` as plain values.
    """
    store, what = Store(root), dict(wanted)

    def work(report: Report) -> dict[str, Any]:
        if "tlm" in what:
            what["tlm"] = TaskLoss(**what["tlm"])
        return {"run": ask(store=store, report=report, **what).id}

    run_with_progress(store, attempt, k, "preparing the request", work)


def detect(
    root: str,
    record: dict[str, Any],
    detection: Detection,
    names: Sequence[str],
    end_layer: str,
    cells: Sequence[MethodCell],
    device: str,
    attempt: str,
    k: int,
) -> None:
    """Have detectors look at one column.

    Args:
        root, record, detection, names, end_layer, cells, device, attempt, k: as for all tasks, and `judge_column`.
    """
    store = Store(root)

    def work(report: Report) -> None:
        run = Run(store, record)
        judge_column(run, detection, names, end_layer, cells, pick_device(device), report)
        summary.keep(run)

    run_with_progress(store, attempt, k, f"detectors on {end_layer}", work)


def compute_trajectory(
    root: str, record: dict[str, Any], front_layer: str, end_layer: str, device: str, attempt: str, k: int
) -> None:
    """Follow a cell's walk through TLM's epochs.

    Args:
        root, record, front_layer, end_layer, device, attempt, k: as for all tasks; the run's record; the cell.
    """
    store = Store(root)
    run_with_progress(
        store,
        attempt,
        k,
        "following the epochs",
        lambda report: trajectory.compute_trajectory(
            Run(store, record), front_layer, end_layer, pick_device(device), report
        ),
    )


def train(root: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Train a network (`stitchlab.models.create.train`), architecture and data by names that a page may say.

    Args:
        root, wanted, device, attempt, k: as for all tasks; arguments of `train`, the data's name or fingerprint.
    """
    store, what, label = Store(root), dict(wanted), f"training {wanted['name']}"

    def watch(curve: list[Point]) -> None:
        store.put("progress", f"{attempt}.{k}.curve", {"curve": [asdict(point) for point in curve]})

    def work(report: Report) -> None:
        arch, data = zoo.public(what.pop("arch")), _data(store, what.pop("data"))
        with _training_threads():
            create.train(
                arch,
                data,
                store,
                device=pick_device(device),
                watch=watch,
                report=lambda what, done: report(f"{label}: {what}", done),
                **what,
            )

    run_with_progress(store, attempt, k, label, work)


def bring(root: str, upload: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Import uploaded weights (`stitchlab.models.importing.import_weights`); the upload goes, whatever comes of it.

    Args:
        root, upload, wanted, device, attempt, k: as for all tasks; the upload's key; arguments as for `train`.
    """
    store, what = Store(root), dict(wanted)

    def work(report: Report) -> None:
        arch, data = zoo.public(what.pop("arch")), _data(store, what.pop("data"))
        importing.import_weights(
            uploads.place(store, upload), store, arch=arch, data=data, device=pick_device(device), report=report, **what
        )

    try:
        run_with_progress(store, attempt, k, f"importing {wanted['name']}", work)
    finally:
        uploads.remove(store, upload)


def measure(root: str, network: str, device: str, attempt: str, k: int) -> None:
    """Count which classes a network puts the test images of its data into, and keep that.

    Args:
        root, network, device, attempt, k: as for all tasks; the network's name or id.
    """
    store = Store(root)

    def work(report: Report) -> None:
        found = networks.find(store, network)
        data = datasets.load_by_fingerprint(found.data_fingerprint, store)
        create.measure(store, found.id, data, pick_device(device), report)

    run_with_progress(store, attempt, k, "measuring", work)


def probe(root: str, wanted: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Compute what linear probes of a network lack.

    Args:
        root, wanted, device, attempt, k: as for all tasks; arguments of `stitchlab.results.probes.find`.
    """
    store = Store(root)

    def work(report: Report) -> None:
        compute_probes(probes.find(store, **wanted), pick_device(device), report)

    run_with_progress(store, attempt, k, "linear probes", work)


def check(root: str, step: Step, device: str, attempt: str, k: int) -> None:
    """Do a step of a suite of checks.

    Args:
        root, step, device, attempt, k: as for all tasks; the step, as it was planned.
    """
    store = Store(root)
    run_with_progress(store, attempt, k, step.label, lambda report: perform(store, step, pick_device(device), report))


def fetch(root: str, data: str, attempt: str, k: int) -> None:
    """Get a data set: download it if need be, or decode a folder under a configured root.

    Args:
        root, data, attempt, k: as for all tasks; a name that a page may say.
    """
    store = Store(root)

    def work(report: Report) -> None:
        datasets.load(data_sets.public(data, store), store, report=report, download=True)

    run_with_progress(store, attempt, k, f"getting {data}", work)


def train_demo(root: str, seed: int, attempt: str, k: int) -> None:
    """Train one of the demo's networks.

    Args:
        root, seed, attempt, k: as for all tasks; the place of its name in `stitchlab.results.demo.SEEDS`.
    """
    store = Store(root)
    run_with_progress(
        store, attempt, k, "training networks on digits", lambda report: demo.train(store, report, [seed])
    )


@contextlib.contextmanager
def _training_threads() -> Iterator[None]:
    """Compute with all cores of a machine whose workers share them for grids: a training shares with nobody."""
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
