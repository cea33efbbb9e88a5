"""Queue work: requests become tasks of Dask workers, and pages can read their progress.

By default workers on this machine, of which some compute grids and one answers pages; or somebody's cluster, whose
workers must see the same cache. What workers tell lies in the store (rooms ``jobs``, ``progress``, ``cancel``), so
that any process may look, and closing a tab or a server loses nothing that is finished. Dask cannot stop a running
task: a cancel flag is read between steps. Nothing here computes: workers are asked for functions by their names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stitchlab.catalog.detectors import LEARNING
from stitchlab.jobs import names
from stitchlab.jobs.connection import Connection, NotInstalled
from stitchlab.jobs.names import DEMO, MAKING, detecting, fetching, following, making, measuring, preparing, probing
from stitchlab.jobs.questions import Answer, Questions, plain_argument
from stitchlab.jobs.queue import Queue
from stitchlab.jobs.status import QUIET, Status
from stitchlab.jobs.turns import Task
from stitchlab.request import Detection
from stitchlab.results import definitions, plan
from stitchlab.results.checks import plan as suites
from stitchlab.results.demo import NAMES
from stitchlab.results.detection import DetectionResults, MethodCell
from stitchlab.results.run import Run
from stitchlab.store import Store

__all__ = [
    "DEMO",
    "QUIET",
    "Answer",
    "Jobs",
    "NotInstalled",
    "Status",
    "detecting",
    "fetching",
    "following",
    "making",
    "measuring",
    "preparing",
    "probing",
]


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
        """Shut down the workers of this machine, or disconnect from somebody's cluster."""
        super().close()
        self._questions.close()

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question (a function of `stitchlab.worker.questions`), or look up its answer.

        Args:
            name: of the question.
            arguments: those that follow the store's folder; plain values, as JSON knows them. A run stands for its
                record.
            wait: seconds to wait for the answer, at most.

        Returns:
            the answer, or that it is still awaited or failed.

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
        there = len(run.cells), len(run.functional), run.own_accuracy, len(self.store.keys("timings"))
        answer = self.ask("seconds", run, self.device, there, wait=wait)
        if not answer.value:
            return answer
        workers, one = self._connection.grid_workers, answer.value
        return replace(
            answer,
            value=one
            | {
                "seconds": one["seconds"] / workers,
                "cheaper": [(what, each / workers) for what, each in one["cheaper"]],
            },
        )

    def price(self, what: dict[str, Any], checks: Sequence[str], there: Any = None, wait: float = 0.0) -> Answer:
        """Ask how long the checks of a suite should take.

        Args:
            what: the suite, arguments of `stitchlab.results.checks.suite.find` as JSON.
            checks: their names.
            there: what the store has by now, as any plain value: the question is asked anew when it changes.
            wait: seconds to wait for the answer, at most.

        Returns:
            an answer whose value has ``seconds`` on all workers, whether they were ``timed``, and how many ``grids``.
        """
        answer = self.ask("checks_price", what, list(checks), self.device, there, wait=wait)
        return (
            replace(answer, value=answer.value | {"seconds": answer.value["seconds"] / self._connection.grid_workers})
            if answer.value
            else answer
        )

    def compute(self, run: Run, cell: tuple[str, str] | None = None, last: str = "") -> Run:
        """Queue what is missing of a run, or of one cell of it, and write the run's record.

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
            self._submit(
                run.id,
                "grid",
                wanted,
                [unit.label for unit in units],
                works=[unit.work for unit in units],
                planned=("plan", (run.id, units, self.device)),
            )
        return run

    def prepare(self, wanted: dict[str, Any]) -> None:
        """Queue the making of what a request needs (`tasks.prepare`), job `preparing`; its result holds the ``run``."""
        self._submit(preparing(wanted), "pages", [("prepare", (wanted,))], ["preparing the request"])

    def detect(
        self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[MethodCell], asked: bool = True
    ) -> None:
        """Queue what detectors have not computed yet on these cells (job `judging`), column by column.

        Args:
            run, detection: what is judged, and with which settings.
            detectors: their names; those that have to be trained come last.
            cells: (method, front layer, end layer) each.
            asked: whether somebody asked for it; else it ends soon after the last page that shows it is left (`look`).

        Raises:
            StitchLabError: a definition of its stitches has changed, it is from a file, or no worker answers.
        """
        run.check_own()
        definitions.check(run.request, *run.request.methods)
        columns = DetectionResults(run, detection).columns(detectors, cells)
        wanted: list[Task] = [("detect", (run.record, detection, *column, self.device)) for column in columns]
        if wanted:
            works = ["learning" if set(names) & set(LEARNING) else "quick" for names, _, _ in columns]
            weights = [
                len(column) + (30.0 if work == "learning" else 1.0)
                for work, (_, _, column) in zip(works, columns, strict=True)
            ]
            self._submit(
                detecting(run, detection, cells),
                "grid",
                wanted,
                [f"detectors on {j}" for _, j, _ in columns],
                weights,
                works=works,
                asked=asked,
            )

    def compute_trajectory(self, run: Run, front_layer: str, end_layer: str, asked: bool = True) -> None:
        """Queue a cell's trajectory through the epochs of task loss matching (job `walking`).

        Args:
            run: the run.
            front_layer, end_layer: of the cell.
            asked: as in `judge`.

        Raises:
            StitchLabError: as `judge` does.
        """
        run.check_own()
        definitions.check(run.request, "tlm")
        wanted = ("compute_trajectory", (run.record, front_layer, end_layer, self.device))
        self._submit(following(run, front_layer, end_layer), "grid", [wanted], ["following the epochs"], asked=asked)

    def train(self, wanted: dict[str, Any]) -> None:
        """Queue the training of a network (`tasks.train`), job `making` of its name."""
        self._submit(making(wanted["name"]), "grid", [("train", (wanted, self.device))], [f"training {wanted['name']}"])

    def bring(self, upload: str, wanted: dict[str, Any]) -> None:
        """Queue the import of an upload (`tasks.bring`), job `making` of the network's name."""
        self._submit(
            making(wanted["name"]),
            "grid",
            [("bring", (upload, wanted, self.device))],
            [f"importing {wanted['name']}"],
            upload=upload,
        )

    def measure(self, network: str) -> None:
        """Queue the measuring of a network, given by its id, on the test images of its data (job `measuring`)."""
        self._submit(measuring(network), "grid", [("measure", (network, self.device))], ["measuring"])

    def probe(self, wanted: dict[str, Any], label: str) -> None:
        """Queue linear probes of a network (`tasks.probe`), job `probing`; ``label`` names the job for people."""
        self._submit(probing(wanted), "grid", [("probe", (wanted, self.device))], [label])

    def check(self, what: dict[str, Any], checks: Sequence[str]) -> None:
        """Queue what checks still need (job `names.checking`): ``what`` as in `stitchlab.results.checks.plan.begin`."""
        steps = suites.begin(self.store, what, checks)
        self._submit(
            names.checking(what),
            "grid",
            [("check", (step, self.device)) for step in steps],
            [step.label for step in steps],
            [step.weight for step in steps],
        )

    def fetch(self, data: str) -> None:
        """Queue the download of a data set (job `fetching`)."""
        self._submit(fetching(data), "data", [("fetch", (data,))], [f"getting {data}"])

    def train_demo(self) -> None:
        """Queue the training of the demo's two networks."""
        wanted: list[Task] = [("train_demo", (seed,)) for seed in range(len(NAMES))]
        self._submit(DEMO, "grid", wanted, ["training two networks on digits"] * len(wanted))

    def begun(self) -> dict[str, Status]:
        """List networks that are being made, or could not be made, by name; `forget` removes one."""
        names = [key.removeprefix(MAKING) for key in self.store.keys("jobs") if key.startswith(MAKING)]
        found = {name: self.status(making(name)) for name in names}
        return {name: status for name, status in found.items() if status is not None and status.state != "done"}

    def curve(self, name: str) -> list[dict[str, float]]:
        """Read the training curve so far of a network: `train.Point` as JSON."""
        record = self.store.intact("jobs", making(name))
        kept = self.store.intact("progress", f"{record['attempt']}.0.curve") if record else None
        return kept["curve"] if kept else []
