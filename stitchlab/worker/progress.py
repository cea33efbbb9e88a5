"""Run a task's work: write its progress and its result into the store, and stop it where the store says so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from stitchlab.errors import Cancelled, StitchLabError, one_line
from stitchlab.request import Report
from stitchlab.results import job_records
from stitchlab.results.job_records import TaskProgress, TaskState
from stitchlab.store import Store
from stitchlab.store.page_views import ViewWatch

PROGRESS_INTERVAL_S = 0.3  # between two times that a task's progress is written


def run_with_progress(
    store: Store, attempt: str, k: int, label: str, work: Callable[[Report], dict[str, Any] | None]
) -> None:
    """Do the work, write its progress and its result into the store, and stop where the store says so.

    Args:
        store: where progress is written.
        attempt: the attempt at the job, ``{job}-{8 digits}``.
        k: which of its tasks this is.
        label: what the task does, in words for people.
        work: does it, and returns the result as JSON, or None.
    """
    key, views = job_records.task_key(attempt, k), ViewWatch(store, attempt)
    started, last_written = time.time(), 0.0

    def write(what: str, done: float, state: TaskState = "running", message: str = "", result: Any = None) -> None:
        job_records.write_task(store, key, TaskProgress(state, what, done, message, started, time.time(), result))

    def report(what: str, done: float) -> None:
        nonlocal last_written
        if job_records.is_cancelled(store, attempt):
            raise Cancelled("cancelled")
        if time.monotonic() - last_written > PROGRESS_INTERVAL_S:
            if (record := job_records.read_latest(store, attempt)) is None:
                raise Cancelled("the job was removed or started again")
            if not record.asked and views.page_left:
                job_records.cancel(store, attempt, page_left=True)
                raise Cancelled("no user asked for it, and no page shows it any more")
            last_written = time.monotonic()
            write(what, done)

    try:
        report(label, 0.0)
        result = work(report)
        write(label, 1.0, "done", result=result)
    except Cancelled:
        with contextlib.suppress(StitchLabError):
            # Nobody reads, and nobody would remove, the progress of an attempt that is not the latest one.
            if job_records.read_latest(store, attempt) is not None:
                write(label, 0.0, "cancelled")
    except Exception as error:
        with contextlib.suppress(StitchLabError):  # the disk may be full, and that may be the error
            write(label, 0.0, "failed", one_line(error))
        raise
