"""Fixtures of the page tests: stores at three stages, and a page that runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from looks import ROOT, Notes, Open
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from stitchlab import ui
from stitchlab.grid.ask import ask, compare
from stitchlab.jobs import JobQueue
from stitchlab.ood.detectors import energy
from stitchlab.ood.evaluate import detect
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.request import TaskLoss
from stitchlab.results.run import Run
from stitchlab.store import Store


@pytest.fixture(scope="session", autouse=True)
def packages_read_once() -> Iterator[None]:
    """Streamlit reads what is installed, for components that packages bring, once and not for every page opened.

    A server does so when it starts; each `AppTest` is a server, and this was most of what opening a page took.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """The queue that pages see."""
    notes = Notes()

    def queue(store: Store) -> JobQueue:
        notes.store = store
        return notes

    monkeypatch.setattr(ui, "Jobs", queue)
    return notes


@pytest.fixture
def opened(jobs: Notes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a page on a store, with these words in its URL, and runs it once."""

    def page(store: Store, name: str = "pages/1_Compare.py", **url: Any) -> AppTest:
        monkeypatch.setenv("STITCHLAB_CACHE", str(store.root))
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if name != "app.py":
            at.switch_page(name)  # before the first run: as somebody's link does on a fresh server
        at.query_params.update(url)
        return at.run()

    st.cache_resource.clear()
    st.cache_data.clear()
    yield page
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="session")
def grid_store(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store with a finished run of 2×3 cells, and the run's id. Only read it."""
    root = tmp_path_factory.mktemp("pages") / "cache"
    shutil.copytree(digits_store.root, root)
    run = compare(
        "digits-b",
        "digits-a",
        store=Store(root),
        device="cpu",
        front_layers=["layer1.0", "layer3.1"],
        end_layers=["relu", "layer2.0", "layer3.1"],
        methods=["tlm", "dm"],
        indices=["cka", "opd"],
        tlm=TaskLoss(epochs=1, lr=2e-3, targets="soft", init="dm"),
        dm_images=50,
        eval_images=120,
        seed=3,
    )
    return Store(root), run.id


@pytest.fixture
def done(grid_store: tuple[Store, str], tmp_path: Path) -> Run:
    """That run, in a store of one's own."""
    shutil.copytree(grid_store[0].root, tmp_path / "done")
    return Run.load(grid_store[1], Store(tmp_path / "done"))


@pytest.fixture(scope="session")
def judged_store(grid_store: tuple[Store, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """That run with what all detectors say, and one cell's walk. Only read it."""
    root = tmp_path_factory.mktemp("judged") / "cache"
    shutil.copytree(grid_store[0].root, root)
    run = Run.load(grid_store[1], Store(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy, "STEPS", {"training": 12, "fine-tuning": 6})
        detect(run, device="cpu")
    compute_trajectory(run, "layer3.1", "relu", torch.device("cpu"))
    return run.store, run.id


@pytest.fixture
def judged(judged_store: tuple[Store, str], tmp_path: Path) -> Run:
    """It in a store of one's own."""
    shutil.copytree(judged_store[0].root, tmp_path / "judged")
    return Run.load(judged_store[1], Store(tmp_path / "judged"))


@pytest.fixture
def asked(store: Store) -> Run:
    """A run of which nothing is computed yet: all blocks of two networks, all defaults, as the demo's."""
    return ask("digits-a", "digits-b", store)
