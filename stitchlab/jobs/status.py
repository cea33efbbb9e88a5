"""Say what state a job is in, from what the store keeps of it (`stitchlab.results.job_records`).

The store is enough for that, so any process can show a job, not only the one that queued it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from stitchlab.results import job_records
from stitchlab.results.job_records import JobRecord, TaskDescription, TaskProgress
from stitchlab.store import Store

MIN_SHARE_FOR_RATE = 0.05  # of a task: what is done by then is mostly starting up, and its rate says nothing
#: Seconds without any news after which a job that another process queued counts as interrupted.
SILENCE_UNTIL_INTERRUPTED_S = 60.0

State = Literal["queued", "running", "done", "cancelled", "failed", "left", "interrupted"]


@dataclass(frozen=True)
class Status:
    """Describe what state a job is in.

    Attributes:
        state: ``left`` is a job that no user asked for and that stopped when no page showed it any more;
            ``interrupted`` one that no process works on any more, for whatever reason.
        what: what is being done now, in words for people.
        done: how much of the job is done, 0..1.
        seconds_left: until a running job is done, or until a queued one begins; None while that is unknown.
        message: why it failed, in one line.
        result: what a job that is done has to hand over, as JSON; None: nothing.
        behind: the work that a queued job waits for, in words for people.
    """

    state: State
    what: str = ""
    done: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    result: dict[str, Any] | None = None
    behind: str = ""

    @property
    def active(self) -> bool:
        """Tell whether a process works on the job or will do so."""
        return self.state in ("queued", "running")


class TaskFuture(Protocol):
    """Represent a task that a worker was given: what is used of Dask's futures."""

    @property
    def status(self) -> str:
        """Return Dask's word for the task's state: pending, finished, error, cancelled or lost."""

    def done(self) -> bool:
        """Tell whether the task has ended, however it ended."""

    def exception(self) -> BaseException | None:
        """Return the error with which the task ended, if there was one."""

    def cancel(self) -> object:
        """Take the task back from the worker, unless the worker has begun it."""


def status_of(store: Store, record: JobRecord, futures: Sequence[TaskFuture], waits: bool = False) -> Status:
    """Return the status of the job with this record.

    Args:
        store: where workers write their progress.
        record: of the job.
        futures: of those of its tasks that this process gave to workers.
        waits: whether this process has tasks of it that no worker was given yet.
    """
    keys = [job_records.task_key(record.attempt, k) for k in range(len(record.tasks))]
    progress = [job_records.read_task(store, key) for key in keys]
    plan = job_records.read_plan(store, record.attempt)
    weights = [task.weight for task in record.tasks] if plan is None else list(plan.weights)
    done = sum(weight * (task.done if task else 0) for weight, task in zip(weights, progress, strict=True))
    begun = [task for task in progress if task is not None]
    last = max(begun, key=lambda task: task.time) if begun else None
    state, message = _state(store, record, begun, futures, waits)
    status = Status(
        state,
        record.tasks[0].label if last is None else last.what,
        done / sum(weights),
        message=message,
        result=None if last is None else last.result,
    )
    if state != "running":
        return status
    tasks = [replace(task, weight=weight) for task, weight in zip(record.tasks, weights, strict=True)]
    timed = plan.timed if plan is not None and plan.timed else [False] * len(tasks)
    return replace(status, seconds_left=_seconds_left(tasks, timed, progress))


def with_wait(store: Store, queued: Status, running: Sequence[str], jobs_before: int) -> Status:
    """Add to a queued job's status what the job waits for.

    Args:
        store: where workers write their progress.
        queued: the job's status.
        running: the keys of the tasks that workers do now (`stitchlab.results.job_records.task_key`).
        jobs_before: how many other jobs have their turn before this one.

    Returns:
        the status, with the task that ends first; with the seconds until then if no other job comes before.
    """
    if not running:
        return queued
    progress = {key: job_records.read_task(store, key) for key in running}
    estimates = {key: _task_seconds_left(task) for key, task in progress.items() if task is not None}
    left = {key: seconds for key, seconds in estimates.items() if seconds is not None}
    first = min(left, key=left.__getitem__) if left else running[0]
    others = "" if not jobs_before else " and another job" if jobs_before == 1 else f" and {jobs_before} other jobs"
    return replace(queued, behind=_label(store, first) + others, seconds_left=None if jobs_before else left.get(first))


def _label(store: Store, key: str) -> str:
    attempt, _, k = key.rpartition(".")
    record = job_records.read_latest(store, attempt)
    return record.tasks[int(k)].label if record else "work that is ending"


def latest_jobs(store: Store, limit: int) -> list[str]:
    """List the names of the jobs that had news last, newest first, at most so many."""
    times: dict[str, float] = {}
    for room in (job_records.JOBS, job_records.PROGRESS):
        for name, written in _entries(store, room):
            job = name if room == job_records.JOBS else re.sub(r"-[0-9a-f]{8}(\.[^-]*)?$", "", name)
            times[job] = max(times.get(job, 0.0), written)
    names = set(store.keys(job_records.JOBS))
    return sorted(names & times.keys(), key=times.__getitem__, reverse=True)[:limit]


def _entries(store: Store, room: str) -> Iterator[tuple[str, float]]:
    """List the entries of a room with the time when each was written, except those that are removed meanwhile."""
    with contextlib.suppress(OSError), os.scandir(store.root / room) as entries:
        for entry in entries:
            if entry.name.endswith(".json"):
                with contextlib.suppress(OSError):
                    yield entry.name.removesuffix(".json"), entry.stat().st_mtime


def record_failure(store: Store, attempt: str, message: str) -> None:
    """Record that an attempt failed before any worker began it.

    Args:
        store: where workers write their progress.
        attempt: its name.
        message: why, in the one line that users see.
    """
    now = time.time()
    job_records.write_task(
        store, job_records.task_key(attempt, 0), TaskProgress("failed", "", 0.0, message, started=now, time=now)
    )


def remove_attempts(store: Store, job: str, keep: str = "") -> None:
    """Remove the progress of attempts at a job from the store.

    A worker that is still busy with one of them stops because the job's record names another attempt, or is gone.

    Args:
        store: where workers write their progress.
        job: its name.
        keep: the attempt whose entries stay; empty: none.
    """
    of_this_job = re.compile(rf"{re.escape(job)}-[0-9a-f]{{8}}(?=$|\.)")
    for room in (job_records.PROGRESS, job_records.CANCEL):
        for key in store.keys(room):
            if (attempt := of_this_job.match(key)) and attempt[0] != keep:
                store.delete(room, key)


def _state(
    store: Store, record: JobRecord, begun: Sequence[TaskProgress], futures: Sequence[TaskFuture], waits: bool
) -> tuple[State, str]:
    """Return the state of a job, and why it failed if it did."""
    failures = [task.message for task in begun if task.state == "failed"]
    # A worker whose process died could not write that its task failed, but the future knows.
    failures += [f"a worker ended: {f.exception()}" for f in futures if f.status == "error" and not failures]
    if len(begun) == len(record.tasks) and all(task.state == "done" for task in begun):
        return "done", ""  # also where a cancel came too late
    if job_records.is_cancelled(store, record.attempt):
        return ("left" if job_records.is_page_left(store, record.attempt) else "cancelled"), ""
    in_this_process = waits or any(not future.done() for future in futures)
    last_news = max([record.created, *(task.time for task in begun)])
    is_recent = time.time() - last_news < SILENCE_UNTIL_INTERRUPTED_S
    if in_this_process or (not futures and not failures and is_recent):
        return ("running" if begun else "queued"), ""
    return ("failed", failures[0]) if failures else ("interrupted", "")


def _seconds_left(
    tasks: Sequence[TaskDescription], timed: Sequence[bool], progress: Sequence[TaskProgress | None]
) -> float | None:
    """Estimate the seconds left, from the rates of this job's own tasks; None while that is not possible.

    Each kind of work has its own rate: direct matching mostly loads, task loss matching computes. Where no task of a
    kind has progressed far enough to have a rate, its weights count as seconds if work like it was timed on this
    machine. If not, nothing can be said.

    Args:
        tasks: with their weights in the attempt's plan.
        timed: for each task, whether work like it was timed on this machine.
        progress: of each task; None where it has not begun.
    """
    seconds_spent: dict[str, float] = defaultdict(float)
    weight_done: dict[str, float] = defaultdict(float)
    for task, news in zip(tasks, progress, strict=True):
        if news is not None and news.done > MIN_SHARE_FOR_RATE and task.weight > 0:
            seconds_spent[task.work] += news.seconds
            weight_done[task.work] += news.done * task.weight
    total = 0.0
    for task, is_timed, news in zip(tasks, timed, progress, strict=True):
        rest = task.weight * (1 - (news.done if news else 0.0))
        if task.work not in seconds_spent and rest > 0 and not is_timed:
            return None
        total += rest * (seconds_spent[task.work] / weight_done[task.work] if task.work in seconds_spent else 1.0)
    running = sum(news is not None and news.state == "running" for news in progress)
    return float(total / max(1, running))


def _task_seconds_left(task: TaskProgress) -> float | None:
    """Estimate the seconds that a running task will still take, from its own rate; None while it has none."""
    if task.done <= MIN_SHARE_FOR_RATE:
        return None
    return float(max(0.0, task.seconds / task.done - (time.time() - task.started)))
