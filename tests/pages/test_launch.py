"""Every page launches, on every stage of a store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from handy import sure
from looks import PAGES, Notes, Open, charts, drawn, fill, has, sound, text, widget

from stitchlab.jobs import DEMO, Status, detection_job
from stitchlab.jobs.status import State
from stitchlab.request import Detection
from stitchlab.results import demo, networks
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run
from stitchlab.store import Store


@pytest.mark.parametrize("page", PAGES)
def test_on_an_empty_store_nothing_is_trained_unasked(page: str, opened: Open, jobs: Notes, tmp_path: Path) -> None:
    at = sound(opened(Store(tmp_path / "empty"), page))
    assert at.title
    assert not at.error
    sound(at.run())
    assert not jobs.trained
    assert not jobs.computed
    assert not list((tmp_path / "empty").rglob("*")), "looking makes nothing"


@pytest.mark.parametrize("page", PAGES)
def test_with_networks_and_no_run(page: str, opened: Open, jobs: Notes, store: Store) -> None:
    at = sound(opened(store, page))
    assert at.title
    assert not at.error
    assert jobs.trained == 0


@pytest.mark.parametrize("page", PAGES)
def test_with_a_finished_run(page: str, opened: Open, jobs: Notes, asked: Run) -> None:
    fill(asked)
    at = sound(opened(asked.store, page))
    assert at.title
    assert not at.error
    assert not jobs.trained


def test_the_demo_is_trained_and_computed_by_one_click(opened: Open, jobs: Notes, store: Store, tmp_path: Path) -> None:
    at = opened(Store(tmp_path / "empty"), "app.py")
    at = sound(widget(at, "button", "demo").click().run())
    assert jobs.trained == 1
    assert len(at.get("progress")) == 1
    assert not has(at, "button", "demo")
    shutil.copytree(store.root, tmp_path / "empty", dirs_exist_ok=True)  # the networks are trained
    jobs.states[DEMO] = Status("done")
    at = sound(at.run())
    assert [run.id for run in jobs.computed] == [sure(demo.run(store)).id]
    assert has(at, "button", f"cancel-{sure(demo.run(store)).id}")
    assert len(charts(at)) == 2, "it fills before one's eyes"
    sound(at.run())
    sound(opened(Store(tmp_path / "empty"), "app.py"))
    assert len(jobs.computed) == 1


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_demo_that_could_not_be_trained_waits_for_a_click(
    state: State, opened: Open, jobs: Notes, tmp_path: Path
) -> None:
    jobs.states[DEMO] = Status(state, message="the disk is full" if state == "failed" else "")
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    assert jobs.trained == 0
    assert len(at.error) == 1
    assert "the disk is full" in text(at, "error") or state == "cancelled"
    sound(widget(at, "button", "demo").click().run())
    assert jobs.trained == 1


def test_the_demos_networks_alone_are_no_wish_for_its_grid(opened: Open, jobs: Notes, store: Store) -> None:
    at = sound(opened(store, "app.py"))
    assert not jobs.computed
    assert not charts(at)
    sound(widget(at, "button", "demo").click().run())
    assert [run.id for run in jobs.computed] == [sure(demo.run(store)).id]
    assert jobs.trained == 0


def test_home_does_not_start_again_after_a_cancel(opened: Open, jobs: Notes, store: Store) -> None:
    at = widget(opened(store, "app.py"), "button", "demo").click().run()
    sound(at.button(key=f"cancel-{jobs.computed[0].id}").click().run())
    assert jobs.cancelled == [jobs.computed[0].id]
    sound(at.run())
    sound(opened(store, "app.py"))
    assert len(jobs.computed) == 1
    sound(at.button(key="compute").click().run())
    assert len(jobs.computed) == 2


def test_home_shows_the_finished_grid_in_words_too(opened: Open, jobs: Notes, asked: Run) -> None:
    run = fill(asked)
    at = sound(opened(run.store, "app.py"))
    tlm, dm = (drawn(figure) for figure in charts(at))
    assert (tlm == run.matrix("tlm", "accuracy")).all()
    assert (dm == run.matrix("dm", "accuracy")).all()
    said = text(at, "markdown")
    assert f"{tlm[-1, 0]:.2f}" in said
    assert f"{dm[-1, 0]:.2f}" in said
    assert not has(at, "button", "compute")


def test_home_lists_own_runs_and_offers_the_demo(opened: Open, jobs: Notes, asked: Run) -> None:
    """The demo's networks are not there, newest runs come first, and nothing is trained or computed unasked."""
    store = fill(asked).store
    networks.rename(store, "digits-a", "mine")
    newer = Run(
        store,
        asked.record | {"created": "2999-01-01T00:00:00+00:00", "request": {**asked.record["request"], "seed": 9}},
    ).save()
    at = sound(opened(store, "app.py"))
    links = [link.proto for link in at.main.get("page_link") if "run=" in link.proto.query_string]
    assert [f"run={run.id}" in link.query_string for link, run in zip(links, (newer, asked), strict=True)] == [True] * 2
    assert "not in the store" not in text(at, "info", "markdown")
    assert not jobs.computed
    assert not charts(at)
    assert jobs.trained == 0
    sound(widget(at, "button", "demo").click().run())
    assert jobs.trained == 1
    assert at.get("progress")
    assert sound(opened(store, "pages/1_Compare.py")).title[0].value != "StitchLab", "own networks stay at hand"
    jobs.states[DEMO] = Status("failed", message="the disk is full")
    assert "the disk is full" in text(sound(opened(store, "app.py")), "error")


def distances(run: Run, detector: str = "frechet") -> Run:
    """Made-up Fréchet ratios of a run: TLM's are far from native, DM's near."""
    found = DetectionResults(run)
    for j in run.request.end_layers:
        sets = {NATIVE: {"ratio": [0.01, 0, 0.02]}, OUTLIERS: {"ratio": [0.3, 0.2, 0.4]}}
        run.store.put("ood", found.key(detector, NATIVE, "", j), {"metrics": sets, "tensors": []})
    for method, i, j in found.cells:
        ratio = {"tlm": 1.5, "dm": 0.05}[method]
        run.store.put("ood", found.key(detector, method, i, j), {"metrics": {"ratio": [ratio] * 3}, "tensors": []})
    return run


def test_home_has_the_distances_of_its_grid_computed_once_it_is_complete(opened: Open, jobs: Notes, asked: Run) -> None:
    fill(asked, lacking=1)
    sound(opened(asked.store, "app.py"))
    assert not jobs.judged, "not while cells are lacking"
    run = fill(asked)
    at = sound(opened(run.store, "app.py"))
    cells = DetectionResults(run).cells
    assert jobs.judged == [(Detection(), ["frechet"], cells)]
    assert len(charts(at)) == 2
    sound(widget(at, "button", f"cancel-{detection_job(run, Detection(), cells)}").click().run())
    sound(opened(run.store, "app.py"))
    assert len(jobs.judged) == 1, "after a cancel it is the visitor's choice"
    jobs.states[detection_job(run, Detection(), cells)] = Status("left")
    sound(opened(run.store, "app.py"))
    assert len(jobs.judged) == 2, "it ended when the page was left, which was no choice"


def test_home_leads_to_the_two_cells_that_tell(opened: Open, jobs: Notes, asked: Run) -> None:
    run = distances(fill(asked))
    i, j = "layer2.1", "layer2.0"
    for method in ("tlm", "dm"):
        key = result_key(run.request, method, i, j)
        run.store.put("cells", key, {**sure(run.store.get("cells", key)), "accuracy": 0.95})
    nearest = {"metrics": {"ratio": [0.02] * 3}, "tensors": []}
    run.store.put("ood", DetectionResults(run).key("frechet", "dm", i, j), nearest)
    at = sound(opened(run.store, "app.py"))
    assert not jobs.judged
    assert len(charts(at)) == 3
    assert {trace["name"] for trace in charts(at)[2]["data"] if trace["mode"] == "markers"} == {"TLM", "DM"}
    assert "Both accurate, one foreign" in text(at, "markdown")
    assert "**1.50** and **0.02**" in text(at, "markdown")
    first, second = [link.proto for link in at.main.get("page_link") if link.proto.label.startswith("Why?")]
    assert f"front_layer={i}&end_layer={j}" in first.query_string
    assert "front_layer=layer3.1&end_layer=layer1.0" in second.query_string
