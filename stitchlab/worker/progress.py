"""Runs a task's work: tells the store how it goes and what comes of it, and stops it where the store says so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from stitchlab.errors import Cancelled, StitchLabError
from stitchlab.request import Report
from stitchlab.store import Store
from stitchlab.store.looks import Watch, leave

PROGRESS_INTERVAL_S = 0.3  # between two words on how a task goes


def run_with_progress(
    store: Store, attempt: str, k: int, label: str, work: Callable[[Report], dict[str, Any] | None]
) -> None:
    """Do the work, telling the store how it goes and what comes of it, and stop where the store says so.

    Args:
        store, attempt: that is told; of the job, ``{job}-{8 digits}``.
        k: which of its tasks this is.
        label: what the task is, for people.
        work: does it, and gives the result as JSON knows it, or None.
    """
    started = time.time()
    last = 0.0
    looks = Watch(store, attempt)

    def tell(what: str, done: float, state: str = "running", message: str = "", **more: Any) -> None:
        how = {"state": state, "what": what, "done": done, "message": message, "started": started, "time": time.time()}
        store.put("progress", f"{attempt}.{k}", how | more)

    def report(what: str, done: float) -> None:
        nonlocal last
        if store.has("cancel", attempt):
            raise Cancelled("cancelled")
        if time.monotonic() - last > PROGRESS_INTERVAL_S:
            if (record := current(store, attempt)) is None:
                raise Cancelled("the job was dropped, or started again")
            if not record.get("asked", True) and looks.left():
                leave(store, attempt)
                raise Cancelled("nobody asked for it, and nobody looks at it any more")
            last = time.monotonic()
            tell(what, done)

    try:
        report(label, 0.0)
        result = work(report)
        tell(label, 1.0, "done", result=result)
    except Cancelled:
        with contextlib.suppress(StitchLabError):
            if current(store, attempt) is not None:  # else nobody wants to know any more, and nobody would remove it
                tell(label, 0.0, "cancelled")
    except Exception as error:
        line = str(error).splitlines()[0] if str(error) else ""
        with contextlib.suppress(StitchLabError):  # the disk may be full, and that may be the error
            tell(label, 0.0, "failed", line if isinstance(error, StitchLabError) else f"{type(error).__name__}: {line}")
        raise


def current(store: Store, attempt: str) -> dict[str, Any] | None:
    """Read the record of a job whose latest attempt this is; None where it was let go or begun anew."""
    record = store.intact("jobs", attempt.rpartition("-")[0])
    return record if record is not None and record["attempt"] == attempt else None
