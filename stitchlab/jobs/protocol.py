"""Say what pages use of the queue, so that a test can give them another queue that only takes notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from stitchlab.jobs.questions import Answer
from stitchlab.jobs.status import Status
from stitchlab.request import Cell, Detection
from stitchlab.results.detection import MethodCell
from stitchlab.results.run import Run
from stitchlab.store import Store


class JobQueue(Protocol):
    """Represent a queue of jobs as pages see it; `stitchlab.jobs.Jobs` says what each method does."""

    @property
    def store(self) -> Store:
        """Return the store in which networks and results are kept."""

    @property
    def lacking(self) -> str:
        """Say in one line what to install before anything can be computed; empty if nothing is missing."""

    def start(self) -> None:
        """Connect to the workers, or start them."""

    def close(self) -> None:
        """Shut the workers down, or disconnect from them."""

    def status(self, job: str) -> Status | None:
        """Return the status of a job."""

    def look(self, job: str) -> Status | None:
        """Return the status of a job for a page that shows it."""

    def recent(self, limit: int = ...) -> dict[str, Status]:
        """List the jobs that had news last."""

    def cancel(self, job: str) -> None:
        """Stop a job."""

    def forget(self, job: str) -> None:
        """Remove a job that has ended."""

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question. Args: name, arguments, wait: as in `Jobs.ask`."""

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question anew. Args: name, arguments, wait: as in `Jobs.ask_again`."""

    def estimate(self, run: Run, wait: float = 0.0) -> Answer:
        """Ask how many seconds what is missing of a run should take."""

    def price(self, suite: dict[str, Any], checks: Sequence[str], cache_key: Any = None, wait: float = 0.0) -> Answer:
        """Ask how long checks should take. Args: suite, checks, cache_key, wait: as in `Jobs.price`."""

    def compute(self, run: Run, cell: Cell | None = None, last: str = "") -> Run:
        """Queue what is missing of a run. Args: run, cell, last: as in `Jobs.compute`."""

    def prepare(self, arguments: dict[str, Any]) -> None:
        """Queue the making of what a request needs."""

    def detect(
        self, run: Run, detection: Detection, detectors: Sequence[str], cells: Sequence[MethodCell], asked: bool = True
    ) -> None:
        """Queue detectors. Args: run, detection, detectors, cells, asked: as in `Jobs.detect`."""

    def compute_trajectory(self, run: Run, front_layer: str, end_layer: str, asked: bool = True) -> None:
        """Queue a cell's trajectory. Args: run, front_layer, end_layer, asked: as in `Jobs.compute_trajectory`."""

    def train(self, arguments: dict[str, Any]) -> None:
        """Queue the training of a network."""

    def bring(self, upload: str, arguments: dict[str, Any]) -> None:
        """Queue the import of an uploaded file of weights."""

    def measure(self, network: str) -> None:
        """Queue the measuring of a network on its test images."""

    def probe(self, arguments: dict[str, Any], label: str) -> None:
        """Queue linear probes of a network."""

    def check(self, suite: dict[str, Any], checks: Sequence[str]) -> None:
        """Queue checks of measures."""

    def fetch(self, data: str) -> None:
        """Queue the download of a data set."""

    def train_demo(self) -> None:
        """Queue the training of the demo's networks."""

    def networks_in_progress(self) -> dict[str, Status]:
        """List the networks that are being made or could not be made, by name."""

    def curve(self, name: str) -> list[dict[str, float]]:
        """Read the training curve so far of a network."""
