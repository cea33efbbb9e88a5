"""What the page tests share: a queue that only takes notes, what is on a page, runs whose numbers are made up."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from streamlit.testing.v1 import AppTest

from stitchlab.jobs import (
    DEMO,
    Answer,
    Status,
    detection_job,
    download_job,
    measurement_job,
    network_job,
    preparation_job,
    probes_job,
    trajectory_job,
)
from stitchlab.jobs.calls import answer
from stitchlab.jobs.names import checks_job
from stitchlab.request import METHODS, Detection
from stitchlab.results.detection import MethodCell
from stitchlab.results.keys import accuracy_key, functional_key, result_key
from stitchlab.results.run import Run
from stitchlab.store import Store

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
Open = Callable[..., AppTest]
OWN = 0.96  # the end network's own accuracy in made-up runs


class Notes:
    """A `stitchlab.jobs.JobQueue` that computes nothing and notes what it was asked.

    Questions are answered at once, in this process, unless an answer was laid out for them.
    """

    store: Store  # set where pages get their queue

    def close(self) -> None:
        """What a server does with its queue at its end."""

    def __init__(self) -> None:
        self.started = False
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Answer] = {}
        self.prepared: list[dict[str, Any]] = []
        self.computed: list[Run] = []
        self.cancelled: list[str] = []
        self.cells: list[tuple[str, str] | None] = []
        self.judged: list[tuple[Detection, list[str], list[MethodCell]]] = []
        self.walked: list[tuple[str, str]] = []
        self.unasked: list[str] = []
        self.looked: list[str] = []
        self.trained = 0
        self.made: list[dict[str, Any]] = []
        self.uploads: list[str] = []
        self.measured: list[str] = []
        self.fetched: list[str] = []
        self.probed: list[dict[str, Any]] = []
        self.checked: list[tuple[dict[str, Any], list[str]]] = []
        self.states: dict[str, Status] = {}

    lacking = ""

    def start(self) -> None:
        self.started = True

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        self.asked.append((name, *arguments))
        if name in self.answers:
            return self.answers[name]
        plain = [argument.record if isinstance(argument, Run) else argument for argument in arguments]
        told = answer(f"stitchlab.worker.questions:{name}", str(self.store.root), *plain)
        return Answer("there", told["value"]) if "value" in told else Answer("failed", message=told["message"])

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        self.answers.pop(name, None)
        return self.ask(name, *arguments)

    def prepare(self, arguments: dict[str, Any]) -> None:
        self.prepared.append(arguments)
        self.states[preparation_job(arguments)] = Status("running", "preparing the request", 0.5)

    def compute(self, run: Run, cell: tuple[str, str] | None = None, last: str = "") -> Run:
        run.save()
        self.computed.append(run)
        self.cells.append(cell)
        self.states[run.id] = Status("running", "layer1.0 → layer1.0", 0.25, 8.0)
        return run

    def detect(
        self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[MethodCell], asked: bool = True
    ) -> None:
        self.judged.append((detection, list(detectors), list(cells)))
        self.unasked += [] if asked else [detection_job(run, detection, cells)]
        self.states[detection_job(run, detection, cells)] = Status("running", "detectors on layer1.0", 0.25, 8.0)

    def compute_trajectory(self, run: Run, front_layer: str, end_layer: str, asked: bool = True) -> None:
        self.walked.append((front_layer, end_layer))
        self.unasked += [] if asked else [trajectory_job(run, front_layer, end_layer)]
        self.states[trajectory_job(run, front_layer, end_layer)] = Status("running", "following the epochs", 0.25, 8.0)

    def train_demo(self) -> None:
        if DEMO not in self.states or not self.states[DEMO].active:
            self.trained += 1
            self.states[DEMO] = Status("queued", "training two networks on digits")

    def train(self, arguments: dict[str, Any]) -> None:
        self.made.append(arguments)
        self.states[network_job(arguments["name"])] = Status("running", "epoch 1 of 3, loss 2.30", 0.1, 8.0)

    def bring(self, upload: str, arguments: dict[str, Any]) -> None:
        self.uploads.append(upload)
        self.made.append(arguments)
        self.states[network_job(arguments["name"])] = Status("queued", f"importing {arguments['name']}")

    def measure(self, network: str) -> None:
        self.measured.append(network)
        self.states[measurement_job(network)] = Status("running", "measuring", 0.5)

    def probe(self, arguments: dict[str, Any], label: str) -> None:
        self.probed.append(arguments)
        self.states[probes_job(arguments)] = Status("running", label, 0.5)

    def check(self, suite: dict[str, Any], checks: Sequence[str]) -> None:
        self.checked.append((suite, list(checks)))
        self.states[checks_job(suite)] = Status("running", "checking measures", 0.5)

    def price(self, suite: dict[str, Any], checks: Sequence[str], cache_key: Any = None, wait: float = 0.0) -> Answer:
        return self.ask("checks_price", suite, list(checks), "cpu")

    def fetch(self, data: str) -> None:
        self.fetched.append(data)
        self.states[download_job(data)] = Status("running", f"getting {data}", 0.5)

    def networks_in_progress(self) -> dict[str, Status]:
        prefix = network_job("")
        return {
            job.removeprefix(prefix): status
            for job, status in self.states.items()
            if job.startswith(prefix) and status.state != "done"
        }

    def curve(self, name: str) -> list[dict[str, float]]:
        return [{"epoch": 1, "loss": 1.5, "train": 0.4, "test": 0.5}]

    def forget(self, job: str) -> None:
        del self.states[job]

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)
        self.states[job] = Status("cancelled")

    def status(self, job: str) -> Status | None:
        assert job, "a job has a name"
        return self.states.get(job)

    def recent(self, limit: int = 60) -> dict[str, Status]:
        return dict(self.states)

    def look(self, job: str) -> Status | None:
        self.looked.append(job)
        return self.status(job)

    def estimate(self, run: Run, wait: float = 0.0) -> Answer:
        return self.answers.get("seconds", Answer("there", {"seconds": 12.0, "timed": True, "cheaper": []}))


def widget(at: AppTest, kind: str, key: str) -> Any:
    return next(w for w in at.get(kind) if w.key == key)


def has(at: AppTest, kind: str, key: str) -> bool:
    return any(w.key == key for w in at.get(kind))


def pickers(at: AppTest) -> AppTest:
    """The page with its pickers open, as a click opens them."""
    return at if has(at, "selectbox", "front") else at.button(key="pick").click().run()


def all_numbers(at: AppTest) -> AppTest:
    """The page with all numbers of the selected cell, as a click on their expander shows them."""
    at.session_state["numbers"] = True
    return at.run()


def charts(at: AppTest) -> list[dict[str, Any]]:
    """The figures, as JSON."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def heading(figure: dict[str, Any]) -> str:
    """The title of a figure and the line under it, as they read."""
    return re.sub("<[^>]*>", "", figure["layout"]["title"]["text"].replace("<br>", " "))


def drawn(figure: dict[str, Any]) -> npt.NDArray[np.float64]:
    """The numbers of the heatmap with a colour bar."""
    (trace,) = [t for t in figure["data"] if t["type"] == "heatmap" and t.get("showscale", True)]
    z = trace["z"]
    if isinstance(z, list):
        return np.array(z, dtype=float)
    shape = [int(n) for n in str(z["shape"]).split(",")]
    return np.frombuffer(base64.b64decode(z["bdata"]), dtype=z["dtype"]).reshape(shape).astype(float)


def layers_of(figure: dict[str, Any]) -> tuple[list[str], list[str]]:
    return figure["layout"]["yaxis"]["ticktext"], figure["layout"]["xaxis"]["ticktext"]


def elements(at: AppTest, kind: str) -> list[Any]:
    """Elements of a kind that AppTest has no class for, or no attribute: each has a shape of its own."""
    return list(at.get(kind))


def text(at: AppTest, *kinds: str) -> str:
    """All words of such elements, as they read: not escaped."""
    return re.sub(r"\\([^\w\s])|\u2060", r"\1", "\n".join(str(e.value) for kind in kinds for e in elements(at, kind)))


def tables(at: AppTest) -> str:
    """All cells of the small tables, with plain minus signs."""
    return "\n".join(str(cell) for table in at.table for cell in table.value.to_numpy().ravel()).replace("−", "-")


def sound(at: AppTest) -> AppTest:
    """Nothing was raised."""
    assert not at.exception, [error.message for error in at.exception]
    return at


def fill(run: Run, lacking: int = 0) -> Run:
    """Made-up numbers for all cells of a run but the last few columns."""
    random = np.random.default_rng(0)
    request = run.request
    remarks = {"seconds": 1.0, "device": "cpu on nowhere", "computed": "2026-01-01T00:00:00+00:00", "versions": {}}
    run.store.put("accuracies", accuracy_key(request, request.end), {"accuracy": OWN})
    for name in (*request.methods, *request.indices):
        for i in request.front_layers:
            for j in request.end_layers[: len(request.end_layers) - lacking]:
                number = float(random.uniform(0.05, 0.95))
                numbers = {
                    "accuracy": number,
                    "distance": None,
                    "reason": "the native activations are all 0",
                    "similarity": number,
                } | ({} if name.startswith("cka") else {"distance": number / 2})
                run.store.put("cells", result_key(request, name, i, j), numbers | remarks)
                if name in METHODS:
                    run.store.put(
                        "cells",
                        functional_key(request, name, i, j),
                        remarks
                        | {
                            "agreement": number,
                            "jsd": 1 - number,
                            "error_consistency": 2 * number - 1,
                            "reasons": {},
                            "seconds": 0.0,
                        },
                    )
    return Run(run.store, run.record)
