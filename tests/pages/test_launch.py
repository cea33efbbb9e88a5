"""Every page launches, on every stage of a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from looks import PAGES, Notes, Open, charts, drawn, fill, has, sound, text

from stitchlab.jobs import DEMO, Status
from stitchlab.results import demo, networks
from stitchlab.results.run import Run
from stitchlab.store import Store


@pytest.mark.parametrize("page", PAGES)
def test_on_an_empty_store_two_networks_are_trained_first(page: str, opened: Open, jobs: Notes, tmp_path: Path) -> None:
    at = sound(opened(Store(tmp_path / "empty"), page))
    assert at.title
    assert len(at.get("progress")) == 1
    sound(at.run())
    assert jobs.trained == 1
    assert not jobs.computed


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


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_first_networks_that_could_not_be_trained_wait_for_a_click(
    state: str, opened: Open, jobs: Notes, tmp_path: Path
) -> None:
    jobs.states[DEMO] = Status(state, message="the disk is full" if state == "failed" else "")
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    assert jobs.trained == 0
    assert len(at.error) == 1
    assert "the disk is full" in text(at, "error") or state == "cancelled"
    sound(at.button[0].click().run())
    assert jobs.trained == 1


def test_home_starts_its_grid_once(opened: Open, jobs: Notes, store: Store) -> None:
    at = sound(opened(store, "app.py"))
    assert [run.id for run in jobs.computed] == [demo.run(store).id]
    assert has(at, "button", f"cancel-{demo.run(store).id}")
    assert len(charts(at)) == 2
    sound(at.run())
    sound(opened(store, "app.py"))
    assert len(jobs.computed) == 1


def test_home_does_not_start_again_after_a_cancel(opened: Open, jobs: Notes, store: Store) -> None:
    at = opened(store, "app.py")
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


def test_home_without_the_demos_networks_leads_on(opened: Open, jobs: Notes, store: Store) -> None:
    networks.delete(store, "digits-a")
    at = sound(opened(store, "app.py"))
    assert at.info
    assert not jobs.computed
    assert not charts(at)
