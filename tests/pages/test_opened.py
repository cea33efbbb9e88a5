"""Runs that were opened from a file are shown as any other, and nobody is ever asked to compute anything of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from looks import Notes, Open, charts, fill, has, sound, text

from stitchlab.jobs import Status
from stitchlab.ood.samples import keep_samples
from stitchlab.results import networks, shelf
from stitchlab.results.bundle import pack
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui.results import VIEWS as COMPARED
from stitchlab.ui.views import VIEWS

COMPARE, ACTIVATIONS = "pages/1_Compare.py", "pages/2_Activations.py"
CELL = {"front_layer": "layer3.1", "end_layer": "relu"}  # the last into the first: sampled


@pytest.fixture(scope="module")
def packed(judged_store: tuple[Store, str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of a judged run, with samples."""
    root = tmp_path_factory.mktemp("packed") / "cache"
    shutil.copytree(judged_store[0].root, root)
    run = Run.load(judged_store[1], Store(root))
    keep_samples(DetectionResults(run), torch.device("cpu"))
    return pack(run, title="Digits *twice*", story="What *they* say.")


@pytest.fixture
def run(digits_store: Store, packed: bytes, tmp_path: Path) -> Run:
    """It, opened in a store of one's own that has one other network only."""
    shutil.copytree(digits_store.root, tmp_path / "other")
    store = Store(tmp_path / "other")
    for name in ("digits-a", "digits-b"):
        networks.delete(store, name)
    shelf.open_file(store, packed, "theirs.stitch")
    (opened,) = shelf.opened(store)
    return opened


@pytest.fixture
def shown(run: Run, tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


def nothing_asked(jobs: Notes) -> bool:
    return not (jobs.asked or jobs.computed or jobs.judged or jobs.walked or jobs.prepared or jobs.looked)


def test_compare_shows_it_and_says_whose_it_is(opened: Open, jobs: Notes, shown: Store, run: Run) -> None:
    at = sound(opened(shown, COMPARE, run=run.id))
    assert at.title[0].value.replace("\\", "") == run.title
    assert len(charts(at)) == 2
    said = text(at, "info", "markdown")
    assert "Digits *twice*" in said
    assert "Opened from theirs.stitch, made by StitchLab" in said
    assert "What *they* say." in said
    assert not has(at, "button", "compute")
    assert at.button(key="pick").label == "New comparison"
    assert nothing_asked(jobs)
    for view in COMPARED.values():
        at = sound(opened(shown, COMPARE, run=run.id, view=view))
        assert charts(at) or at.dataframe
    assert nothing_asked(jobs)


def test_a_new_comparison_begins_beside_it(opened: Open, shown: Store, run: Run) -> None:
    at = sound(opened(shown, COMPARE, run=run.id).button(key="pick").click().run())
    assert has(at, "selectbox", "front")
    assert "theirs.stitch" not in text(at, "info")


@pytest.mark.parametrize("look", VIEWS)
def test_every_view_shows_what_the_file_has(opened: Open, jobs: Notes, shown: Store, run: Run, look: str) -> None:
    at = sound(opened(shown, ACTIVATIONS, run=run.id, look=VIEWS[look][0], **CELL))
    assert charts(at), look
    assert not at.error
    assert not any(button.label in ("Compute this cell", "Judge all cells", "Train it") for button in at.button)
    assert nothing_asked(jobs)


def test_what_needs_its_networks_is_one_plain_line(opened: Open, jobs: Notes, shown: Store, run: Run) -> None:
    at = sound(opened(shown, ACTIVATIONS, run=run.id, look=VIEWS["maps"][0], image=50, **CELL))
    assert "theirs.stitch does not hold the feature maps of this cell and image" in text(at, "info")
    assert "theirs.stitch does not hold test image 50" in text(at, "info")
    other = {"front_layer": "layer1.0", "end_layer": "layer3.1"}
    for look, what in (("maps", "the feature maps of this cell"), ("epochs", "the epochs of layer1.0 → layer3.1")):
        at = sound(opened(shown, ACTIVATIONS, run=run.id, look=VIEWS[look][0], **other))
        assert f"does not hold {what}" in text(at, "info"), look
    assert nothing_asked(jobs)


def test_an_unfinished_unjudged_one_asks_for_nothing_either(
    opened: Open, jobs: Notes, asked: Run, digits_store: Store, tmp_path: Path
) -> None:
    some = fill(asked, lacking=2)
    shutil.copytree(digits_store.root, tmp_path / "second")
    shown = Store(tmp_path / "second")
    run = shelf.open_file(shown, pack(some), "part.stitch")
    jobs.states[run.id] = Status("running", "one's own", 0.5)  # of the same id: none of this run's business
    for page in (COMPARE, ACTIVATIONS):
        for j in (run.request.end_layers[0], run.request.end_layers[-1]):
            sound(opened(shown, page, run=run.id, front_layer="layer1.0", end_layer=j))
    at = sound(opened(shown, ACTIVATIONS, run=run.id, front_layer="layer1.0", end_layer=run.request.end_layers[-1]))
    assert "part.stitch does not hold Task loss matching and Direct matching" in text(at, "info")
    assert nothing_asked(jobs)


def test_the_gallery_is_chosen_as_any_other(
    opened: Open, jobs: Notes, shown: Store, run: Run, packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.close(shown, run)
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "digits.stitch").write_bytes(packed)
    monkeypatch.setenv("STITCHLAB_GALLERY", str(tmp_path / "gallery"))
    at = sound(opened(shown, COMPARE, run=run.id))
    assert "From the gallery, made by" in text(at, "info")
    at = sound(opened(shown, ACTIVATIONS))
    assert at.selectbox(key="chosen_run").value == run.id
    assert nothing_asked(jobs)


def test_ones_own_comes_first_and_differences_are_said(opened: Open, done: Run) -> None:
    data = pack(done)
    for cell in list(done.cells)[:1]:
        from stitchlab.results.keys import result_key

        key = result_key(done.request, *cell)
        done.store.put("cells", key, (done.store.get("cells", key) or {}) | {"accuracy": 0.5})
    shelf.open_file(done.store, data, "same.stitch")
    at = sound(opened(done.store, COMPARE, run=done.id))
    assert "same.stitch is a file of this same run" in text(at, "caption")
    assert "0.5 here" in text(at, "caption")
    assert "Opened from" not in text(at, "info")
