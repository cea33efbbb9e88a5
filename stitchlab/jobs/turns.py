"""Decide which attempt at a job has its turn next: tasks wait here until a worker of their kind is free.

Dask by itself would hand all tasks to its workers as soon as they are queued. A worker that has nothing to do would
then take any task from another, whatever its priority. So this process gives its own workers one task each. A cluster
elsewhere is given all tasks at once, since it is not known how many workers it has or will have.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stitchlab.errors import StitchLabError, one_line
from stitchlab.jobs import status as job_status
from stitchlab.jobs.calls import run as call
from stitchlab.jobs.connection import TASKS, Connection
from stitchlab.jobs.local_workers import WorkerKind
from stitchlab.jobs.status import TaskFuture
from stitchlab.results import job_records
from stitchlab.store import Store, page_views

# Priorities in Dask's queue. They matter where all kinds of tasks share one, as on most clusters elsewhere.
GRID_PRIORITY = 0
PAGES_PRIORITY = 500  # of work that a page waits for
UNASKED_PENALTY = 10_000  # is subtracted from the priority of work that no user asked for


class WorkerCall(NamedTuple):
    """Name a function of `stitchlab.worker.tasks` and its arguments, which follow the store's folder."""

    function: str
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class Attempt:
    """Represent an attempt at a job: its tasks in order, of which workers were given the first ones already.

    Attributes:
        name: of the attempt.
        kind: of the workers that do its tasks.
        tasks: in the order in which workers get them.
        asked: whether a user asked for it.
        viewed: when a page showed it last, on the monotonic clock.
        sent: the futures of the tasks that workers were given. Dask drops a task whose future is gone.
        stopped: whether no more tasks are to be given to workers.
    """

    name: str
    kind: WorkerKind
    tasks: Sequence[WorkerCall]
    asked: bool = True
    viewed: float = field(default_factory=time.monotonic)
    sent: list[TaskFuture] = field(default_factory=list)
    stopped: bool = False

    @property
    def waits(self) -> bool:
        """Tell whether it has tasks that no worker was given yet."""
        return not self.stopped and len(self.sent) < len(self.tasks)

    @property
    def running(self) -> list[int]:
        """List the numbers of the tasks that workers have now."""
        return [k for k, future in enumerate(self.sent) if not future.done()]

    @property
    def shown(self) -> bool:
        """Tell whether a page shows it."""
        return time.monotonic() - self.viewed < page_views.PAGE_LEFT_AFTER_S

    @property
    def turn(self) -> tuple[bool, bool, int]:
        """Return the key by which turns are sorted: first what a page shows, then what a user asked for."""
        return not self.shown, not self.asked, len(self.sent)


class Turns:
    """Share the workers of each kind among the attempts at jobs that this process has begun."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store, self._connection = store, connection
        self._lock = threading.RLock()
        self._attempts: dict[str, Attempt] = {}
        self._closed = False

    def add(self, attempt: Attempt) -> None:
        """Let an attempt wait for its turns."""
        with self._lock:
            self._attempts[attempt.name] = attempt
        self._give_tasks()

    def record_view(self, name: str) -> None:
        """Note that a page shows an attempt now."""
        if (attempt := self._attempts.get(name)) is not None:
            attempt.viewed = time.monotonic()

    def mark_asked(self, name: str) -> None:
        """Note that a user has now asked for an attempt that was begun unasked."""
        if (attempt := self._attempts.get(name)) is not None:
            attempt.asked = True

    def stop(self, name: str) -> None:
        """Take back the tasks that have not begun, and forget the attempt; running tasks see the cancel mark."""
        with self._lock:
            if (attempt := self._attempts.pop(name, None)) is None:
                return
            attempt.stopped = True
        for future in attempt.sent:
            if future.status == "pending" and not future.done():
                future.cancel()
        self._give_tasks()

    def find(self, name: str) -> Attempt | None:
        """Return an attempt; None if another process began it."""
        return self._attempts.get(name)

    def before(self, name: str) -> tuple[list[str], int]:
        """Return what an attempt that has not begun waits for: running tasks, and how many attempts come first.

        Tasks are given by their keys (`stitchlab.results.job_records.task_key`). The answer is empty for an attempt
        that has begun, and for one that another process began.
        """
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is None or not attempt.waits or attempt.sent:
                return [], 0
            same_kind = [other for other in self._attempts.values() if other.kind == attempt.kind]
            waiting = sorted((other for other in same_kind if other.waits), key=lambda other: other.turn)
            running = [job_records.task_key(other.name, k) for other in same_kind for k in other.running]
            return running, waiting.index(attempt)

    def close(self) -> None:
        """Give workers no more tasks."""
        with self._lock:
            self._closed = True
            self._attempts.clear()

    def _give_tasks(self, _: Any = None) -> None:
        """Give a task to each worker that is free; this is called whenever a worker may have become free."""
        if self._closed or not any(attempt.waits for attempt in list(self._attempts.values())):
            return
        connected = self._connection.client()
        if not connected.done():
            connected.add_done_callback(self._give_tasks)
            return
        with self._lock:
            for attempt in self._next():
                try:
                    self._hand_over(connected.result(), attempt)
                except StitchLabError as error:
                    self._fail(attempt, str(error))
                except Exception as error:  # the connection may have ended just now
                    self._fail(attempt, f"the workers cannot be reached ({one_line(error)}); try again")

    def _next(self) -> Iterator[Attempt]:
        """Yield the attempts that have their turn, until there is none; stop those that nobody needs any more."""
        while not self._closed:
            waiting = [
                attempt for attempt in self._attempts.values() if attempt.waits and self._has_free_worker(attempt.kind)
            ]
            if not waiting:
                return
            first = min(waiting, key=lambda attempt: attempt.turn)  # of equal ones the one that was added first
            if not first.asked and not first.shown:
                job_records.cancel(self._store, first.name, page_left=True)
            if job_records.is_cancelled(self._store, first.name):
                first.stopped = True
            else:
                yield first

    def _has_free_worker(self, kind: WorkerKind) -> bool:
        workers = math.inf if self._connection.remote else self._connection.grid_workers if kind == "grid" else 1
        return sum(len(attempt.running) for attempt in self._attempts.values() if attempt.kind == kind) < workers

    def _hand_over(self, client: Any, attempt: Attempt) -> None:
        k = len(attempt.sent)
        task = attempt.tasks[k]
        priority = GRID_PRIORITY if attempt.kind == "grid" else PAGES_PRIORITY
        if not attempt.asked:
            priority -= UNASKED_PENALTY
        future = client.submit(
            call,
            f"{TASKS}:{task.function}",
            str(self._store.root),
            *task.arguments,
            attempt.name,
            k,
            key=job_records.task_key(attempt.name, k),
            priority=priority - k,
            pure=False,
            **self._connection.place(attempt.kind),
        )
        attempt.sent.append(future)
        future.add_done_callback(self._give_tasks)

    def _fail(self, attempt: Attempt, message: str) -> None:
        attempt.stopped = True
        job_status.record_failure(self._store, attempt.name, message)
