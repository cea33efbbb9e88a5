"""The queue: requests become tasks of workers, on Dask, and their progress becomes something a page can read.

By default workers on this machine, of which some compute grids and one answers pages; or somebody's cluster, whose
workers must see the same cache. What workers tell lies in the store (rooms ``jobs``, ``progress``, ``cancel``), so
that any process may look, and closing a tab or a server loses nothing that is finished. Dask cannot stop a running
task: a cancel flag is read between steps. Nothing here computes: workers are asked for functions by their names.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from stitchlab.catalog.detectors import LEARNING, QUICK
from stitchlab.jobs import status as standing
from stitchlab.jobs.calls import run as call
from stitchlab.jobs.connection import TASKS, Connection, NotInstalled, let_run
from stitchlab.jobs.local_workers import Kind
from stitchlab.jobs.names import DEMO, MAKING, fetching, judging, making, measuring, preparing, probing, walking
from stitchlab.jobs.questions import Answer, Questions
from stitchlab.jobs.status import QUIET, Status
from stitchlab.jobs.turns import PAGES_FIRST, Attempt, Task, Turns
from stitchlab.request import Detection
from stitchlab.results import definitions, plan
from stitchlab.results.demo import NAMES
from stitchlab.results.detection import STATISTICS, Cell, Distribution
from stitchlab.results.run import Run
from stitchlab.store import Store, looks, uploads

RECENT = 60  # jobs that are listed

__all__ = ["DEMO", "QUIET", "Answer", "Jobs", "NotInstalled", "Status", "fetching", "judging", "making", "measuring",
           "preparing", "probing", "walking"]


class Jobs:
    """Jobs on a cluster.

    Args:
        store: where networks and results are; a cluster's workers must see the same folder.
        address: of a Dask scheduler, tcp://…; default is STITCHLAB_WORKERS, else workers on this machine.
        device: what the workers compute on: auto, cpu, cuda or mps.
    """

    def __init__(self, store: Store, address: str | None = None, device: str = "auto") -> None:
        self.store, self.device = store, device
        self._connection = Connection(store, address or os.environ.get("STITCHLAB_WORKERS") or None)
        self._questions = Questions(store, self._connection)
        self._lock = threading.Lock()
        self._turns = Turns(store, self._connection)

    @property
    def lacking(self) -> str:
        """What to install before anything can be computed from here, in one line; empty where all of it is there."""
        return self._connection.lacking

    def start(self) -> None:
        """Connect to the workers, or start them, in the background, so that they are there when they are needed."""
        if not self.lacking:
            self._connection.client()

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question (a function of `stitchlab.worker.questions`), or look what became of it.

        Args:
            name: of the question.
            arguments: those that follow the store's folder; plain values, as JSON knows them. A run stands for its
                record.
            wait: seconds to wait for the answer, at most.
        """
        for run in (argument for argument in arguments if isinstance(argument, Run)):
            run.check_own()
        if self.lacking:
            return Answer("failed", message=self.lacking)
        return self._questions.ask(name, *map(_plain, arguments), wait=wait)

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Forget what became of a question, start workers that have ended, and ask it anew."""
        return self._questions.ask_again(name, *map(_plain, arguments), wait=wait)

    def estimate(self, run: Run, wait: float = 0.0) -> Answer:
        """Ask how many seconds what is missing of a run should take (`stitchlab.worker.questions.seconds`)."""
        there = len(run.cells), len(run.functional), run.own_accuracy, len(self.store.keys("timings"))
        answer = self.ask("seconds", run, self.device, there, wait=wait)
        if not answer.value:
            return answer
        workers, one = self._connection.grid_workers, answer.value
        return replace(answer, value=one | {"seconds": one["seconds"] / workers, "cheaper": [
            (what, each / workers) for what, each in one["cheaper"]]})

    def compute(self, run: Run, cell: tuple[str, str] | None = None, last: str = "") -> Run:
        """Queue what is missing of a run, or of one cell (front layer, end layer) of it; its record is kept now.

        Nothing happens where it is queued already or complete.

        Args:
            run: what is computed.
            cell: the one that is wanted; default is all.
            last: the kind of work (`stitchlab.results.plan.Unit`) that whoever asks does not wait for.

        Returns:
            the run that is computed: another one, under today's definitions, where one has changed and something is
            missing.

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
            wanted: list[Task] = [("compute", (run.id, unit, self.device)) for unit in units]
            self._submit(run.id, "grid", wanted, [unit.label for unit in units], works=[unit.work for unit in units],
                         planned=("plan", (run.id, units, self.device)))
        return run

    def prepare(self, wanted: dict[str, Any]) -> None:
        """Queue the making of what a request needs (`tasks.prepare`), job `preparing`; its result has the ``run``."""
        self._submit(preparing(wanted), "pages", [("prepare", (wanted,))], ["preparing the request"])

    def judge(
        self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[Cell], asked: bool = True
    ) -> None:
        """Queue what detectors lack on these cells of a run (job `judging`): columns, those that learn last.

        What nobody ``asked`` for ends soon after the last page that shows it (`look`) was left.

        Raises StitchLabError where a definition of its stitches has changed since the run was asked for.
        """
        run.check_own()
        definitions.check(run.request, *run.request.methods)
        found = Distribution(run, detection)
        learning = [name for name in detectors if name in LEARNING]
        columns = [(names, j, column) for part in ([STATISTICS, *(n for n in detectors if n in QUICK)], learning)
                   for j, (names, column) in found.lacking(part, cells).items()]
        wanted: list[Task] = [("judge", (run.record, detection, *column, self.device)) for column in columns]
        if wanted:
            works = ["learning" if set(names) & set(learning) else "quick" for names, _, _ in columns]
            weights = [len(column) + (30.0 if work == "learning" else 1.0)
                       for work, (_, _, column) in zip(works, columns, strict=True)]
            self._submit(judging(run, detection, cells), "grid", wanted, [f"detectors on {j}" for _, j, _ in columns],
                         weights, works=works, asked=asked)

    def walk(self, run: Run, front_layer: str, end_layer: str, asked: bool = True) -> None:
        """Queue a cell's walk through TLM's epochs (job `walking`), as `judge` does. Raises StitchLabError as that."""
        run.check_own()
        definitions.check(run.request, "tlm")
        wanted = ("walk", (run.record, front_layer, end_layer, self.device))
        self._submit(walking(run, front_layer, end_layer), "grid", [wanted], ["following the epochs"],
                     asked=asked)

    def train(self, wanted: dict[str, Any]) -> None:
        """Queue the training of a network (`tasks.train`), job `making` of its name."""
        self._submit(making(wanted["name"]), "grid", [("train", (wanted, self.device))],
                     [f"training {wanted['name']}"])

    def bring(self, upload: str, wanted: dict[str, Any]) -> None:
        """Queue the import of an upload (`tasks.bring`), job `making` of the network's name."""
        self._submit(making(wanted["name"]), "grid", [("bring", (upload, wanted, self.device))],
                     [f"importing {wanted['name']}"], upload=upload)

    def measure(self, network: str) -> None:
        """Queue what a network, by its id, says of its data's test images (job `measuring`)."""
        self._submit(measuring(network), "grid", [("measure", (network, self.device))], ["measuring"])

    def probe(self, wanted: dict[str, Any], label: str) -> None:
        """Queue linear probes of a network (`tasks.probe`), job `probing`; ``label`` says so for people."""
        self._submit(probing(wanted), "grid", [("probe", (wanted, self.device))], [label])

    def fetch(self, data: str) -> None:
        """Queue a data set (job `fetching`)."""
        self._submit(fetching(data), "data", [("fetch", (data,))], [f"getting {data}"])

    def train_demo(self) -> None:
        """Queue the training of the demo's two networks."""
        wanted: list[Task] = [("train_demo", (seed,)) for seed in range(len(NAMES))]
        self._submit(DEMO, "grid", wanted, ["training two networks on digits"] * len(wanted))

    def begun(self) -> dict[str, Status]:
        """List networks that are being made, or were not made in the end, by name; `forget` lets one go."""
        names = [key.removeprefix(MAKING) for key in self.store.keys("jobs") if key.startswith(MAKING)]
        found = {name: self.status(making(name)) for name in names}
        return {name: status for name, status in found.items() if status is not None and status.state != "done"}

    def curve(self, name: str) -> list[dict[str, float]]:
        """Read the curve so far of a network that is being trained: `train.Point` as JSON knows it."""
        record = self.store.intact("jobs", making(name))
        kept = self.store.intact("progress", f"{record['attempt']}.0.curve") if record else None
        return kept["curve"] if kept else []

    def cancel(self, job: str) -> None:
        """Stop a job within seconds; finished cells stay. No matter if there is no such job."""
        if record := self.store.intact("jobs", job):
            self.store.put("cancel", record["attempt"], {})
            self._turns.stop(record["attempt"])
            if record.get("upload"):
                uploads.remove(self.store, record["upload"])

    def status(self, job: str) -> Status | None:
        """Say how a job stands; None where it was never queued."""
        record = self.store.intact("jobs", job)
        if record is None:
            return None
        mine = self._turns.find(record["attempt"])
        found = standing.status(self.store, record, mine.sent if mine else [], mine is not None and mine.waits)
        if found.state != "queued":
            return found
        return standing.behind(self.store, found, *self._turns.before(record["attempt"]))

    def recent(self, most: int = RECENT) -> dict[str, Status]:
        """Say how the jobs stand of which something was told last, newest first, by name; it counts as no look."""
        found = {job: self.status(job) for job in standing.recent(self.store, most)}
        return {job: status for job, status in found.items() if status is not None}

    def look(self, job: str) -> Status | None:
        """Say how a job stands to somebody who sees it: what is on a screen goes first, and goes on unasked."""
        if record := self.store.intact("jobs", job):
            self._turns.look(record["attempt"])
            if not record.get("asked", True):
                looks.look(self.store, record["attempt"])
        return self.status(job)

    def forget(self, job: str) -> None:
        """Let go of a job that has ended, with all that was told of it."""
        if record := self.store.intact("jobs", job):
            self._turns.stop(record["attempt"])
        self.store.delete("jobs", job)
        standing.tidy(self.store, job)

    def close(self) -> None:
        """End the local cluster, or leave somebody's."""
        self._turns.close()
        self._connection.close()
        self._questions.close()

    def _submit(
        self, job: str, kind: Kind, wanted: Sequence[Task], labels: list[str], weights: list[float] | None = None, *,
        works: list[str] | None = None, upload: str = "", planned: Task | None = None, asked: bool = True,
    ) -> None:
        """Queues tasks on a worker of a kind, and another task, which finds out their weights, on the pages' worker.

        What is at work already stays, but for having been asked for now.
        """
        if self.lacking:
            raise NotInstalled(self.lacking)
        with self._lock:
            if (status := self.status(job)) is not None and status.active:
                self._ask(job, asked)
                return
            connected = self._connection.client()
            if self._connection.remote:  # which may not answer: whoever asks hears of it at once
                connected.result()
            self._connection.repair()
            attempt = f"{job}-{uuid.uuid4().hex[:8]}"
            if before := self.store.intact("jobs", job):
                self._turns.stop(before["attempt"])
            self.store.put("jobs", job, {
                "attempt": attempt, "weights": weights or [1.0] * len(wanted), "labels": labels,
                "works": works or ["it"] * len(wanted), "created": time.time(), "upload": upload, "asked": asked,
            })
            standing.tidy(self.store, job, keep=attempt)
            self._turns.add(Attempt(attempt, kind, wanted, asked))
            if planned is not None:
                connected.add_done_callback(partial(self._plan, attempt, planned))

    def _ask(self, job: str, asked: bool) -> None:
        record = self.store.intact("jobs", job)
        if asked and record is not None and not record.get("asked", True):
            self.store.put("jobs", job, record | {"asked": True})
            self._turns.ask(record["attempt"])

    def _plan(self, attempt: str, planned: Task, connected: Future[Any]) -> None:
        """Has the pages' worker find out what each task is of the whole; nothing waits for that."""
        if connected.exception() is not None:
            return
        name, arguments = planned
        let_run(connected.result().submit(
            call, f"{TASKS}:{name}", str(self.store.root), *arguments, attempt, pure=False, priority=PAGES_FIRST,
            **self._connection.place("pages")))


def _plain(argument: Any) -> Any:
    """A run as its record, without the time that changes whenever it is looked at and not written down."""
    record = argument.record if isinstance(argument, Run) else argument
    if isinstance(record, dict) and "request" in record:
        return {key: value for key, value in record.items() if key != "created"}
    return record
