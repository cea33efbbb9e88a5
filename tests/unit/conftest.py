"""Fixtures of the engine's tests: a grid that is there already, and a spy on what is computed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from grids import Spy, made

from stitchlab.ood import reference as side
from stitchlab.ood.detectors import energy
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store


@pytest.fixture(scope="session")
def finished_grid(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which `grids.SMALL` is computed. Only read it."""
    root = tmp_path_factory.mktemp("finished") / "cache"
    shutil.copytree(digits_store.root, root)
    made(Store(root))
    return Store(root)


@pytest.fixture
def done(finished_grid: Store, tmp_path: Path) -> Store:
    """A copy of `finished_grid` of one's own."""
    shutil.copytree(finished_grid.root, tmp_path / "done")
    return Store(tmp_path / "done")


@pytest.fixture
def run(done: Store) -> Run:
    """Its run; nothing that was judged in another store stays loaded."""
    side._references.clear()
    return list_runs(done)[0]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned detector trains in a moment."""
    monkeypatch.setattr(energy, "STEPS", {"training": 6, "fine-tuning": 3})


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Notes what is computed from now on."""
    return Spy(monkeypatch)
