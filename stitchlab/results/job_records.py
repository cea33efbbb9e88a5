"""Read and write what the store keeps of jobs: the queue writes which tasks there are, workers how far each has come.

A job is done by *attempts*, each called ``{job}-{8 hexadecimal digits}``. The store keeps

* in the room ``jobs`` the record of a job's latest attempt, under the job's name;
* in the room ``progress``, for each attempt, how far each of its tasks has come (``{attempt}.{task}``), the curve of a
  training (``{attempt}.{task}.curve``) and what share of the work each task is (``{attempt}.plan``);
* in the room ``cancel`` a mark for each attempt that shall stop.

Entries that are damaged count as not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stitchlab.results.plan import GridWork
from stitchlab.store import Store

JOBS: Literal["jobs"] = "jobs"
PROGRESS: Literal["progress"] = "progress"
CANCEL: Literal["cancel"] = "cancel"

#: Kinds of tasks that take time at different rates: work on a grid, detectors that need no training or do, the rest.
TaskWork = GridWork | Literal["quick", "learning", "it"]
TaskState = Literal["running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class TaskDescription:
    """Describe a task of a job.

    Attributes:
        label: what the task does, in words for people.
        weight: its share of the job's work, on any scale.
        work: what kind of work it is. Tasks of one kind progress at the same rate.
    """

    label: str
    weight: float = 1.0
    work: TaskWork = "it"


@dataclass(frozen=True)
class JobRecord:
    """Describe the latest attempt at a job.

    Attributes:
        attempt: its name.
        tasks: in the order in which workers get them.
        created: when it was queued, in seconds since 1970.
        upload: the key of the uploaded file that it reads; empty if it reads none.
        asked: whether a user asked for it. An attempt that nobody asked for ends soon after its page is left.
    """

    attempt: str
    tasks: tuple[TaskDescription, ...]
    created: float
    upload: str = ""
    asked: bool = True

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> JobRecord:
        """Read the record from its JSON; older records name neither kinds of work nor whether anybody asked."""
        labels = record["labels"]
        works = record.get("works") or ["it"] * len(labels)
        return cls(
            record["attempt"],
            tuple(map(TaskDescription, labels, record["weights"], works)),
            record["created"],
            record.get("upload", ""),
            record.get("asked", True),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the record as JSON."""
        return {
            "labels": [task.label for task in self.tasks],
            "weights": [task.weight for task in self.tasks],
            "works": [task.work for task in self.tasks],
            "upload": self.upload,
            "asked": self.asked,
            "attempt": self.attempt,
            "created": self.created,
        }


@dataclass(frozen=True)
class TaskProgress:
    """Describe how far a task has come, as the worker that does it wrote last.

    Attributes:
        state: whether it is running, or how it ended.
        what: what is being done now, in words for people.
        done: how much of the task is done, 0..1.
        message: why it failed, in one line; empty if it did not.
        started: when the worker began, in seconds since 1970 by the worker's clock.
        time: when this was written, likewise.
        result: what a task that is done has to hand over, as JSON; None: nothing.
    """

    state: TaskState
    what: str
    done: float
    message: str
    started: float
    time: float
    result: dict[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Return how long the task had been worked on when this was written."""
        return self.time - self.started

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TaskProgress:
        """Read the progress from its JSON."""
        return cls(
            record["state"],
            record["what"],
            record["done"],
            record["message"],
            record["started"],
            record["time"],
            record.get("result"),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the progress as JSON; only a task that is done has a result."""
        record = {
            "state": self.state,
            "what": self.what,
            "done": self.done,
            "message": self.message,
            "started": self.started,
            "time": self.time,
        }
        return record | {"result": self.result} if self.state == "done" else record


@dataclass(frozen=True)
class AttemptPlan:
    """Describe what share of an attempt's work each of its tasks is, once a worker has estimated that.

    Attributes:
        weights: of each task. They are seconds where similar work was timed on this machine.
        timed: for each task, whether similar work was timed on this machine; empty in older plans.
    """

    weights: tuple[float, ...]
    timed: tuple[bool, ...] = ()


def read_job(store: Store, job: str) -> JobRecord | None:
    """Read the record of a job's latest attempt; None if the job was never queued."""
    record = store.intact(JOBS, job)
    return None if record is None else JobRecord.from_json(record)


def write_job(store: Store, job: str, record: JobRecord) -> None:
    """Write the record of a job's latest attempt.

    Args:
        store: where it is kept.
        job: the job's name.
        record: what to keep.
    """
    store.put(JOBS, job, record.to_json())


def read_latest(store: Store, attempt: str) -> JobRecord | None:
    """Read the record of an attempt; None if it is no longer its job's latest one, or if the job was removed."""
    record = read_job(store, job_of(attempt))
    return record if record is not None and record.attempt == attempt else None


def job_of(attempt: str) -> str:
    """Return the name of the job that this is an attempt at.

    >>> job_of("making-resnet-0123abcd")
    'making-resnet'
    """
    return attempt.rpartition("-")[0]


def task_key(attempt: str, task: int) -> str:
    """Return the key of a task, given by its number: Dask and the room ``progress`` know it by this key."""
    return f"{attempt}.{task}"


def read_task(store: Store, key: str) -> TaskProgress | None:
    """Read how far the task of this key (`task_key`) has come; None if no worker has begun it."""
    record = store.intact(PROGRESS, key)
    return None if record is None else TaskProgress.from_json(record)


def write_task(store: Store, key: str, progress: TaskProgress) -> None:
    """Write how far a task has come.

    Args:
        store: where it is kept.
        key: of the task (`task_key`).
        progress: what to keep.
    """
    store.put(PROGRESS, key, progress.to_json())


def read_plan(store: Store, attempt: str) -> AttemptPlan | None:
    """Read what share of an attempt's work each task is; None if that was not estimated."""
    record = store.intact(PROGRESS, f"{attempt}.plan")
    return None if record is None else AttemptPlan(tuple(record["weights"]), tuple(record.get("timed", ())))


def write_plan(store: Store, attempt: str, plan: AttemptPlan) -> None:
    """Write what share of an attempt's work each task is.

    Args:
        store: where it is kept.
        attempt: its name.
        plan: what to keep.
    """
    store.put(PROGRESS, f"{attempt}.plan", {"weights": list(plan.weights), "timed": list(plan.timed)})


def read_curve(store: Store, task: str) -> list[dict[str, float]]:
    """Read the training curve so far of the task of this key, a point for each epoch; empty if there is none."""
    record = store.intact(PROGRESS, f"{task}.curve")
    return record["curve"] if record else []


def write_curve(store: Store, task: str, curve: Sequence[dict[str, Any]]) -> None:
    """Write the training curve so far of a task.

    Args:
        store: where it is kept.
        task: the key of the task (`task_key`).
        curve: a point for each epoch.
    """
    store.put(PROGRESS, f"{task}.curve", {"curve": list(curve)})


def cancel(store: Store, attempt: str, *, page_left: bool = False) -> None:
    """Mark an attempt as one that shall stop: the workers of its tasks see the mark between two steps.

    Args:
        store: where workers look for the mark.
        attempt: its name.
        page_left: whether it stops because no page shows it any more, and not because a user said so.
    """
    store.put(CANCEL, attempt, {"left": True} if page_left else {})


def is_cancelled(store: Store, attempt: str) -> bool:
    """Tell whether an attempt is marked as one that shall stop."""
    return store.has(CANCEL, attempt)


def is_page_left(store: Store, attempt: str) -> bool:
    """Tell whether an attempt was stopped because no page showed it any more."""
    return bool((store.intact(CANCEL, attempt) or {}).get("left"))
