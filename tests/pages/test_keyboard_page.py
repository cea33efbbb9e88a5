"""The keyboard on pages: which buttons have which keys, the card that lists them, cells that arrow keys ask for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from looks import PAGES, Notes, Open
from streamlit.testing.v1 import AppTest

from stitchlab.catalog.keys import CANCEL, COMPUTE, KEYS
from stitchlab.jobs import Status
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import address, keyboard


def shortcuts(at: AppTest) -> dict[str, str]:
    return {button.label: button.proto.shortcut for button in at.button if button.proto.shortcut}


def card(at: AppTest) -> list[Any]:
    return [table for table in at.table if list(table.value.columns) == ["Key", "What it does", "Where"]]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_the_card_when_it_is_asked_for(name: str, opened: Open, store: Store) -> None:
    at = opened(store, name)
    assert not card(at)
    at = at.button(key="keys").click().run()
    (shown,) = card(at)
    said = shown.value.to_string()
    assert all(key.does in said for key in KEYS)
    at = at.run()
    assert card(at), "it stays while the page is drawn again"


def test_another_page_begins_without_the_card(opened: Open, store: Store) -> None:
    at = opened(store, "pages/4_Runs.py").button(key="keys").click().run()
    assert card(at)
    assert not card(at.switch_page("pages/5_Networks.py").run())


def test_compute_and_cancel_have_the_keys_that_the_card_says(opened: Open, asked: Run, jobs: Notes) -> None:
    at = opened(asked.store, run=asked.id)
    assert shortcuts(at)["Compute"] == COMPUTE.lower()
    jobs.states[asked.id] = Status("running", "layer1.0 → layer1.0", 0.25, 8.0)
    assert shortcuts(at.run())["Cancel"] == CANCEL.lower()
    assert {COMPUTE, CANCEL} <= {name for key in KEYS for name in key.keys}


@pytest.mark.parametrize("name", ["pages/1_Compare.py", "pages/2_Activations.py"])
def test_arrow_keys_start_at_the_selected_cell(name: str, opened: Open, done: Run) -> None:
    at = opened(done.store, name, run=done.id, front_layer="layer3.1", end_layer="layer2.0")
    (told,) = [
        json.loads(e.proto.json) for e in at.get("bidi_component") if e.proto.component_name == "stitchlab_arrows"
    ]
    assert told["cell"] == [1, 1]
    assert [told["rows"], told["columns"]] == [list(done.request.front_layers), list(done.request.end_layers)]


def test_a_cell_that_the_grid_has_not_is_not_chosen(done: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    moved, written = [], []
    monkeypatch.setattr(keyboard, "_arrows", lambda on_moved_change, **_: moved.append(on_moved_change))
    monkeypatch.setattr(address, "write", lambda run, cell: written.append(cell))
    keyboard.arrows(done, (done.request.front_layers[0], done.request.end_layers[0]))
    for asked in ([9, 0], [0, -1], None, [1, 2]):
        monkeypatch.setattr(keyboard, "st", SimpleNamespace(session_state={"arrows": {"moved": asked}}))
        moved[0]()
    assert written == [(done.request.front_layers[1], done.request.end_layers[2])]
