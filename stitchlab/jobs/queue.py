"""Record jobs, give them their turns at the workers, watch them and end them, without knowing what they compute.

A job's record lies in the store's room ``jobs`` under its name; each new attempt at it takes the place of the one
before.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from stitchlab.jobs import status as standing
from stitchlab.jobs.calls import run as call
from stitchlab.jobs.connection import TASKS, Connection, NotInstalled, let_run
from stitchlab.jobs.local_workers import Kind
from stitchlab.jobs.status import Status
from stitchlab.jobs.turns import PAGES_FIRST, Attempt, Task, Turns
from stitchlab.store import Store, looks, uploads

RECENT = 60  # jobs that are listed


class Queue:
    """Keep jobs by their names, and the workers that do them."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.store, self._connection = store, connection
        self._lock = threading.Lock()
        self._turns = Turns(store, connection)

    @property
    def lacking(self) -> str:
        """Say in one line what to install before anything can be computed; empty if nothing is missing."""
        return self._connection.lacking

    def start(self) -> None:
        """Connect to the workers, or start them, in the background, so that they are there when they are needed."""
        if not self.lacking:
            self._connection.client()

    def status(self, job: str) -> Status | None:
        """Return the state of a job; None if it was never queued."""
        record = self.store.intact("jobs", job)
        if record is None:
            return None
        mine = self._turns.find(record["attempt"])
        found = standing.status(self.store, record, mine.sent if mine else [], mine is not None and mine.waits)
        if found.state != "queued":
            return found
        return standing.behind(self.store, found, *self._turns.before(record["attempt"]))

    def recent(self, most: int = RECENT) -> dict[str, Status]:
        """List the jobs with the latest news, newest first, with their states; this does not count as a page's look."""
        found = {job: self.status(job) for job in standing.recent(self.store, most)}
        return {job: status for job, status in found.items() if status is not None}

    def look(self, job: str) -> Status | None:
        """Return a job's state for a page that shows it: such jobs go first, and go on even unasked."""
        if record := self.store.intact("jobs", job):
            self._turns.look(record["attempt"])
            if not record.get("asked", True):
                looks.look(self.store, record["attempt"])
        return self.status(job)

    def cancel(self, job: str) -> None:
        """Stop a job within seconds; finished cells stay. Do nothing if there is no such job."""
        if record := self.store.intact("jobs", job):
            self.store.put("cancel", record["attempt"], {})
            self._turns.stop(record["attempt"])
            if record.get("upload"):
                uploads.remove(self.store, record["upload"])

    def forget(self, job: str) -> None:
        """Remove a job that has ended, with everything kept about it."""
        if record := self.store.intact("jobs", job):
            self._turns.stop(record["attempt"])
        self.store.delete("jobs", job)
        standing.tidy(self.store, job)

    def close(self) -> None:
        """Shut down the workers of this machine, or disconnect from somebody's cluster."""
        self._turns.close()
        self._connection.close()

    def _submit(
        self,
        job: str,
        kind: Kind,
        wanted: Sequence[Task],
        labels: list[str],
        weights: list[float] | None = None,
        *,
        works: list[str] | None = None,
        upload: str = "",
        planned: Task | None = None,
        asked: bool = True,
    ) -> None:
        """Queue tasks for workers of a kind, and on the pages' worker a task that finds their weights.

        What is at work already stays, but for having been asked for now.
        """
        if self.lacking:
            raise NotInstalled(self.lacking)
        told = {"labels": labels, "weights": weights or [1.0] * len(wanted), "works": works or ["it"] * len(wanted)}
        with self._lock:
            if (status := self.status(job)) is not None and status.active:
                self._ask(job, asked)
                return
            connected = self._connection.client()
            if self._connection.remote:  # which may not answer: whoever asks hears of it at once
                connected.result()
            self._connection.repair()
            attempt = self._begin(job, told | {"upload": upload, "asked": asked})
            self._turns.add(Attempt(attempt, kind, wanted, asked))
            if planned is not None:
                connected.add_done_callback(partial(self._plan, attempt, planned))

    def _ask(self, job: str, asked: bool) -> None:
        """Note that somebody has now asked for a job that is already at work."""
        record = self.store.intact("jobs", job)
        if asked and record is not None and not record.get("asked", True):
            self.store.put("jobs", job, record | {"asked": True})
            self._turns.ask(record["attempt"])

    def _begin(self, job: str, record: dict[str, Any]) -> str:
        """Record a new attempt at a job, drop what is kept of the last one, and return the new one's name."""
        if before := self.store.intact("jobs", job):
            self._turns.stop(before["attempt"])
        attempt = f"{job}-{uuid.uuid4().hex[:8]}"
        self.store.put("jobs", job, record | {"attempt": attempt, "created": time.time()})
        standing.tidy(self.store, job, keep=attempt)
        return attempt

    def _plan(self, attempt: str, planned: Task, connected: Future[Any]) -> None:
        """Have the pages' worker find each task's share of the work; nothing waits for that."""
        if connected.exception() is not None:
            return
        name, arguments = planned
        let_run(
            connected.result().submit(
                call,
                f"{TASKS}:{name}",
                str(self.store.root),
                *arguments,
                attempt,
                pure=False,
                priority=PAGES_FIRST,
                **self._connection.place("pages"),
            )
        )
