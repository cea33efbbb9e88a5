"""What is damaged, deleted meanwhile or not there yet costs a page its numbers, and never the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from looks import PAGES, Notes, Open, pickers, sound, text, widget

from stitchlab.jobs import Status, preparation_job
from stitchlab.models import controls as making
from stitchlab.results import controls, networks
from stitchlab.results.cleaning import delete_run
from stitchlab.results.run import Run
from stitchlab.store import Store

CELL = {"front_layer": "layer3.1", "end_layer": "relu"}
ROOMS = ["accuracies", "cells", "confusions", "data", "layers", "networks", "ood", "runs"]


def harm(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("room", ROOMS)
def test_damaged_records_break_no_page(room: str, page: str, judged: Run, opened: Open) -> None:
    first = sound(opened(judged.store, page, run=judged.id, **CELL))
    for path in (judged.store.root / room).iterdir():
        harm(path)
    sound(first.run())
    sound(opened(judged.store, page, run=judged.id, **CELL))


@pytest.mark.parametrize("page", PAGES)
def test_a_control_alone_in_a_store_breaks_no_page(page: str, store: Store, opened: Open) -> None:
    end = networks.find(store, "digits-a")
    noise = making.front(store, controls.NOISE, end, 0)
    first = sound(opened(store, page))
    for network in networks.list_networks(store):
        if network.id != noise.id:
            networks.delete(store, network.id)
    for at in (sound(first.run()), sound(opened(store, page))):
        if "Compare" in page:
            assert "Only controls are here" in text(at, "info")


@pytest.mark.parametrize("page", PAGES)
def test_a_run_that_is_deleted_meanwhile_breaks_no_page(page: str, done: Run, opened: Open) -> None:
    at = sound(opened(done.store, page, run=done.id))
    delete_run(done.store, done.id)
    sound(at.run())


def test_a_kept_run_that_is_deleted_meanwhile_is_told(done: Run, opened: Open) -> None:
    networks.delete(done.store, "vit")
    networks.delete(done.store, "digits-b")
    at = sound(opened(done.store, run=done.id))
    assert "no longer in the store" in text(at, "info")
    delete_run(done.store, done.id)
    sound(at.run())
    assert "This link's run is not here" in text(at, "warning")
    assert widget(pickers(at), "selectbox", "end").value == "digits-a"


@pytest.mark.parametrize("page", PAGES)
def test_networks_that_are_deleted_meanwhile_break_no_page(page: str, done: Run, opened: Open) -> None:
    at = sound(opened(done.store, page, run=done.id))
    for network in networks.list_networks(done.store):
        if network.name != "vit":
            networks.delete(done.store, network.id)
    sound(at.run())


@pytest.mark.parametrize("page", PAGES)
def test_data_that_is_not_here_any_more_breaks_no_page(page: str, done: Run, opened: Open) -> None:
    at = sound(opened(done.store, page))
    done.store.delete("data", done.request.data)
    sound(at.run())
    sound(opened(done.store, page, run=done.id))


def test_a_prepared_run_that_is_deleted_before_the_page_looks_is_told(store: Store, opened: Open, jobs: Notes) -> None:
    at = sound(opened(store, front="random-init of digits-a", end="digits-b"))
    sound(at.button(key="compute").click().run())
    (wanted,) = jobs.prepared
    jobs.states[preparation_job(wanted)] = Status("done", result={"run": "0" * 16})
    sound(at.run())
    assert "no run is called" in text(at, "error")
    assert not jobs.computed
