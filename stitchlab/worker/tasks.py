"""Do the tasks of jobs in a worker's process: each writes its progress into the store, and stops if the store says so.

In all functions, ``root`` is the store's folder and ``device`` is auto, cpu, cuda or mps; ``attempt`` and ``k`` are as
for `stitchlab.worker.progress.run_with_progress`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from stitchlab.checks.compute import perform_step
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet
from stitchlab.grid import demo, estimate
from stitchlab.grid.ask import ask
from stitchlab.grid.compute import compute_unit
from stitchlab.models import create, importing, zoo
from stitchlab.models.device import pick_device
from stitchlab.models.train import CurvePoint
from stitchlab.ood import trajectory
from stitchlab.ood.evaluate import judge_column
from stitchlab.probes.compute import compute as compute_probes
from stitchlab.request import Detection, Report, TaskLoss
from stitchlab.results import data_sets, job_records, networks, probes, summary
from stitchlab.results.checks.plan import Step
from stitchlab.results.detection import MethodCell
from stitchlab.results.job_records import AttemptPlan
from stitchlab.results.plan import Unit, missing
from stitchlab.results.run import Run
from stitchlab.store import Store, uploads
from stitchlab.worker.progress import PROGRESS_INTERVAL_S, run_with_progress
from stitchlab.worker.questions import pair_on_cpu

MIN_WEIGHT = 1e-9  # of a unit, in seconds: progress is divided by the sum of all weights


def compute(root: str, run_id: str, unit: Unit, device: str, attempt: str, k: int) -> None:
    """Compute one unit of a run; wait for those of its cells that another process computes.

    Args:
        root, device, attempt, k: as for all tasks.
        run_id: of the run.
        unit: what is computed.
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
    """Estimate what share of the work each unit of an attempt is, so that progress can be summed over units.

    Args:
        root, device, attempt: as for all tasks.
        run_id: of the run.
        units: in the order of their ``k``.
    """
    store = Store(root)
    run = Run.load(run_id, store)
    estimates = estimate.cost_shares(store, pair_on_cpu(run, device), run.request, units)
    if job_records.read_latest(store, attempt) is not None:
        weights = tuple(max(one.seconds, MIN_WEIGHT) for one in estimates)
        timed = tuple(one.timed for one in estimates)
        job_records.write_plan(store, attempt, AttemptPlan(weights, timed))


def prepare(root: str, arguments: dict[str, Any], attempt: str, k: int) -> None:
    """Make what a request needs, a control or decoded images, and write its record; the result has the ``run``'s id.

    Args:
        root, attempt, k: as for all tasks.
        arguments: of `stitchlab.grid.ask.ask`, as plain values.
    """
    store = Store(root)

    def work(report: Report) -> dict[str, Any]:
        recipe = {"tlm": TaskLoss(**arguments["tlm"])} if "tlm" in arguments else {}
        return {"run": ask(store=store, report=report, **arguments | recipe).id}

    run_with_progress(store, attempt, k, "preparing the request", work)


def detect(
    root: str,
    record: dict[str, Any],
    detection: Detection,
    detectors: Sequence[str],
    end_layer: str,
    cells: Sequence[MethodCell],
    device: str,
    attempt: str,
    k: int,
) -> None:
    """Run detectors on the stitched activations of one column.

    Args:
        root, device, attempt, k: as for all tasks.
        record: of the run.
        detection, detectors, end_layer, cells: as for `stitchlab.ood.evaluate.judge_column`.
    """
    store = Store(root)

    def work(report: Report) -> None:
        run = Run(store, record)
        judge_column(run, detection, detectors, end_layer, cells, pick_device(device), report)
        summary.keep(run)

    run_with_progress(store, attempt, k, f"detectors on {end_layer}", work)


def compute_trajectory(
    root: str, record: dict[str, Any], front_layer: str, end_layer: str, device: str, attempt: str, k: int
) -> None:
    """Compute a cell's trajectory through the epochs of task loss matching.

    Args:
        root, device, attempt, k: as for all tasks.
        record: of the run.
        front_layer, end_layer: of the cell.
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


def train(root: str, arguments: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Train a network (`stitchlab.models.create.train`).

    Args:
        root, device, attempt, k: as for all tasks.
        arguments: of `stitchlab.models.create.train`; ``arch`` and ``data`` are names that pages may use, or for data
            a fingerprint.
    """
    store, label = Store(root), f"training {arguments['name']}"

    def watch(curve: list[CurvePoint]) -> None:
        job_records.write_curve(store, job_records.task_key(attempt, k), [asdict(point) for point in curve])

    def work(report: Report) -> None:
        options = dict(arguments)
        arch, data = zoo.check_public_name(options.pop("arch")), _data(store, options.pop("data"))
        with _training_threads():
            create.train(
                arch,
                data,
                store,
                device=pick_device(device),
                watch=watch,
                report=lambda what, done: report(f"{label}: {what}", done),
                **options,
            )

    run_with_progress(store, attempt, k, label, work)


def bring(root: str, upload: str, arguments: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Import uploaded weights (`stitchlab.models.importing.import_weights`), and remove the upload in any case.

    Args:
        root, device, attempt, k: as for all tasks.
        upload: the key of the uploaded file (`stitchlab.store.uploads`).
        arguments: of `stitchlab.models.importing.import_weights`, as for `train`.
    """
    store = Store(root)

    def work(report: Report) -> None:
        options = dict(arguments)
        arch, data = zoo.check_public_name(options.pop("arch")), _data(store, options.pop("data"))
        weights = uploads.place(store, upload)
        importing.import_weights(
            weights, store, arch=arch, data=data, device=pick_device(device), report=report, **options
        )

    try:
        run_with_progress(store, attempt, k, f"importing {arguments['name']}", work)
    finally:
        uploads.remove(store, upload)


def measure(root: str, network: str, device: str, attempt: str, k: int) -> None:
    """Count which classes a network predicts for the test images of its data, and keep the counts.

    Args:
        root, device, attempt, k: as for all tasks.
        network: its name or id.
    """
    store = Store(root)

    def work(report: Report) -> None:
        record = networks.find(store, network)
        data = datasets.load_by_fingerprint(record.data_fingerprint, store)
        create.measure(store, record.id, data, pick_device(device), report)

    run_with_progress(store, attempt, k, "measuring", work)


def probe(root: str, arguments: dict[str, Any], device: str, attempt: str, k: int) -> None:
    """Compute what is missing of a network's linear probes.

    Args:
        root, device, attempt, k: as for all tasks.
        arguments: of `stitchlab.results.probes.find`.
    """
    store = Store(root)

    def work(report: Report) -> None:
        compute_probes(probes.find(store, **arguments), pick_device(device), report)

    run_with_progress(store, attempt, k, "linear probes", work)


def check(root: str, step: Step, device: str, attempt: str, k: int) -> None:
    """Do a step of a suite of checks.

    Args:
        root, device, attempt, k: as for all tasks.
        step: as it was planned.
    """
    store = Store(root)
    run_with_progress(
        store, attempt, k, step.label, lambda report: perform_step(store, step, pick_device(device), report)
    )


def fetch(root: str, data: str, attempt: str, k: int) -> None:
    """Get a data set: download it if necessary, or decode a folder under a configured root.

    Args:
        root, attempt, k: as for all tasks.
        data: a name that pages may use.
    """
    store = Store(root)

    def work(report: Report) -> None:
        datasets.load(data_sets.public(data, store), store, report=report, download=True)

    run_with_progress(store, attempt, k, f"getting {data}", work)


def train_demo(root: str, seed: int, attempt: str, k: int) -> None:
    """Train one of the demo's networks.

    Args:
        root, attempt, k: as for all tasks.
        seed: the index of its name in `stitchlab.results.demo.SEEDS`.
    """
    store = Store(root)
    run_with_progress(
        store, attempt, k, "training networks on digits", lambda report: demo.train(store, report, [seed])
    )


@contextlib.contextmanager
def _training_threads() -> Iterator[None]:
    """Compute with all cores of the machine: workers share them while they compute a grid, but one alone trains."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("STITCHLAB_TRAINING_THREADS") or threads_before))
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)


def _data(store: Store, data: str) -> DataSet:
    """Load data by its fingerprint, or by a name that pages may use, and record it in the store."""
    if data_sets.is_fingerprint(data):
        return datasets.load_by_fingerprint(data, store)
    return datasets.load(data_sets.public(data, store), store)
