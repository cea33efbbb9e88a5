"""Record jobs, give them their turns at the workers, watch them and end them, without knowing what they compute.

The store keeps a record of each job under its name (`stitchlab.results.job_records`). When a job is queued again, the
record of the new attempt replaces that of the last one.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from stitchlab.jobs import status as job_status
from stitchlab.jobs.calls import run as call
from stitchlab.jobs.connection import TASKS, Connection, NotInstalled, let_run
from stitchlab.jobs.local_workers import WorkerKind
from stitchlab.jobs.status import Status
from stitchlab.jobs.turns import PAGES_PRIORITY, Attempt, Turns, WorkerCall
from stitchlab.results import job_records
from stitchlab.results.job_records import JobRecord, TaskDescription
from stitchlab.store import Store, page_views, uploads

MAX_LISTED_JOBS = 60


class Queue:
    """Keep jobs by their names, and the connection to the workers that do them."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.store, self._connection = store, connection
        self._lock = threading.Lock()
        self._turns = Turns(store, connection)

    @property
    def lacking(self) -> str:
        """Say in one line what to install before anything can be computed; empty if nothing is missing."""
        return self._connection.lacking

    def start(self) -> None:
        """Connect to the workers, or start them, in the background, so that they are ready when they are needed."""
        if not self.lacking:
            self._connection.client()

    def status(self, job: str) -> Status | None:
        """Return the status of a job; None if it was never queued."""
        record = job_records.read_job(self.store, job)
        if record is None:
            return None
        attempt = self._turns.find(record.attempt)  # None if another process began it
        futures, waits = (attempt.sent, attempt.waits) if attempt else ([], False)
        status = job_status.status_of(self.store, record, futures, waits)
        if status.state != "queued":
            return status
        return job_status.with_wait(self.store, status, *self._turns.before(record.attempt))

    def recent(self, limit: int = MAX_LISTED_JOBS) -> dict[str, Status]:
        """List the jobs that had news last, newest first, with their statuses; this does not count as showing them."""
        statuses = {job: self.status(job) for job in job_status.latest_jobs(self.store, limit)}
        return {job: status for job, status in statuses.items() if status is not None}

    def look(self, job: str) -> Status | None:
        """Return a job's status for a page that shows it: such jobs go first, and go on even if no user asked."""
        if record := job_records.read_job(self.store, job):
            self._turns.record_view(record.attempt)
            if not record.asked:
                page_views.record_view(self.store, record.attempt)
        return self.status(job)

    def cancel(self, job: str) -> None:
        """Stop a job within seconds; finished cells are kept. Do nothing if there is no such job."""
        if record := job_records.read_job(self.store, job):
            job_records.cancel(self.store, record.attempt)
            self._turns.stop(record.attempt)
            if record.upload:
                uploads.remove(self.store, record.upload)

    def forget(self, job: str) -> None:
        """Remove a job that has ended, with everything that is kept about it."""
        if record := job_records.read_job(self.store, job):
            self._turns.stop(record.attempt)
        self.store.delete(job_records.JOBS, job)
        job_status.remove_attempts(self.store, job)

    def close(self) -> None:
        """Shut down the workers of this machine, or disconnect from a cluster elsewhere."""
        self._turns.close()
        self._connection.close()

    def _submit(
        self,
        job: str,
        kind: WorkerKind,
        tasks: Sequence[tuple[WorkerCall, TaskDescription]],
        *,
        upload: str = "",
        planning: WorkerCall | None = None,
        asked: bool = True,
    ) -> None:
        """Queue tasks for workers of a kind, unless the job is active already.

        Args:
            job: its name.
            kind: of the workers that do the tasks.
            tasks: in the order in which workers get them.
            upload: the key of the uploaded file that the job reads.
            planning: a call that estimates what share of the work each task is; the worker that answers pages does it.
            asked: whether a user asked for the job. If it is active already, that is noted.
        """
        if self.lacking:
            raise NotInstalled(self.lacking)
        with self._lock:
            if (status := self.status(job)) is not None and status.active:
                if asked:
                    self._mark_asked(job)
                return
            connected = self._connection.client()
            if self._connection.remote:  # a cluster that does not answer is an error here, and not later on a page
                connected.result()
            self._connection.repair()
            attempt = f"{job}-{uuid.uuid4().hex[:8]}"
            descriptions = tuple(description for _, description in tasks)
            self._record(job, JobRecord(attempt, descriptions, time.time(), upload, asked))
            self._turns.add(Attempt(attempt, kind, [task for task, _ in tasks], asked))
            if planning is not None:
                connected.add_done_callback(partial(self._plan, attempt, planning))

    def _mark_asked(self, job: str) -> None:
        """Note that a user has now asked for a job that is active already."""
        record = job_records.read_job(self.store, job)
        if record is not None and not record.asked:
            job_records.write_job(self.store, job, replace(record, asked=True))
            self._turns.mark_asked(record.attempt)

    def _record(self, job: str, record: JobRecord) -> None:
        """Write the record of a new attempt at a job, and remove what is kept of the last attempt."""
        if previous := job_records.read_job(self.store, job):
            self._turns.stop(previous.attempt)
        job_records.write_job(self.store, job, record)
        job_status.remove_attempts(self.store, job, keep=record.attempt)

    def _plan(self, attempt: str, planning: WorkerCall, connected: Future[Any]) -> None:
        """Have the worker that answers pages estimate each task's share of the work; no task waits for that."""
        if connected.exception() is not None:
            return
        let_run(
            connected.result().submit(
                call,
                f"{TASKS}:{planning.function}",
                str(self.store.root),
                *planning.arguments,
                attempt,
                pure=False,
                priority=PAGES_PRIORITY,
                **self._connection.place("pages"),
            )
        )
