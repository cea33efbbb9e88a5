"""How a job stands, read off what its workers told the store: so any process may look, not only the one that asked.

An attempt at a job, ``{job}-{8 digits}``, has an entry ``{attempt}.{k}`` for each of its tasks in the room
``progress``, and one in the room ``cancel`` once it was told to stop.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from stitchlab.store import Store

QUIET = 60.0  # seconds without a word after which a job of another process counts as interrupted


@dataclass(frozen=True)
class Status:
    """How a job stands: queued, running, done, cancelled, failed, or interrupted (nobody works on it any more).

    ``what`` is being worked on, ``done`` is in 0..1, ``seconds_left`` is None while unknown, ``message`` is the one
    line of a failure, ``result`` what a job that is done has to say, where it has.
    """

    state: str
    what: str = ""
    done: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    result: dict[str, Any] | None = None

    @property
    def active(self) -> bool:
        """Whether somebody works on it or will."""
        return self.state in ("queued", "running")


def status(store: Store, record: dict[str, Any], futures: Sequence[Any]) -> Status:
    """Say how the job of this record stands.

    Args:
        store: where workers tell.
        record: what `Jobs` keeps of a job (room ``jobs``).
        futures: Dask's, of its tasks, where this process asked for them.
    """
    attempt = record["attempt"]
    units = [store.intact("progress", f"{attempt}.{k}") for k in range(len(record["labels"]))]
    plan = store.intact("progress", f"{attempt}.plan")
    weights = plan["weights"] if plan else record["weights"]
    done = sum(w * (u["done"] if u else 0) for w, u in zip(weights, units, strict=True))
    told = [u for u in units if u is not None]
    last = max(told, key=lambda u: float(u["time"])) if told else {"what": record["labels"][0]}
    state, message = _state(store, record, told, futures)
    found = Status(state, last["what"], done / sum(weights), message=message, result=last.get("result"))
    return replace(found, seconds_left=_seconds_left(weights, units, done)) if found.active else found


def fail(store: Store, attempt: str, message: str) -> None:
    """Say that an attempt failed before any worker could say so."""
    now = time.time()
    store.put("progress", f"{attempt}.0", {"state": "failed", "what": "", "done": 0.0, "message": message,
                                           "started": now, "time": now})


def tidy(store: Store, job: str, keep: str = "") -> None:
    """Remove what attempts at a job left in the store, but for the attempt to ``keep``.

    Who is still at work for one of them sees from the job's record that it shall stop.
    """
    ours = re.compile(rf"{re.escape(job)}-[0-9a-f]{{8}}(?=$|\.)")
    for room in ("progress", "cancel"):
        for key in store.keys(room):
            if (found := ours.match(key)) and found[0] != keep:
                store.delete(room, key)


def _state(
    store: Store, record: dict[str, Any], told: Sequence[dict[str, Any]], futures: Sequence[Any]
) -> tuple[str, str]:
    failed = [u["message"] for u in told if u["state"] == "failed"]
    # A worker that died could not tell; its future knows.
    failed += [f"a worker ended: {f.exception()}" for f in futures if f.status == "error" and not failed]
    if len(told) == len(record["labels"]) and all(u["state"] == "done" for u in told):
        return "done", ""  # also where a cancel came too late
    if store.has("cancel", record["attempt"]):
        return "cancelled", ""
    ours = any(not future.done() for future in futures)
    last = max([record["created"], *(u["time"] for u in told)])
    if ours or (not futures and not failed and time.time() - last < QUIET):
        return ("running" if told else "queued"), ""
    return ("failed", failed[0]) if failed else ("interrupted", "")


def _seconds_left(weights: Sequence[float], units: Sequence[dict[str, Any] | None], done: float) -> float | None:
    """At the rate of the unit that spoke last, once it has come some way; starting up does not count.

    Other units that are at work beside it are as fast.
    """
    moving = [(u, w) for u, w in zip(units, weights, strict=True) if u is not None and u["done"] > 0.05 and w > 0]
    if not moving:
        return None
    unit, weight = max(moving, key=lambda pair: float(pair[0]["time"]))
    rate = (unit["time"] - unit["started"]) / (unit["done"] * weight)
    beside = sum(u is not None and u["state"] == "running" for u in units)
    return float(rate * (sum(weights) - done) / max(1, beside))
