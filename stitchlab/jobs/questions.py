"""Answer pages' questions: each is asked once, whoever asks, and nobody waits longer than they choose.

A question is a function of `stitchlab.worker.questions`. Answers are kept in memory, the most recent ones; a failure
for a minute, or until it is asked again.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.jobs.calls import answer, one_line
from stitchlab.jobs.connection import QUESTIONS, Connection
from stitchlab.request import content_id
from stitchlab.results.run import Run
from stitchlab.store import Store

PRIORITY = 1000  # above all jobs, where one queue is shared
ENTRIES, BYTES = 256, 64 * 2**20  # of the answers that are kept
FAILED = 60.0  # seconds that a failure is kept
LOOK, ALONE = 2.0, 20.0  # seconds between looks for a worker; without one, after which nobody waits on
FETCH = 30.0  # seconds within which an answer that is there must have come


@dataclass(frozen=True)
class Answer:
    """Describe what is known of a question's answer. All who asked share the value: do not change it."""

    state: Literal["there", "waiting", "failed"]
    value: Any = None
    message: str = ""


@dataclass(eq=False)
class _Question:
    """Hold a question that is being answered; ``over`` is set once its answer, or its failure, is kept."""

    name: str
    arguments: Sequence[Any]
    over: threading.Event = field(default_factory=threading.Event)
    submitted: float | None = None
    future: Any = None  # Dask drops a task whose future is gone


class Questions:
    """Put questions to the worker that answers pages, and keep the answers."""

    def __init__(self, store: Store, connection: Connection, entries: int = ENTRIES, size: int = BYTES) -> None:
        self._root, self._connection, self._entries, self._most = str(store.root), connection, entries, size
        self._lock = threading.Lock()
        self._asked: dict[str, _Question] = {}
        self._answers: OrderedDict[str, tuple[Answer, float, int]] = OrderedDict()  # with its time and size
        self._watching = False

    def ask(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Ask a question, or look up its answer.

        Args:
            name: of a function of `stitchlab.worker.questions`.
            arguments: those after the store's folder; plain values, as in JSON.
            wait: seconds to wait for the answer, at most.

        Returns:
            the answer; ``waiting`` while there is none.
        """
        key = content_id([name, arguments])
        with self._lock:
            if (known := self._known(key)) is not None:
                return known
            new = key not in self._asked
            question = self._asked.setdefault(key, _Question(name, arguments))
        if new:
            self._connection.client().add_done_callback(partial(self._submit, key, question))
            self._watch()
        if wait > 0:
            question.over.wait(wait)
        with self._lock:
            return self._known(key) or Answer("waiting")

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Discard the answer to a question, restart workers that have ended, and ask again.

        Args:
            name, arguments, wait: as in `ask`.
        """
        key = content_id([name, arguments])
        with self._lock:
            self._answers.pop(key, None)
            if (given_up := self._asked.pop(key, None)) is not None:
                given_up.over.set()
        self._connection.repair()
        return self.ask(name, *arguments, wait=wait)

    def close(self) -> None:
        """Release everybody who waits for an answer."""
        for key, question in self._waiting():
            self._settle(key, question, Answer("failed", message="The workers were shut down."))

    def _known(self, key: str) -> Answer | None:
        """Return the answer that is kept, and mark it as just used; the lock must be held."""
        if key not in self._answers:
            return None
        known, since, _ = self._answers[key]
        if known.state == "failed" and time.monotonic() - since > FAILED:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return known

    def _submit(self, key: str, question: _Question, connected: Future[Any]) -> None:
        try:
            question.future = connected.result().submit(
                answer,
                f"{QUESTIONS}:{question.name}",
                self._root,
                *question.arguments,
                pure=False,
                priority=PRIORITY,
                **self._connection.place("pages"),
            )
            question.submitted = time.monotonic()
            question.future.add_done_callback(partial(self._finished, key, question))
        except StitchLabError as error:
            self._settle(key, question, Answer("failed", message=str(error)))
        except Exception as error:  # the connection may have ended just now
            self._settle(key, question, _ended(one_line(error)))

    def _finished(self, key: str, question: _Question, future: Any) -> None:
        """Keep the answer that came; Dask calls this in a thread of its own."""
        if future.status == "finished":
            try:
                told = future.result(timeout=FETCH)
            except Exception as error:
                self._settle(key, question, _ended(one_line(error)))
                return
            found = Answer("there", told["value"]) if "value" in told else Answer("failed", message=told["message"])
            self._settle(key, question, found)
        elif future.status == "error":
            why = future.exception()
            killed = type(why).__name__ == "KilledWorker"
            self._settle(key, question, _ended("twice on this question" if killed else one_line(why)))
        else:
            self._settle(key, question, _ended("the connection to it is gone"))

    def _settle(self, key: str, question: _Question, found: Answer) -> None:
        with self._lock:
            if self._asked.get(key) is question:  # else it was asked again meanwhile
                del self._asked[key]
                self._answers[key] = (found, time.monotonic(), _size(found.value))
                self._bound()
        question.over.set()

    def _bound(self) -> None:
        """Drop the oldest answers, but never the last one, however large. The lock must be held."""
        total = sum(size for _, _, size in self._answers.values())
        while len(self._answers) > 1 and (len(self._answers) > self._entries or total > self._most):
            _, (_, _, size) = self._answers.popitem(last=False)
            total -= size

    def _waiting(self) -> list[tuple[str, _Question]]:
        with self._lock:
            return list(self._asked.items())

    def _watch(self) -> None:
        with self._lock:
            if self._watching:
                return
            self._watching = True
        threading.Thread(target=self._look, name="questions", daemon=True).start()

    def _look(self) -> None:
        """Give up waiting for a worker that does not come; runs as long as anybody waits."""
        seen = time.monotonic()
        while True:
            time.sleep(LOOK)
            with self._lock:
                if not self._asked:
                    self._watching = False
                    return
            if self._connection.has("pages"):
                seen = time.monotonic()
            else:
                self._connection.repair()
            for key, question in self._waiting():
                since = None if question.submitted is None else max(seen, question.submitted)
                if since is not None and time.monotonic() - since > ALONE:
                    self._settle(key, question, _ended("no other was started"))


def _ended(how: str) -> Answer:
    return Answer("failed", message=f"The worker that answers pages ended ({how}). Ask again restarts it.")


def _size(value: Any) -> int:
    """Estimate how many bytes an answer's value takes: what is large in it are arrays and texts."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(_size(k) + _size(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return 8 * len(value) + sum(map(_size, value))
    return sys.getsizeof(value)


def plain_argument(argument: Any) -> Any:
    """Replace a run by its record, without the creation time, which changes until it is saved."""
    record = argument.record if isinstance(argument, Run) else argument
    if isinstance(record, dict) and "request" in record:
        return {key: value for key, value in record.items() if key != "created"}
    return record
