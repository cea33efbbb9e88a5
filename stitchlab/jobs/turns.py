"""Decide whose turn it is: tasks wait until a worker of their kind is free; what a page shows goes first.

Dask would deal out all tasks to its workers when they come, and a worker that runs dry takes any of another's, whatever
their priorities. Somebody's cluster is given everything at once: how many workers it has, or will have, is not known.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stitchlab.errors import StitchLabError
from stitchlab.jobs import status as standing
from stitchlab.jobs.calls import one_line
from stitchlab.jobs.calls import run as call
from stitchlab.jobs.connection import TASKS, Connection
from stitchlab.jobs.local_workers import Kind
from stitchlab.store import Store, looks

PAGES_FIRST = 500  # priority of what a page waits for, above grids', where one queue is shared
UNASKED = 10_000  # how far below it is what nobody asked for
Task = tuple[str, tuple[Any, ...]]  # a function of `stitchlab.worker.tasks`, and its arguments after the store's folder


@dataclass(eq=False)
class Attempt:
    """Represent an attempt at a job: its tasks in order, and those that workers were given already."""

    name: str
    kind: Kind
    tasks: Sequence[Task]
    asked: bool = True
    seen: float = field(default_factory=time.monotonic)  # when a page showed it last
    sent: list[Any] = field(default_factory=list)  # Dask's futures; kept, since Dask drops a task whose future is gone
    stopped: bool = False

    @property
    def waits(self) -> bool:
        """Tell whether it has tasks that no worker was given yet."""
        return not self.stopped and len(self.sent) < len(self.tasks)

    @property
    def running(self) -> list[int]:
        """List the numbers of the tasks that workers have."""
        return [k for k, future in enumerate(self.sent) if not future.done()]

    @property
    def shown(self) -> bool:
        """Tell whether a page shows it."""
        return time.monotonic() - self.seen < looks.LEFT

    @property
    def turn(self) -> tuple[bool, bool, int]:
        """Return the sort key of turns: first what a page shows, then what was asked for, then early tasks."""
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
        self._go()

    def look(self, name: str) -> None:
        """Note that a page shows an attempt now."""
        if (attempt := self._attempts.get(name)) is not None:
            attempt.seen = time.monotonic()

    def ask(self, name: str) -> None:
        """Note that somebody has asked for an attempt that was begun unasked."""
        if (attempt := self._attempts.get(name)) is not None:
            attempt.asked = True

    def stop(self, name: str) -> None:
        """Withdraw the tasks not begun, and drop the attempt; running tasks see the cancel flag themselves."""
        with self._lock:
            if (attempt := self._attempts.pop(name, None)) is None:
                return
            attempt.stopped = True
        for future in attempt.sent:
            if future.status == "pending" and not future.done():
                future.cancel()
        self._go()

    def find(self, name: str) -> Attempt | None:
        """Return an attempt; None if another process began it."""
        return self._attempts.get(name)

    def before(self, name: str) -> tuple[list[str], int]:
        """Return what an attempt that has not begun waits for: running tasks, and how many attempts come first.

        Tasks are named ``{attempt}.{k}``. There are none for an attempt that has begun, or that another process began.
        """
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is None or not attempt.waits or attempt.sent:
                return [], 0
            beside = [other for other in self._attempts.values() if other.kind == attempt.kind]
            waiting = sorted((other for other in beside if other.waits), key=lambda other: other.turn)
            return [f"{other.name}.{k}" for other in beside for k in other.running], waiting.index(attempt)

    def close(self) -> None:
        """Give workers no more tasks."""
        with self._lock:
            self._closed = True
            self._attempts.clear()

    def _go(self, _: Any = None) -> None:
        """Give workers whatever has its turn; called whenever something may have changed."""
        if self._closed or not any(attempt.waits for attempt in list(self._attempts.values())):
            return
        connected = self._connection.client()
        if not connected.done():
            connected.add_done_callback(self._go)
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
        """Yield the attempts whose turn it is, until there is none; drop what nobody wants any more."""
        while not self._closed:
            waiting = [attempt for attempt in self._attempts.values() if attempt.waits and self._free(attempt.kind)]
            if not waiting:
                return
            first = min(waiting, key=lambda attempt: attempt.turn)  # of equal ones the one that came first
            if not first.asked and not first.shown:
                looks.leave(self._store, first.name)
            if self._store.has("cancel", first.name):
                first.stopped = True
            else:
                yield first

    def _free(self, kind: Kind) -> bool:
        most = math.inf if self._connection.remote else self._connection.grid_workers if kind == "grid" else 1
        return sum(len(attempt.running) for attempt in self._attempts.values() if attempt.kind == kind) < most

    def _hand_over(self, client: Any, attempt: Attempt) -> None:
        k = len(attempt.sent)
        name, arguments = attempt.tasks[k]
        first = (0 if attempt.kind == "grid" else PAGES_FIRST) - (0 if attempt.asked else UNASKED)
        future = client.submit(
            call,
            f"{TASKS}:{name}",
            str(self._store.root),
            *arguments,
            attempt.name,
            k,
            key=f"{attempt.name}.{k}",
            priority=first - k,
            pure=False,
            **self._connection.place(attempt.kind),
        )
        attempt.sent.append(future)
        future.add_done_callback(self._go)

    def _fail(self, attempt: Attempt, message: str) -> None:
        attempt.stopped = True
        standing.fail(self._store, attempt.name, message)
