"""Work that is under way, watched: a button a job, and looks that have no widget in common with another page's."""

from __future__ import annotations

from typing import Any

import pytest
from looks import Notes, Open, fill, has, sound
from streamlit.testing.v1 import AppTest

from stitchlab.jobs import Answer, Status, detection_job, trajectory_job
from stitchlab.request import Detection
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run


def test_a_grid_and_detectors_at_work_have_a_button_each(opened: Open, jobs: Notes, asked: Run) -> None:
    """Home's "Why?" before TLM is done: detectors look at DM's cell while the grid is computed."""
    run = fill(asked)
    i, j = run.request.front_layers[-1], run.request.end_layers[0]
    run.store.delete("cells", result_key(run.request, "tlm", i, j))
    jobs.states[run.id] = Status("running", "task loss matching", 0.5)
    at = sound(opened(run.store, "pages/2_Activations.py", run=run.id, front_layer=i, end_layer=j))
    for job in (run.id, detection_job(run, Detection(), [("dm", i, j)])):
        assert has(at, "button", f"cancel-{job}")
    assert len(at.get("progress")) == 2


def test_two_jobs_are_watched_on_one_page() -> None:
    def page() -> None:

        from looks import Notes

        from stitchlab import ui
        from stitchlab.jobs import Status

        notes: Any = Notes()  # in place of a queue
        for job in ("one", "two"):
            notes.states[job] = Status("running", job, 0.5)
            ui.watch(notes, job)

    at = sound(AppTest.from_function(page).run())
    assert [button.key for button in at.button] == ["cancel-one", "cancel-two"]


def test_a_look_draws_no_widget() -> None:
    """Looks of the page that was left may run beside those of this one: a widget of theirs would be there twice."""

    def page() -> None:

        from looks import Notes

        from stitchlab import ui
        from stitchlab.jobs import Status

        notes: Any = Notes()  # in place of a queue
        notes.states["one"] = Status("running", "one", 0.5)
        for _ in range(2):
            ui._look(notes, "one", lambda: False)

    at = sound(AppTest.from_function(page).run())
    assert len(at.get("progress")) == 2
    assert not at.button


def test_detectors_are_unasked_until_somebody_clicks(opened: Open, jobs: Notes, done: Run) -> None:
    """What a page queues by itself ends when it is left, begins again when it is looked at, and is seen."""
    cell = {"front_layer": "layer3.1", "end_layer": "relu"}
    job = detection_job(
        done, Detection(), [(method, cell["front_layer"], cell["end_layer"]) for method in ("tlm", "dm")]
    )
    at = sound(opened(done.store, "pages/2_Activations.py", run=done.id, **cell))
    assert jobs.unasked == [job]
    assert job in jobs.looked
    jobs.states[job] = Status("left")
    sound(at.run())
    assert jobs.unasked == [job, job]
    jobs.states[job] = Status("failed", message="the disk is full")
    sound(at.run())
    (again,) = [b for b in at.button if b.label == "Try again"]
    sound(again.click().run())
    assert len(jobs.judged) == 3
    assert jobs.unasked == [job, job], "that was asked for"


def test_a_walk_is_unasked(opened: Open, jobs: Notes, judged: Run) -> None:
    cell = {"front_layer": "layer3.1", "end_layer": "layer2.0"}
    sound(opened(judged.store, "pages/2_Activations.py", run=judged.id, look="TLM's epochs", **cell))
    assert trajectory_job(judged, *cell.values()) in jobs.unasked


def test_waiting_says_behind_what() -> None:
    def page() -> None:
        from stitchlab import ui
        from stitchlab.jobs import Status

        ui.progress(Status("queued", "accuracies", behind="detectors on relu3", seconds_left=20.0))
        ui.progress(Status("queued", "accuracies", behind="detectors on relu3 and another job"))
        ui.progress(Status("queued", "accuracies"))

    at = sound(AppTest.from_function(page).run())
    assert [bar.proto.text for bar in at.get("progress")] == [
        "Waiting behind detectors on relu3: about 20 s",
        "Waiting behind detectors on relu3 and another job",
        "Waiting for its turn: accuracies",
    ]


PRICES = [
    (
        {"seconds": 9400.0, "timed": False, "cheaper": [("quick", 1570.0), ("DM and indices only", 95.0)]},
        "roughly 3 h, not yet measured on this machine. Cheaper: quick, 30 min; DM and indices only, 2 min.",
    ),
    (
        {"seconds": 9400.0, "timed": True, "cheaper": [("quick", 1570.0), ("5,000 training images", 9000.0)]},
        "about 2.6 h. Cheaper: quick, 26 min.",
    ),
    ({"seconds": 40.0, "timed": True, "cheaper": [("quick", 6.0)]}, "to compute**: about 40 s."),
]


@pytest.mark.parametrize(("price", "words"), PRICES, ids=["rough", "timed", "short"])
def test_what_it_costs_is_said_beside_cheaper_ways(
    price: dict[str, Any], words: str, opened: Open, jobs: Notes, asked: Run
) -> None:
    jobs.answers["seconds"] = Answer("there", price)
    at = sound(opened(asked.store, run=asked.id))
    (line,) = [m.value for m in at.markdown if "to compute" in str(m.value)]
    assert line.endswith(words)


def test_an_estimate_that_takes_its_time_comes_by_itself(opened: Open, jobs: Notes, asked: Run) -> None:
    jobs.answers["seconds"] = Answer("waiting")
    at = sound(opened(asked.store, run=asked.id))
    assert [m.value for m in at.markdown if "estimating how long that takes" in str(m.value)]

    def page() -> None:

        import streamlit as st
        from looks import Notes

        from stitchlab.ui import computing

        if "again" not in st.session_state:
            st.session_state["again"] = True
            jobs: Any = Notes()
            run: Any = None  # is only handed on
            computing._look(jobs, run, "there")
            st.write("it went on waiting")

    assert not sound(AppTest.from_function(page).run()).markdown, "the page is drawn again once the answer is there"
