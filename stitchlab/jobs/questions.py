"""Answer pages' questions: each question is put to a worker once, and no page waits longer than it chooses to.

A question is a function of `stitchlab.worker.questions`. The most recent answers are kept in memory. A failure is kept
for a minute, or until the question is asked again.
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
from typing import Any, Literal, NamedTuple

import numpy as np

from stitchlab.errors import StitchLabError, one_line
from stitchlab.jobs.calls import answer
from stitchlab.jobs.connection import QUESTIONS, Connection
from stitchlab.request import content_id
from stitchlab.results.run import Run
from stitchlab.store import Store

QUESTION_PRIORITY = 1000  # in Dask's queue: above all jobs, where they share one
MAX_KEPT_ANSWERS = 256
MAX_KEPT_BYTES = 64 * 2**20  # of all answers that are kept
FAILURE_TTL_S = 60.0  # after which a failure is forgotten, so that the question is put anew
WORKER_CHECK_INTERVAL_S = 2.0
WORKER_WAIT_S = 20.0  # a question fails when there has been no worker for pages for so long
FETCH_TIMEOUT_S = 30.0  # for fetching an answer that the worker has finished


@dataclass(frozen=True)
class Answer:
    """Describe what is known of a question's answer. Everybody who asked shares the value: do not change it.

    Attributes:
        state: whether the answer is there, or still awaited, or the question failed.
        value: the answer, as plain values and NumPy arrays.
        message: why the question failed, in one line.
    """

    state: Literal["there", "waiting", "failed"]
    value: Any = None
    message: str = ""


class _KeptAnswer(NamedTuple):
    answer: Answer
    time: float  # when it came, on the monotonic clock
    size: int  # in bytes


@dataclass(eq=False)
class _Question:
    """Represent a question that is being answered.

    Attributes:
        name: of the function of `stitchlab.worker.questions`.
        arguments: those after the store's folder.
        over: is set once the answer, or the failure, is kept.
        submitted: when it was put to the worker, on the monotonic clock.
        future: Dask's, which is kept because Dask drops a task whose future is gone.
    """

    name: str
    arguments: Sequence[Any]
    over: threading.Event = field(default_factory=threading.Event)
    submitted: float | None = None
    future: Any = None


class Questions:
    """Put questions to the worker that answers pages, and keep the answers."""

    def __init__(
        self, store: Store, connection: Connection, max_answers: int = MAX_KEPT_ANSWERS, max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self._root, self._connection = str(store.root), connection
        self._max_answers, self._max_bytes = max_answers, max_bytes
        self._lock = threading.Lock()
        self._asked: dict[str, _Question] = {}
        self._answers: OrderedDict[str, _KeptAnswer] = OrderedDict()  # the one that was used last comes last
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
            if (kept := self._kept(key)) is not None:
                return kept
            is_new = key not in self._asked
            question = self._asked.setdefault(key, _Question(name, arguments))
        if is_new:
            self._connection.client().add_done_callback(partial(self._submit, key, question))
            self._watch()
        if wait > 0:
            question.over.wait(wait)
        with self._lock:
            return self._kept(key) or Answer("waiting")

    def ask_again(self, name: str, *arguments: Any, wait: float = 0.0) -> Answer:
        """Discard the answer to a question, restart workers that have ended, and ask again.

        Args:
            name, arguments, wait: as in `ask`.
        """
        key = content_id([name, arguments])
        with self._lock:
            self._answers.pop(key, None)
            if (abandoned := self._asked.pop(key, None)) is not None:
                abandoned.over.set()
        self._connection.repair()
        return self.ask(name, *arguments, wait=wait)

    def close(self) -> None:
        """Let all questions that wait for an answer fail."""
        for key, question in self._waiting():
            self._settle(key, question, Answer("failed", message="The workers were shut down."))

    def _kept(self, key: str) -> Answer | None:
        """Return the answer that is kept, and mark it as just used; the lock must be held."""
        if key not in self._answers:
            return None
        kept = self._answers[key]
        if kept.answer.state == "failed" and time.monotonic() - kept.time > FAILURE_TTL_S:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return kept.answer

    def _submit(self, key: str, question: _Question, connected: Future[Any]) -> None:
        try:
            question.future = connected.result().submit(
                answer,
                f"{QUESTIONS}:{question.name}",
                self._root,
                *question.arguments,
                pure=False,
                priority=QUESTION_PRIORITY,
                **self._connection.place("pages"),
            )
            question.submitted = time.monotonic()
            question.future.add_done_callback(partial(self._finish, key, question))
        except StitchLabError as error:
            self._settle(key, question, Answer("failed", message=str(error)))
        except Exception as error:  # the connection may have ended just now
            self._settle(key, question, _worker_ended(one_line(error)))

    def _finish(self, key: str, question: _Question, future: Any) -> None:
        """Keep the answer that came; Dask calls this in a thread of its own."""
        if future.status == "finished":
            try:
                reply = future.result(timeout=FETCH_TIMEOUT_S)
            except Exception as error:
                self._settle(key, question, _worker_ended(one_line(error)))
                return
            result = Answer("there", reply["value"]) if "value" in reply else Answer("failed", message=reply["message"])
            self._settle(key, question, result)
        elif future.status == "error":
            failure = future.exception()
            was_killed = type(failure).__name__ == "KilledWorker"
            self._settle(key, question, _worker_ended("twice on this question" if was_killed else one_line(failure)))
        else:
            self._settle(key, question, _worker_ended("the connection to it is gone"))

    def _settle(self, key: str, question: _Question, result: Answer) -> None:
        with self._lock:
            if self._asked.get(key) is question:  # if not, it was asked again meanwhile
                del self._asked[key]
                self._answers[key] = _KeptAnswer(result, time.monotonic(), _size(result.value))
                self._drop_oldest()
        question.over.set()

    def _drop_oldest(self) -> None:
        """Drop the oldest answers until the rest is small enough; the last one stays. The lock must be held."""
        total = sum(kept.size for kept in self._answers.values())
        while len(self._answers) > 1 and (len(self._answers) > self._max_answers or total > self._max_bytes):
            _, oldest = self._answers.popitem(last=False)
            total -= oldest.size

    def _waiting(self) -> list[tuple[str, _Question]]:
        with self._lock:
            return list(self._asked.items())

    def _watch(self) -> None:
        with self._lock:
            if self._watching:
                return
            self._watching = True
        threading.Thread(target=self._check_worker, name="questions", daemon=True).start()

    def _check_worker(self) -> None:
        """Let questions fail when there is no worker to answer them; runs as long as any question waits."""
        worker_seen = time.monotonic()
        while True:
            time.sleep(WORKER_CHECK_INTERVAL_S)
            with self._lock:
                if not self._asked:
                    self._watching = False
                    return
            if self._connection.has("pages"):
                worker_seen = time.monotonic()
            else:
                self._connection.repair()
            for key, question in self._waiting():
                since = None if question.submitted is None else max(worker_seen, question.submitted)
                if since is not None and time.monotonic() - since > WORKER_WAIT_S:
                    self._settle(key, question, _worker_ended("no other was started"))


def _worker_ended(how: str) -> Answer:
    return Answer("failed", message=f"The worker that answers pages ended ({how}). Ask again restarts it.")


def _size(value: Any) -> int:
    """Estimate how many bytes an answer's value takes: nearly all of them are in arrays and texts."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(_size(k) + _size(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return 8 * len(value) + sum(map(_size, value))
    return sys.getsizeof(value)


def plain_argument(argument: Any) -> Any:
    """Replace a run by its record, without the creation time, which changes until the run is saved."""
    record = argument.record if isinstance(argument, Run) else argument
    if isinstance(record, dict) and "request" in record:
        return {key: value for key, value in record.items() if key != "created"}
    return record
