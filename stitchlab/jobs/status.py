"""Tell how a job stands from what its workers wrote into the store, so that any process may look.

An attempt at a job, ``{job}-{8 digits}``, has an entry ``{attempt}.{k}`` for each of its tasks in the room
``progress``, and one in the room ``cancel`` once it was told to stop.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from stitchlab.store import Store

SOME_WAY = 0.05  # of a task, after which its rate says something; starting up does not count
QUIET = 60.0  # seconds without a word after which a job of another process counts as interrupted


State = Literal["queued", "running", "done", "cancelled", "failed", "left", "interrupted"]


@dataclass(frozen=True)
class Status:
    """Describe a job's state: queued, running, done, cancelled, failed, left or interrupted.

    It was left where nobody had asked for it and nobody looked any more; interrupted where nobody works on it, whyever.
    ``what`` is being worked on, ``done`` is in 0..1, ``seconds_left`` is None while unknown: until it is done, or for
    one that is queued, until its turn; it waits ``behind`` this. ``message`` is the one line of a failure, ``result``
    what a job that is done has to say, where it has.
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
        """Tell whether somebody works on it or will."""
        return self.state in ("queued", "running")


def status(store: Store, record: dict[str, Any], futures: Sequence[Any], waits: bool = False) -> Status:
    """Return the state of the job with this record.

    Args:
        store: where workers tell.
        record: what `Jobs` keeps of a job (room ``jobs``).
        futures: Dask's, of its tasks, where this process asked for them.
        waits: whether this process has tasks of it that no worker was given yet.
    """
    attempt = record["attempt"]
    units = [store.intact("progress", f"{attempt}.{k}") for k in range(len(record["labels"]))]
    plan = store.intact("progress", f"{attempt}.plan")
    weights = plan["weights"] if plan else record["weights"]
    done = sum(w * (u["done"] if u else 0) for w, u in zip(weights, units, strict=True))
    told = [u for u in units if u is not None]
    last = max(told, key=lambda u: float(u["time"])) if told else {"what": record["labels"][0]}
    state, message = _state(store, record, told, futures, waits)
    found = Status(state, last["what"], done / sum(weights), message=message, result=last.get("result"))
    if state != "running":
        return found
    works = record.get("works") or ["it"] * len(units)
    timed = plan["timed"] if plan and "timed" in plan else [False] * len(units)
    return replace(found, seconds_left=_seconds_left(works, weights, timed, units))


def behind(store: Store, queued: Status, running: Sequence[str], others: int) -> Status:
    """Add to a queued job's state what it waits for.

    Args:
        store: where workers write their progress.
        queued: the job's state.
        running: the tasks that workers have now, ``{attempt}.{k}`` each.
        others: how many other jobs come first.

    Returns:
        the state, with the task that ends first, and the seconds until then if no other job comes first.
    """
    if not running:
        return queued
    told = {task: store.intact("progress", task) for task in running}
    left = {task: seconds for task, unit in told.items() if unit and (seconds := _left(unit)) is not None}
    first = min(left, key=left.__getitem__) if left else running[0]
    more = "" if not others else " and another job" if others == 1 else f" and {others} other jobs"
    return replace(queued, behind=_label(store, first) + more, seconds_left=None if others else left.get(first))


def _label(store: Store, task: str) -> str:
    attempt, _, k = task.rpartition(".")
    record = store.intact("jobs", attempt.rpartition("-")[0])
    return str(record["labels"][int(k)]) if record and record["attempt"] == attempt else "work that is ending"


def recent(store: Store, most: int) -> list[str]:
    """List the jobs with the latest news, newest first."""
    last: dict[str, float] = {}
    for room in ("jobs", "progress"):
        for name, when in _written(store, room):
            job = name if room == "jobs" else re.sub(r"-[0-9a-f]{8}(\.[^-]*)?$", "", name)
            last[job] = max(last.get(job, 0.0), when)
    there = set(store.keys("jobs"))
    return sorted(there & last.keys(), key=last.__getitem__, reverse=True)[:most]


def _written(store: Store, room: str) -> Iterator[tuple[str, float]]:
    """List the entries of a room with the time when each was written, except those that vanish meanwhile."""
    with contextlib.suppress(OSError), os.scandir(store.root / room) as entries:
        for entry in entries:
            if entry.name.endswith(".json"):
                with contextlib.suppress(OSError):
                    yield entry.name.removesuffix(".json"), entry.stat().st_mtime


def fail(store: Store, attempt: str, message: str) -> None:
    """Record that an attempt failed before any worker could say so.

    Args:
        store: where workers write their progress.
        attempt: the attempt at a job, ``{job}-{8 digits}``.
        message: the one line that users see.
    """
    now = time.time()
    store.put(
        "progress",
        f"{attempt}.0",
        {"state": "failed", "what": "", "done": 0.0, "message": message, "started": now, "time": now},
    )


def tidy(store: Store, job: str, keep: str = "") -> None:
    """Remove what attempts at a job left in the store.

    Who is still at work for one of them sees from the job's record that it shall stop.

    Args:
        store: where workers write their progress.
        job: its name.
        keep: the attempt whose entries stay; empty: none.
    """
    ours = re.compile(rf"{re.escape(job)}-[0-9a-f]{{8}}(?=$|\.)")
    for room in ("progress", "cancel"):
        for key in store.keys(room):
            if (found := ours.match(key)) and found[0] != keep:
                store.delete(room, key)


def _state(
    store: Store, record: dict[str, Any], told: Sequence[dict[str, Any]], futures: Sequence[Any], waits: bool
) -> tuple[State, str]:
    failed = [u["message"] for u in told if u["state"] == "failed"]
    # A worker that died could not tell; its future knows.
    failed += [f"a worker ended: {f.exception()}" for f in futures if f.status == "error" and not failed]
    if len(told) == len(record["labels"]) and all(u["state"] == "done" for u in told):
        return "done", ""  # also where a cancel came too late
    if store.has("cancel", record["attempt"]):
        return ("left" if (store.intact("cancel", record["attempt"]) or {}).get("left") else "cancelled"), ""
    ours = waits or any(not future.done() for future in futures)
    last = max([record["created"], *(u["time"] for u in told)])
    if ours or (not futures and not failed and time.time() - last < QUIET):
        return ("running" if told else "queued"), ""
    return ("failed", failed[0]) if failed else ("interrupted", "")


def _seconds_left(
    works: Sequence[str], weights: Sequence[float], timed: Sequence[bool], units: Sequence[dict[str, Any] | None]
) -> float | None:
    """Estimate the seconds left from the rates of this job's own tasks, once each kind left has come some way.

    Rates of other kinds say nothing: direct matching mostly loads, task loss matching computes. A kind none of whose
    tasks has come any way yet has the seconds that weights are, where work like it was timed on this machine.
    """
    spent: dict[str, list[float]] = {}
    for work, weight, unit in zip(works, weights, units, strict=True):
        if unit is not None and unit["done"] > SOME_WAY and weight > 0:
            one = spent.setdefault(work, [0.0, 0.0])
            one[0] += unit["time"] - unit["started"]
            one[1] += unit["done"] * weight
    total = 0.0
    for work, weight, known, unit in zip(works, weights, timed, units, strict=True):
        rest = weight * (1 - (unit["done"] if unit else 0.0))
        if work not in spent and rest > 0 and not known:
            return None
        total += rest * (spent[work][0] / spent[work][1] if work in spent else 1.0)
    beside = sum(unit is not None and unit["state"] == "running" for unit in units)
    return float(total / max(1, beside))


def _left(unit: dict[str, Any]) -> float | None:
    """Estimate the seconds that a running task will still take, from its own rate."""
    if unit["done"] <= SOME_WAY:
        return None
    return float(max(0.0, (unit["time"] - unit["started"]) / unit["done"] - (time.time() - unit["started"])))
