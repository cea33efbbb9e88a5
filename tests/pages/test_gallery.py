"""What comes with StitchLab and what somebody sent: Home and Runs with a gallery, files that are opened, no way to
compute."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from looks import Notes, Open, charts, drawn, elements, has, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.figures.story import sentence, story
from stitchlab.figures.thumbnail import thumbnail
from stitchlab.jobs import Jobs, NotInstalled
from stitchlab.jobs import connection as connecting
from stitchlab.results import shelf
from stitchlab.results.bundle import pack
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Store

PAGE = "pages/4_Runs.py"
NEEDS = "Computing needs torch, not installed here"


@pytest.fixture
def gallery(judged: Run, done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """A gallery of one run that has been judged; its numbers are those of `judged`."""
    folder = tmp_path / "gallery"
    folder.mkdir()
    (folder / "1-digits.stitch").write_bytes(pack(judged, title="Two on digits", command="make gallery"))
    monkeypatch.setenv("STITCHLAB_GALLERY", str(folder))
    return shelf.gallery()


def links(at: AppTest) -> list[str]:
    return [link.proto.query_string for link in at.main.get("page_link")]


def test_home_of_a_fresh_clone_tells_the_gallerys_story(
    opened: Open, jobs: Notes, gallery: list[Run], judged: Run, tmp_path: Path
) -> None:
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    tlm, dm = (drawn(figure) for figure in charts(at)[:2])
    assert (tlm == judged.matrix("tlm", "accuracy")).all()
    assert (dm == judged.matrix("dm", "accuracy")).all()
    chapter = story(DetectionResults(gallery[0]))[0]
    assert f"Framed: {chapter.front_layer} → {chapter.end_layer}" in text(at, "caption")
    assert all(figure["layout"]["shapes"] for figure in charts(at)[:2]), "marked in both"
    assert chapter.text in text(at, "markdown")
    assert "Two on digits" in text(at, "header")
    assert has(at, "button", "demo")
    assert not jobs.trained
    assert not jobs.computed
    assert not jobs.judged
    assert not (tmp_path / "empty").exists()


def test_the_others_are_cards(opened: Open, gallery: list[Run], done: Run, tmp_path: Path) -> None:
    other = Run(done.store, done.record | {"request": {**done.record["request"], "seed": 8}})
    for cell, key in done._keys().items():
        done.store.put("cells", other._keys()[cell], done.store.get("cells", key) or {})
    (tmp_path / "gallery" / "2.stitch").write_bytes(pack(other, title="A *second* one"))
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    assert "A *second* one" in text(at, "markdown")
    assert sentence(other) in text(at, "markdown")
    assert any(f"run={other.id}" in link for link in links(at))
    (image,) = at.get("image")
    assert image.proto.imgs[0].url.startswith("data:image/png;base64,")


def test_a_card_says_what_its_numbers_say(done: Run) -> None:
    said, i, j = sentence(done), done.request.front_layers[-1], done.request.end_layers[0]
    assert f"{done.value('tlm', 'accuracy', i, j):.2f}" in said
    assert f"{done.value('dm', 'accuracy', i, j):.2f}" in said
    drawn_small = thumbnail(done)
    assert drawn_small is not None
    assert drawn_small.shape[2] == 4
    colours = {tuple(pixel) for pixel in drawn_small.reshape(-1, 4)[:, :3].tolist()}
    values = {*np.unique(np.stack([done.matrix(m, "accuracy") for m in ("tlm", "dm")]))}
    assert len(colours) <= len(values) + 1, "a colour a number, and the clear ground"


def test_runs_marks_what_was_not_computed_here(
    opened: Open, jobs: Notes, gallery: list[Run], judged: Run, tmp_path: Path
) -> None:
    at = sound(opened(Store(tmp_path / "empty"), PAGE, runs=judged.id))
    (row,) = at.dataframe[0].value.to_dict("records")
    assert (row["Run"], row["From"], row["Done"]) == ("Two on digits", "gallery", 1.0)
    assert "made by make gallery" in text(at, "caption")
    assert not any(has(at, "button", key) for key in ("delete", "close", "rename")), "the gallery's are only read"
    at = sound(opened(judged.store, PAGE, runs=judged.id))
    assert [row["From"] for row in at.dataframe[0].value.to_dict("records")] == ["here"], "one's own is shown"


def test_a_file_is_opened_and_closed(opened: Open, judged: Run, tmp_path: Path) -> None:
    store = Store(tmp_path / "empty")
    uploader = elements(opened(store, PAGE), "file_uploader")[0]
    at = sound(uploader.upload("sent.stitch", pack(judged, title="Sent"), "application/zip").run())
    assert "Sent" in text(at, "header")
    assert [run.id for run in shelf.opened(store)] == [judged.id]
    at = sound(widget(at, "button", "close").click().run())
    assert not shelf.opened(store)
    assert not at.dataframe
    broken = elements(opened(store, PAGE), "file_uploader")[0]
    at = sound(broken.upload("sent.stitch", b"PK nonsense", "application/zip").run())
    assert len(at.error) == 1
    assert not shelf.opened(store)


def test_where_nothing_can_be_computed_one_line_says_what_to_install(
    opened: Open, jobs: Notes, gallery: list[Run], asked: Run, tmp_path: Path
) -> None:
    jobs.lacking = NEEDS
    at = sound(opened(Store(tmp_path / "empty"), "app.py"))
    assert NEEDS in text(at, "info")
    assert not has(at, "button", "demo")
    assert len(charts(at)) >= 2
    at = sound(opened(asked.store, run=asked.id))
    assert NEEDS in text(at, "info")
    assert not has(at, "button", "compute")
    assert not at.error


def test_jobs_ask_nobody_where_packages_are_lacking(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        return None if name in ("torch", "distributed") else object()

    monkeypatch.setattr(importlib.util, "find_spec", find)
    jobs = Jobs(store)
    jobs.start()
    assert jobs._connection._client is None, "nothing was begun"
    assert "torch and distributed" in jobs.lacking
    with pytest.raises(NotInstalled, match=r"pip install -r requirements\.txt"):
        jobs.train_demo()
    answer = jobs.ask("cut_points", "digits-a")
    assert (answer.state, answer.message) == ("failed", jobs.lacking)
    assert jobs.status("demo") is None
    assert "torch" not in connecting.Connection(store, "tcp://localhost:1").lacking, "its workers have it"
