"""Opened files and the gallery: found after one's own runs, kept until closed; nothing is taken from them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from grids import Spy, made, numbers

import unit.test_bundle_hostile as hostile
from stitchlab.__main__ import main
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.jobs import Jobs
from stitchlab.request import Detection
from stitchlab.results import shelf
from stitchlab.results.bundle import pack, unpack
from stitchlab.results.cleaning import clean, delete_run, sizes
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.store.checking import check


@pytest.fixture(scope="module")
def packed(finished_grid: Store) -> bytes:
    (run,) = list_runs(finished_grid)
    return pack(run, title="A grid")


@pytest.fixture(scope="module")
def forged(packed: bytes) -> bytes:
    """The same run with all accuracies .99 and right checksums."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(parts["cells.json"])
    for each in (*told["cells"], *told["accuracies"].values()):
        each.update({name: 0.99 for name in ("accuracy", "distance", "similarity") if name in each})
    return hostile.sealed({**parts, "cells.json": json.dumps(told).encode()})


@pytest.fixture
def empty(digits_store: Store, tmp_path: Path) -> Store:
    """A store with the networks and no run."""
    shutil.copytree(digits_store.root, tmp_path / "empty")
    return Store(tmp_path / "empty")


def lay_out(monkeypatch: pytest.MonkeyPatch, folder: Path, **files: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.stitch").write_bytes(data)
    monkeypatch.setenv("STITCHLAB_GALLERY", str(folder))


def test_an_opened_run_is_found_read_and_let_go(empty: Store, packed: bytes) -> None:
    opened = shelf.open_file(empty, packed, "C:\\Users\\ada\\a grid.stitch")
    assert shelf.open_file(empty, packed, "again.stitch").id == opened.id  # the same bytes: kept once
    assert [run.id for run in shelf.opened(empty)] == [opened.id]
    for name in (opened.id, opened.id[:6]):
        found = shelf.find(empty, name)
        assert found.source is not None
        assert (found.id, found.source.file, found.source.title) == (opened.id, "a grid.stitch", "A grid")
    assert list_runs(empty) == []
    with pytest.raises(UnknownName):
        Run.load(opened.id, empty)
    key = hashlib.sha256(packed).hexdigest()
    assert sorted(path.name for path in (empty.root / "opened").iterdir()) == [f"{key}.json", f"{key}.stitch"]
    shelf.close(empty, found)
    assert shelf.opened(empty) == []
    assert not list((empty.root / "opened").iterdir())
    with pytest.raises(UnknownName, match="no run is called"):
        shelf.find(empty, opened.id)


def test_a_file_that_is_none_leaves_nothing(empty: Store, packed: bytes) -> None:
    before = sorted(empty.root.rglob("*"))
    for data in (b"", packed[:-5], b"PK" + packed, bytes(100)):
        with pytest.raises(StitchLabError, match=r"^bad\.stitch cannot be opened as a \.stitch file: "):
            shelf.open_file(empty, data, "../../bad.stitch")
    assert sorted(empty.root.rglob("*")) == before


def test_nothing_computed_here_takes_a_number_from_a_file(
    empty: Store, forged: bytes, finished_grid: Store, spy: Spy
) -> None:
    opened = shelf.open_file(empty, forged, "forged.stitch")
    assert {row.value for row in opened.rows() if row.metric == "accuracy"} == {0.99}
    assert opened.id == list_runs(finished_grid)[0].id
    own = made(empty)
    assert own.id == opened.id
    assert len(spy.dm) == len(spy.tlm) == 4, "all of it was computed"
    assert numbers(own) == numbers(made(finished_grid))
    found = shelf.find(empty, own.id)
    assert found.source is None, "one's own comes first"
    assert numbers(found) == numbers(own)
    differing = shelf.differences(own, opened)
    assert {d.metric for d in differing} >= {"accuracy", "distance", "similarity"}
    assert all(d.there is not None for d in differing if d.metric == "accuracy")
    assert "differ" in shelf.compared(own, opened)
    assert shelf.differences(own, unpack(pack(own), "own.stitch")) == []
    assert shelf.others(empty) == []
    assert [run.source is not None for run in shelf.same(empty, own)] == [True]


def test_cleaning_and_deleting_leave_opened_files(done: Store, packed: bytes) -> None:
    opened = shelf.open_file(done, packed, "kept.stitch")
    delete_run(done, opened.id)
    then = time.time() - 7200
    for path in done.root.rglob("*"):
        os.utime(path, (then, then))
    clean(done)
    assert [run.id for run in shelf.opened(done)] == [opened.id]
    assert "opened" in {amount.room for amount in sizes(done)}
    assert shelf.find(done, opened.id).complete
    assert not [wrong for _, wrong in check(done) if wrong]
    (path,) = (done.root / "opened").glob("*.stitch")
    path.write_bytes(path.read_bytes()[:-1])
    assert [(where, "checksum" in wrong) for where, wrong in check(done) if wrong] == [(path, True)]
    assert shelf.opened(done) == [], "a damaged one is left out"


def test_the_gallery_is_read_in_order_and_a_damaged_file_breaks_nothing(
    empty: Store, packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert shelf.gallery() == []
    lay_out(monkeypatch, tmp_path / "gallery", b_second=packed, a_first=packed, c_broken=packed[:500])
    (tmp_path / "gallery" / "notes.txt").write_text("no run")
    runs = shelf.gallery()
    assert [run.source.file for run in runs if run.source] == ["a_first.stitch", "b_second.stitch"]
    assert all(run.source is not None and run.source.gallery for run in runs)
    assert "c_broken.stitch is left out" in caplog.text
    assert shelf.gallery()[0] is runs[0], "read once"
    assert shelf.find(empty, runs[0].id).source == runs[0].source
    shelf.open_file(empty, packed, "mine.stitch")
    found = shelf.find(empty, runs[0].id)
    assert found.source is not None
    assert not found.source.gallery, "opened files come before the gallery"
    assert [run.source.file for run in shelf.others(empty) if run.source] == ["mine.stitch"]
    with pytest.raises(StitchLabError, match="comes with StitchLab"):
        shelf.close(empty, runs[0])
    monkeypatch.setenv("STITCHLAB_GALLERY", str(tmp_path / "nowhere"))
    assert shelf.gallery() == []


def test_no_job_is_ever_made_of_an_opened_run(empty: Store, packed: bytes, tmp_path: Path) -> None:
    opened, jobs = shelf.open_file(empty, packed, "a.stitch"), Jobs(empty, "tcp://127.0.0.1:1")
    for ask in (
        lambda: jobs.compute(opened),
        lambda: jobs.estimate(opened),
        lambda: jobs.ask("feature_maps", opened, 0),
        lambda: jobs.detect(opened, Detection(), ["knn"], []),
        lambda: jobs.compute_trajectory(opened, "a", "b"),
    ):
        with pytest.raises(StitchLabError, match=r"opened from a\.stitch, to be read"):
            ask()
    jobs.close()
    assert empty.keys("jobs") == []


def test_commands(
    empty: Store, packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(empty.root))
    file = tmp_path / "a.stitch"
    file.write_bytes(packed)
    assert main(["open", str(file)]) == 0
    told = capsys.readouterr()
    (key,) = told.out.splitlines()
    assert "24 of 24 cells, made by StitchLab" in told.err
    assert main(["runs"]) == 0
    assert f"{key}  " in (listed := capsys.readouterr().out)
    assert "24 of 24" in listed
    assert "a.stitch" in listed
    assert main(["show", key[:8]]) == 0
    assert "24 of 24 cells there, in a.stitch" in capsys.readouterr().out
    assert main(["ood", key]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("front_layer,end_layer,method,detector")
    assert "nothing is computed" in told.err
    assert main(["delete", key]) == 0
    assert "was removed" in capsys.readouterr().out
    for name, why in ((tmp_path / "none.stitch", "could not be read"), (tmp_path, "could not be read")):
        assert main(["open", str(name)]) == 2
        assert why in (line := capsys.readouterr().err)
        assert line.count("\n") == 1
    file.write_bytes(b"x" + packed)
    assert main(["open", str(file)]) == 2
    assert capsys.readouterr().err.startswith("stitchlab open: a.stitch cannot be opened as a .stitch file: ")
    assert main(["show", key]) == 2
