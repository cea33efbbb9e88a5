"""Queue work: requests become tasks of Dask workers, and pages can read their progress.

By default the workers run on this machine: some compute grids and one answers pages. They may also belong to a cluster
elsewhere, and must then see the same cache. Workers write their progress into the store
(`stitchlab.results.job_records`). So any process can read it, and closing a tab or a server loses nothing that is
finished. Dask cannot stop a running task; therefore workers look for a cancel mark between two steps. Nothing here
computes: workers are asked for functions by their names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stitchlab.catalog.detectors import LEARNING
from stitchlab.jobs import names
from stitchlab.jobs.connection import Connection, NotInstalled
from stitchlab.jobs.local_workers import WorkerKind
from stitchlab.jobs.names import (
    DEMO,
    NETWORK_JOB_PREFIX,
    detection_job,
    download_job,
    measurement_job,
    network_job,
    preparation_job,
    probes_job,
    trajectory_job,
)
from stitchlab.jobs.protocol import JobQueue
from stitchlab.jobs.questions import Answer, Questions, plain_argument
from stitchlab.jobs.queue import Queue
from stitchlab.jobs.status import Status
from stitchlab.jobs.turns import WorkerCall
from stitchlab.request import Cell, Detection
from stitchlab.results import definitions, job_records, plan
from stitchlab.results.checks import plan as suites
from stitchlab.results.demo import NAMES
from stitchlab.results.detection import DetectionResults, MethodCell
from stitchlab.results.job_records import TaskDescription, TaskWork
from stitchlab.results.run import Run
from stitchlab.store import Store

__all__ = [
    "DEMO",
    "Answer",
    "JobQueue",
    "Jobs",
    "NotInstalled",
    "Status",
    "detection_job",
    "download_job",
    "measurement_job",
    "network_job",
    "preparation_job",
    "probes_job",
    "trajectory_job",
]


LEARNING_WEIGHT = 30.0  # of a detector that has to be trained, in cells that a detector judges
QUICK_WEIGHT = 1.0  # of all others, likewise


class Jobs(Queue):
    """Offer all that workers can be asked for: jobs, which are queued, and questions, which are answered.

    Args:
        store: where networks and results are; a cluster's workers must see the same folder.
        address: of a Dask scheduler, tcp://…; default is STITCHLAB_WORKERS, else workers on this machine.
        device: what the workers compute on: auto, cpu, cuda or mps.
    """

    def __init__(self, store: Store, address: str | None = None, device: str = "auto") -> None:
        super().__init__(store, Connection(store, address or os.environ.get("STITCHLAB_WORKERS") or None))
        self.device = device
        self._questions = Questions(store, self._connection)

    def close(self) -> None:
        """Shut down the workers of this machine, or disconnect from a cluster elsewhere."""
        super().close()
        self._questions.close()

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question (a function of `stitchlab.worker.questions`), or look up its answer.

        Args:
            name: of the question.
            arguments: those that follow the store's folder: plain values, as in JSON, or a run, which is replaced by
                its record.
            wait: seconds to wait for the answer, at most.

        Returns:
            the answer; or that it is still awaited, or that the question failed.

        Raises:
            StitchLabError: a run was opened from a file.
        """
        for run in (argument for argument in arguments if isinstance(argument, Run)):
            run.check_own()
        if self.lacking:
            return Answer("failed", message=self.lacking)
        return self._questions.ask(name, *map(plain_argument, arguments), wait=wait)

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Discard the answer to a question, restart workers that have ended, and ask again.

        Args:
            name, arguments, wait: as in `ask`.
        """
        return self._questions.ask_again(name, *map(plain_argument, arguments), wait=wait)

    def estimate(self, run: Run, wait: float = 0.0) -> Answer:
        """Ask how many seconds what is missing of a run should take (`stitchlab.worker.questions.seconds`)."""
        cache_key = len(run.cells), len(run.functional), run.own_accuracy, len(self.store.keys("timings"))
        answer = self.ask("seconds", run, self.device, cache_key, wait=wait)
        if not answer.value:
            return answer
        workers = self._connection.grid_workers
        on_all_workers = {
            "seconds": answer.value["seconds"] / workers,
            "cheaper": [(what, seconds / workers) for what, seconds in answer.value["cheaper"]],
        }
        return replace(answer, value=answer.value | on_all_workers)

    def price(self, suite: dict[str, Any], checks: Sequence[str], cache_key: Any = None, wait: float = 0.0) -> Answer:
        """Ask how long the checks of a suite should take.

        Args:
            suite: arguments of `stitchlab.results.checks.suite.find` as JSON.
            checks: their names.
            cache_key: any plain value that changes when the store has more results: the question is then asked anew.
            wait: seconds to wait for the answer, at most.

        Returns:
            an answer whose value has ``seconds`` on all workers, whether they were ``timed``, and how many ``grids``.
        """
        answer = self.ask("checks_price", suite, list(checks), self.device, cache_key, wait=wait)
        if not answer.value:
            return answer
        seconds = answer.value["seconds"] / self._connection.grid_workers
        return replace(answer, value=answer.value | {"seconds": seconds})

    def compute(self, run: Run, cell: Cell | None = None, last: str = "") -> Run:
        """Queue what is missing of a run, or of one cell of it, and write the run's record.

        Nothing happens if it is queued already, or complete.

        Args:
            run: what is computed.
            cell: the only one that is computed; default is all.
            last: the kind of work (`stitchlab.results.plan.GridWork`) that is done after all other work.

        Returns:
            the run that is computed. It is another one, under today's definitions, if something is missing of the run
            and a definition has changed.

        Raises StitchLabError where the cluster does not answer or does not see the store.
        """
        run.check_own()
        if plan.missing(run):
            run = run.under_todays_definitions()
        missing = plan.missing(run)
        if units := missing if cell is None else plan.of_cell(missing, cell):
            run.save()
            units = [part for unit in units for part in plan.shared(unit, self._connection.grid_workers)]
            units.sort(key=lambda unit: unit.work == last)
            self._submit(
                run.id,
                "grid",
                [
                    (WorkerCall("compute", (run.id, unit, self.device)), TaskDescription(unit.label, work=unit.work))
                    for unit in units
                ],
                planning=WorkerCall("plan", (run.id, units, self.device)),
            )
        return run

    def prepare(self, arguments: dict[str, Any]) -> None:
        """Queue the making of what a request needs (`tasks.prepare`, `preparation_job`); its result has the ``run``."""
        self._submit_one(preparation_job(arguments), "pages", "preparing the request", "prepare", arguments)

    def detect(
        self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[MethodCell], asked: bool = True
    ) -> None:
        """Queue what detectors have not computed yet on these cells (job `detection_job`), column by column.

        Args:
            run: whose stitched activations are judged.
            detection: the settings of the detectors.
            detectors: their names; those that have to be trained come last.
            cells: (method, front layer, end layer) each.
            asked: whether a user asked for it. If not, it ends soon after no page shows it any more (`look`).

        Raises:
            StitchLabError: a definition of its stitches has changed, it is from a file, or no worker answers.
        """
        run.check_own()
        definitions.check(run.request, *run.request.methods)
        tasks = []
        for names_of_column, end_layer, cells_of_column in DetectionResults(run, detection).columns(detectors, cells):
            work: TaskWork = "learning" if set(names_of_column) & set(LEARNING) else "quick"
            weight = len(cells_of_column) + (LEARNING_WEIGHT if work == "learning" else QUICK_WEIGHT)
            arguments = (run.record, detection, names_of_column, end_layer, cells_of_column, self.device)
            description = TaskDescription(f"detectors on {end_layer}", weight, work)
            tasks.append((WorkerCall("detect", arguments), description))
        if tasks:
            self._submit(detection_job(run, detection, cells), "grid", tasks, asked=asked)

    def compute_trajectory(self, run: Run, front_layer: str, end_layer: str, asked: bool = True) -> None:
        """Queue a cell's trajectory through the epochs of task loss matching (job `trajectory_job`).

        Args:
            run: the run.
            front_layer, end_layer: of the cell.
            asked: as in `detect`.

        Raises:
            StitchLabError: as `detect` does.
        """
        run.check_own()
        definitions.check(run.request, "tlm")
        arguments = (run.record, front_layer, end_layer, self.device)
        self._submit(
            trajectory_job(run, front_layer, end_layer),
            "grid",
            [(WorkerCall("compute_trajectory", arguments), TaskDescription("following the epochs"))],
            asked=asked,
        )

    def train(self, arguments: dict[str, Any]) -> None:
        """Queue the training of a network (`tasks.train`), job `network_job` of its name."""
        name = arguments["name"]
        self._submit_one(network_job(name), "grid", f"training {name}", "train", arguments, self.device)

    def bring(self, upload: str, arguments: dict[str, Any]) -> None:
        """Queue the import of an upload (`tasks.bring`), job `network_job` of the network's name."""
        name = arguments["name"]
        call = WorkerCall("bring", (upload, arguments, self.device))
        self._submit(network_job(name), "grid", [(call, TaskDescription(f"importing {name}"))], upload=upload)

    def measure(self, network: str) -> None:
        """Queue the measuring of a network, given by its id, on the test images of its data (job `measurement_job`)."""
        self._submit_one(measurement_job(network), "grid", "measuring", "measure", network, self.device)

    def probe(self, arguments: dict[str, Any], label: str) -> None:
        """Queue linear probes of a network (`tasks.probe`), job `probes_job`; ``label`` names the job for people."""
        self._submit_one(probes_job(arguments), "grid", label, "probe", arguments, self.device)

    def check(self, suite: dict[str, Any], checks: Sequence[str]) -> None:
        """Queue what checks still need (job `names.checks_job`): ``suite`` is that of `results.checks.plan.begin`."""
        tasks = [
            (WorkerCall("check", (step, self.device)), TaskDescription(step.label, step.weight))
            for step in suites.begin(self.store, suite, checks)
        ]
        self._submit(names.checks_job(suite), "grid", tasks)

    def fetch(self, data: str) -> None:
        """Queue the download of a data set (job `download_job`)."""
        self._submit_one(download_job(data), "data", f"getting {data}", "fetch", data)

    def train_demo(self) -> None:
        """Queue the training of the demo's two networks."""
        description = TaskDescription("training two networks on digits")
        self._submit(DEMO, "grid", [(WorkerCall("train_demo", (seed,)), description) for seed in range(len(NAMES))])

    def networks_in_progress(self) -> dict[str, Status]:
        """List networks that are being made, or could not be made, by name; `forget` removes one."""
        jobs = [job for job in self.store.keys(job_records.JOBS) if job.startswith(NETWORK_JOB_PREFIX)]
        statuses = {job.removeprefix(NETWORK_JOB_PREFIX): self.status(job) for job in jobs}
        return {name: status for name, status in statuses.items() if status is not None and status.state != "done"}

    def curve(self, name: str) -> list[dict[str, float]]:
        """Read the training curve so far of a network: `train.CurvePoint` as JSON."""
        record = job_records.read_job(self.store, network_job(name))
        return job_records.read_curve(self.store, job_records.task_key(record.attempt, 0)) if record else []

    def _submit_one(self, job: str, kind: WorkerKind, label: str, function: str, *arguments: Any) -> None:
        """Queue a job that is a single task."""
        self._submit(job, kind, [(WorkerCall(function, arguments), TaskDescription(label))])
