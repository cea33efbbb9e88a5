"""Whose turn it is: what is on a screen first, unasked work only while somebody looks; times that are known."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from stitchlab.errors import StitchLabError
from stitchlab.jobs import status as job_status
from stitchlab.jobs.connection import Connection
from stitchlab.jobs.status import Status
from stitchlab.jobs.turns import Attempt, Turns, WorkerCall
from stitchlab.request import Report
from stitchlab.results import job_records
from stitchlab.results.job_records import JobRecord, TaskDescription, TaskWork
from stitchlab.results.plan import missing
from stitchlab.results.resolve import resolve
from stitchlab.store import Store, page_views
from stitchlab.worker.progress import run_with_progress


class Sent(Future[Any]):
    """A future as Dask's: its callbacks come, and it says how it stands."""

    status = "pending"

    def end(self) -> None:
        self.status = "finished"
        self.set_result(None)


class Workers:
    """A connection to two workers that notes what it was given."""

    grid_workers = 2
    remote = False

    def __init__(self) -> None:
        self.given: list[str] = []
        self.futures: dict[str, Sent] = {}
        self.connected: Future[Any] = Future()
        self.connected.set_result(self)

    def client(self) -> Future[Any]:
        return self.connected

    def place(self, kind: str) -> dict[str, Any]:
        return {}

    def submit(self, *_: Any, key: str, **more: Any) -> Sent:
        self.given.append(key)
        self.futures[key] = Sent()
        return self.futures[key]


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def turns(tmp_path: Path, workers: Workers) -> Turns:
    return Turns(Store(tmp_path), cast(Connection, workers))


def attempt(name: str, tasks: int, *, asked: bool = True, away: float = 0.0) -> Attempt:
    return Attempt(name, "grid", [WorkerCall("compute", ())] * tasks, asked, viewed=time.monotonic() - away)


def test_workers_are_given_no_more_than_they_can_do(turns: Turns, workers: Workers) -> None:
    turns.add(attempt("a", 4))
    assert workers.given == ["a.0", "a.1"]
    workers.futures["a.0"].end()
    assert workers.given == ["a.0", "a.1", "a.2"]
    workers.futures["a.2"].end()
    workers.futures["a.1"].end()
    workers.futures["a.3"].end()
    assert len(workers.given) == 4


def test_what_is_asked_for_goes_before_what_was_begun_unasked(turns: Turns, workers: Workers) -> None:
    turns.add(attempt("long", 2))
    turns.add(attempt("detectors", 2, asked=False))
    turns.add(attempt("grid", 2))
    for key in ("long.0", "long.1"):
        workers.futures[key].end()
    assert workers.given[2:] == ["grid.0", "grid.1"]


def test_what_is_on_a_screen_goes_first(turns: Turns, workers: Workers) -> None:
    turns.add(attempt("long", 2))
    turns.add(attempt("forgotten", 1, away=60))
    turns.add(attempt("watched", 1, away=60))
    turns.record_view("watched")
    workers.futures["long.0"].end()
    assert workers.given[2:] == ["watched.0"]


def test_unasked_work_whose_page_was_left_is_not_begun(turns: Turns, workers: Workers, tmp_path: Path) -> None:
    turns.add(attempt("detectors", 1, asked=False, away=60))
    assert workers.given == []
    assert Store(tmp_path).get("cancel", "detectors") == {"left": True}
    turns.add(attempt("asked", 1, away=60))
    assert workers.given == ["asked.0"], "what was asked for is done, whoever looks"


def test_what_is_asked_for_late_is_asked_for(turns: Turns, workers: Workers) -> None:
    turns.add(attempt("long", 2))
    turns.add(attempt("detectors", 1, asked=False, away=60))
    turns.mark_asked("detectors")
    workers.futures["long.0"].end()
    assert workers.given[2:] == ["detectors.0"]


def test_what_was_stopped_has_no_more_turns(turns: Turns, workers: Workers) -> None:
    turns.add(attempt("gone", 4))
    turns.add(attempt("next", 1))
    turns.stop("gone")
    assert workers.given == ["gone.0", "gone.1", "next.0"]


def test_without_a_connection_a_job_fails_with_one_line(turns: Turns, workers: Workers, tmp_path: Path) -> None:
    workers.connected = Future()
    turns.add(attempt("early-0123abcd", 2))
    assert workers.given == []
    workers.connected.set_exception(StitchLabError("no worker could be started"))
    told_of = Store(tmp_path).get("progress", "early-0123abcd.0")
    assert told_of is not None
    assert (told_of["state"], told_of["message"]) == ("failed", "no worker could be started")


def test_waiting_says_behind_what_and_how_long(turns: Turns, workers: Workers, tmp_path: Path) -> None:
    store, now, long = Store(tmp_path), time.time(), "long-0123abcd"
    turns.add(attempt(long, 2))
    turns.add(attempt("grid", 1))
    tasks = (TaskDescription("detectors on relu0"), TaskDescription("detectors on relu1"))
    job_records.write_job(store, "long", JobRecord(long, tasks, now))
    assert turns.before("grid") == ([f"{long}.0", f"{long}.1"], 0)
    assert job_status.with_wait(store, Status("queued"), *turns.before("grid")).behind == "detectors on relu0"
    for k, done in ((0, 0.02), (1, 0.5)):
        store.put(
            "progress",
            f"{long}.{k}",
            {
                "done": done,
                "what": "native activations",
                "state": "running",
                "started": now - 20,
                "time": now,
                "message": "",
            },
        )
    found = job_status.with_wait(store, Status("queued"), *turns.before("grid"))
    assert found.behind == "detectors on relu1"
    assert found.seconds_left == pytest.approx(20, abs=2)
    turns.add(attempt("later", 1))
    found = job_status.with_wait(store, Status("queued"), *turns.before("later"))
    assert (found.behind, found.seconds_left) == ("detectors on relu1 and another job", None)
    assert turns.before("nobody") == ([], 0)


def status_of(store: Store, works: list[TaskWork], told_of: list[tuple[float, float] | None], **plan: Any) -> Status:
    """How a job stands whose tasks of these kinds of work have come so far in so many seconds."""
    now = time.time()
    for k, one in enumerate(told_of):
        if one is not None:
            store.put(
                "progress",
                f"x-0.{k}",
                {
                    "done": one[0],
                    "what": "it",
                    "state": "done" if one[0] == 1 else "running",
                    "started": now - one[1],
                    "time": now,
                    "message": "",
                },
            )
    if plan:
        store.put("progress", "x-0.plan", plan)
    tasks = tuple(TaskDescription(work, work=work) for work in works)
    return job_status.status_of(store, JobRecord("x-0", tasks, now), [])


def test_no_time_is_told_before_something_like_it_was_timed(tmp_path: Path) -> None:
    """What direct matching takes says nothing about task loss matching: 2.8 h were told for a minute's work."""
    works: list[TaskWork] = ["dm", "tlm", "tlm"]
    weights = [1.0, 1000.0, 1000.0]
    begun = [(1.0, 5.0), (0.03, 1.0), None]
    assert status_of(Store(tmp_path / "a"), works, begun, weights=weights, timed=[False] * 3).seconds_left is None
    known = status_of(Store(tmp_path / "b"), works, begun, weights=weights, timed=[False, True, True]).seconds_left
    assert known == pytest.approx(1970), "weights are seconds where work like it was timed on this machine"
    moved = status_of(
        Store(tmp_path / "c"), works, [(1.0, 5.0), (0.5, 10.0), None], weights=weights, timed=[False] * 3
    ).seconds_left
    assert moved == pytest.approx(30, rel=0.01), "its own rate, once it has come some way"


def test_unasked_work_ends_when_its_page_is_left_and_asked_work_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(page_views, "PAGE_LEFT_AFTER_S", 0.05)
    monkeypatch.setattr("stitchlab.worker.progress.PROGRESS_INTERVAL_S", 0.0)

    def begin(name: str, asked: bool, then: Callable[[], None]) -> bool:
        """Whether twenty steps of work were done."""
        store.put(
            "jobs",
            name,
            {
                "attempt": f"{name}-0123abcd",
                "labels": ["x"],
                "weights": [1.0],
                "works": ["it"],
                "created": time.time(),
                "asked": asked,
            },
        )
        steps = []

        def work(report: Report) -> None:
            for k in range(20):
                time.sleep(0.02)
                then()
                report("x", k / 20)
                steps.append(k)

        run_with_progress(store, f"{name}-0123abcd", 0, "x", work)
        return len(steps) == 20

    assert not begin("left", False, lambda: None)
    assert begin("seen", False, lambda: page_views.record_view(store, "seen-0123abcd"))
    assert begin("asked", True, lambda: None)
    record = job_records.read_job(store, "left")
    assert record is not None
    assert job_status.status_of(store, record, []).state == "left"


def test_corners_come_first_and_are_computed_once(store: Store) -> None:
    run = resolve(store, "digits-a", "digits-b")
    first, last = "layer1.0", "layer3.1"
    units = [unit for unit in missing(run) if unit.work == "tlm"]
    assert set(units[0].cells) == {(i, j) for i in (first, last) for j in (first, last)}
    cells = [cell for unit in units for cell in unit.cells]
    assert sorted(cells) == sorted(run.request.cells)
