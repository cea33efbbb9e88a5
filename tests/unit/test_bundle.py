"""The .stitch file: a run goes into it and comes out as it was, small, without a trace of where it was made."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, ROWS

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.errors import StitchLabError
from stitchlab.figures.story import story
from stitchlab.grid import compute as grid
from stitchlab.ood.detectors import energy
from stitchlab.ood.evaluate import detect
from stitchlab.ood.samples import keep_samples
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.request import Detection
from stitchlab.results import networks, samples, trajectory
from stitchlab.results.bundle import layout, pack, unpack
from stitchlab.results.bundle.arrays import Arrays, sample
from stitchlab.results.bundle.detection_entries import CHANNELS
from stitchlab.results.bundle.private import private
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults
from stitchlab.results.detection_settings import settings
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run, list_runs
from stitchlab.results.tables import cells_csv, ood_csv
from stitchlab.store import Store
from stitchlab.store.checking import check

WALKED = (ROWS[1], COLUMNS[0])
PATCHES = Detection(outliers="patches")


@pytest.fixture(scope="module")
def full(finished_grid: Store, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished grid with all that can be said of it, detectors under two settings. Only read it."""
    root = tmp_path_factory.mktemp("full") / "cache"
    shutil.copytree(finished_grid.root, root)
    (run,) = list_runs(Store(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy, "STEPS", {"training": 6, "fine-tuning": 3})
        detect(run, device="cpu")
    detect(run, detectors=["knn"], detection=PATCHES, device="cpu")
    compute_trajectory(run, *WALKED, torch.device("cpu"))
    keep_samples(DetectionResults(run), torch.device("cpu"))
    return Run.load(run.id, run.store)


@pytest.fixture(scope="module")
def packed(full: Run) -> bytes:
    return pack(full, title="A grid", story="Two lines\nof story.", command="compare a b --data folder:/home/ada/CIFAR")


@pytest.fixture(scope="module")
def opened(packed: bytes) -> Run:
    return unpack(packed, "/home/ada/grid.stitch")


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_number_and_reason_of_the_grid_comes_back(full: Run, opened: Run) -> None:
    assert opened.id == full.id
    assert opened.request == full.request
    assert list(opened.rows()) == list(full.rows())
    assert cells_csv(opened) == cells_csv(full)
    assert opened.undefined() == full.undefined()
    assert (opened.own_accuracy, opened.front_accuracy) == (full.own_accuracy, full.front_accuracy)
    assert (opened.complete, opened.accuracies_measured, opened.draft) == (True, True, False)
    mine, theirs = full.provenance(), opened.provenance()
    assert theirs == private(mine) | {"request": mine["request"]}
    assert theirs["weights"] == mine["weights"]
    assert None not in theirs["weights"].values()


@pytest.mark.parametrize("detection", [Detection(), PATCHES], ids=["noise", "patches"])
def test_every_number_of_detectors_comes_back_under_every_setting(full: Run, opened: Run, detection: Detection) -> None:
    mine, theirs = DetectionResults(full, detection), DetectionResults(opened, detection)
    assert list(theirs.rows()) == list(mine.rows())
    assert any(row.value is not None for row in theirs.rows(["knn"]))
    for name in DETECTORS:
        for of in [*mine.cells, *((NATIVE, "", j) for j in COLUMNS)]:
            assert theirs.reason(name, *of) == mine.reason(name, *of)
        assert [theirs.reliability(name, j) for j in COLUMNS] == [mine.reliability(name, j) for j in COLUMNS]
    assert story(theirs) == story(mine)


def test_settings_are_found_in_the_store_and_the_fullest_is_what_an_opened_run_is_seen_by(
    full: Run,
    opened: Run,
) -> None:
    assert settings(full) == settings(opened) == [Detection(), PATCHES]
    assert DetectionResults(opened).detection == Detection()
    assert DetectionResults(full).detection == Detection()


def test_samples_say_of_arrays_what_plots_need(full: Run, opened: Run) -> None:
    mine, theirs = DetectionResults(full), DetectionResults(opened)
    for of in [*mine.cells, *((NATIVE, "", j) for j in COLUMNS)]:
        for name in (*DETECTORS, STATISTICS):
            whole, few = mine.arrays(name, *of), theirs.arrays(name, *of)
            assert whole.keys() == few.keys()
            for what, array in whole.items():
                plain = what.rpartition(".")[2]
                if plain in ("scores", "norms"):
                    assert np.array_equal(few[what], sample(array))
                elif plain in CHANNELS:
                    assert np.array_equal(few[what], array, equal_nan=True)
                else:
                    assert np.array_equal(few[what], array[: len(few[what])], equal_nan=True)
                    assert few[what].dtype == array.dtype
    scores = np.random.default_rng(0).normal(size=5001)
    assert [np.median(sample(scores)), sample(scores).min(), sample(scores).max()] == [
        np.median(scores),
        scores.min(),
        scores.max(),
    ]
    assert len(sample(scores)) == layout.ORDER_STATISTICS


def test_epochs_and_samples_come_back(full: Run, opened: Run) -> None:
    mine, theirs = trajectory.kept(full, *WALKED), trajectory.kept(opened, *WALKED)
    assert mine is not None
    assert theirs is not None
    assert theirs[0] == private(mine[0])
    assert np.array_equal(theirs[1], mine[1])
    assert trajectory.kept(opened, ROWS[0], COLUMNS[1]) is None
    assert not trajectory.possible(opened, ROWS[0], COLUMNS[1])
    cells = samples.cells(DetectionResults(full))
    assert (ROWS[-1], COLUMNS[0]) in cells
    assert samples.sampled_cells(opened) == samples.sampled_cells(full)
    for cell in cells:
        mine_, theirs_ = samples.kept(full, *cell), samples.kept(opened, *cell)
        assert mine_ is not None
        assert theirs_ is not None
        assert {name: array.tolist() for name, array in mine_.items()} == {
            name: array.tolist() for name, array in theirs_.items()
        }
        assert mine_["images"].shape == (samples.IMAGES, 8, 8)
        assert mine_["tlm"].dtype == np.float16


def test_samples_are_the_maps_that_pages_show(full: Run) -> None:
    from stitchlab.ood.evaluate import activations_of

    for i, j in samples.cells(DetectionResults(full)):
        kept = samples.kept(full, i, j)
        assert kept is not None
        shown = activations_of(full, 3, i, j)
        for name in ("native", "tlm", "dm"):
            there = kept[name][3].astype(np.float32) * kept["scale"]
            assert np.allclose(there, shown[name].numpy()[kept["channels"]], rtol=2e-3, atol=1e-3)


def test_a_file_that_is_opened_and_packed_again_is_the_same_byte_for_byte(packed: bytes, opened: Run) -> None:
    assert pack(opened) == packed
    again = entries(pack(opened, title="Another"))
    assert json.loads(again.pop("stitchlab.json"))["title"] == "Another"
    assert again == {name: data for name, data in entries(packed).items() if name != "stitchlab.json"}


def test_the_file_says_what_it_is(packed: bytes, opened: Run) -> None:
    said = json.loads(entries(packed)["stitchlab.json"])
    assert (said["format"], said["schema"], said["run"]) == ("stitchlab", 1, opened.id)
    source = opened.source
    assert source is not None
    assert (source.file, source.title, source.story) == ("grid.stitch", "A grid", "Two lines\nof story.")
    assert (source.maker, source.made, source.gallery) == (said["maker"], said["made"], False)
    assert unpack(packed, "a.stitch", gallery=True).source != source


def test_others_read_cells_in_three_lines(packed: bytes, full: Run, tmp_path: Path) -> None:
    (tmp_path / "run.stitch").write_bytes(packed)
    page = (Path(__file__).parents[2] / "docs" / "stitch-file.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0].replace("run.stitch", str(tmp_path / "run.stitch"))
    there: dict[str, Any] = {}
    exec(code, there)
    assert [tuple(row.values()) for row in there["rows"]] == [
        (*row[:4], "" if row.value is None else repr(row.value)) for row in full.rows()
    ]
    assert entries(packed)["ood.csv"].decode() == ood_csv(
        DetectionResults(full), list(DETECTORS), DetectionResults(full).cells
    )


def test_nothing_says_where_it_was_made(full: Run, tmp_path: Path) -> None:
    """A user's folder and machine in every place that has one; the names of layers stay, whatever they look like."""
    shutil.copytree(full.store.root, tmp_path / "cache")
    store = Store(tmp_path / "cache")
    record = json.loads(json.dumps(full.record))
    record["data"]["name"] = "folder:/home/lovelace me/CIFAR-10"
    for side in ("front", "end"):
        record[side] |= {
            "data": "folder:C:\\Users\\lovelace\\CIFAR-10",
            "code": {"file": "/home/lovelace/net.py", "sha256": "0"},
        }
        record[side]["origin"] |= {
            "file": "/home/lovelace/w.pt",
            "remark": "from ~/nets/lovelace/w.pt",
            "device": "x on lovelace",
        }
    store.put("runs", full.id, record)
    data = pack(Run.load(full.id, store), command="compare a b --data folder:/home/lovelace/CIFAR-10")
    for name, entry in entries(data).items():
        assert b"lovelace" not in entry, name
        if name.endswith(".json"):
            assert not re.findall(r'"[^"]*(?:^|[^\w/.])/\w+/[^"]*"', entry.decode()), name
    opened = unpack(data, "x.stitch")
    assert opened.source is not None
    assert opened.source.command == "compare a b --data folder:CIFAR-10"
    assert opened.record["data"]["name"] == opened.record["end"]["data"] == "folder:CIFAR-10"
    code = opened.record["end"]["code"]
    assert code is not None
    assert code["file"] == "net.py"
    assert opened.provenance()["devices"] == ["cpu"]
    assert opened.request == full.request


def test_an_opened_run_is_only_read(opened: Run, full: Run) -> None:
    before = pack(opened)
    (cell, *_) = DetectionResults(opened).cells
    for act in (
        lambda: opened.store.put("cells", "k", {}),
        lambda: opened.store.delete("cells", "k"),
        lambda: opened.store.delete_all("cells", "k"),
        lambda: opened.store.path("cells", "k", ".json"),
        lambda: opened.save() if opened.store.get("runs", opened.id) is None else None,
        lambda: detect(opened, detection=Detection(outliers="blur"), device="cpu"),
        lambda: compute_trajectory(opened, *cell[1:], torch.device("cpu")),
        lambda: grid.compute(full.store, opened, torch.device("cpu")),
    ):
        with pytest.raises(StitchLabError, match="opened"):
            act()
    assert pack(opened) == before


def test_maps_are_a_choice(full: Run, packed: bytes) -> None:
    assert "maps.safetensors" not in entries(packed)
    data = pack(full, maps=True)
    opened = unpack(data, "maps.stitch")
    for method in full.request.methods:
        for i, j in full.request.cells:
            key = map_key(full.request, method, i, j)
            mine, theirs = full.store.get_arrays("maps", key), opened.store.get_arrays("maps", key)
            assert mine is not None
            assert theirs is not None
            assert all(np.array_equal(theirs[name], mine[name]) for name in ("weight", "bias"))
    assert entries(pack(opened, maps=True)) == entries(data)


def test_an_unfinished_run_is_packed_as_far_as_it_is(store: Store) -> None:
    from grids import made

    from stitchlab.grid.ask import ask

    some = made(store, methods=["dm"], indices=["cka"])
    more = ask(
        "digits-a",
        "digits-b",
        store,
        front_layers=ROWS,
        end_layers=COLUMNS,
        methods=["dm", "tlm"],
        indices=["cka"],
        dm_images=40,
        eval_images=150,
    )
    for run in (more, Run.load(some.id, store)):
        networks.delete(store, run.request.front) if run.id == some.id else None
        opened = unpack(pack(run), "part.stitch")
        assert list(opened.rows()) == list(run.rows())
        assert opened.complete == run.complete
        assert opened.provenance()["weights"] == Run.load(run.id, store).provenance()["weights"]


def test_what_is_too_long_to_say_is_refused(full: Run) -> None:
    for name, text in (("x" * 201, ""), ("", "x" * 4001), ("\x07", ""), ("", "![x](http://example.org)")):
        with pytest.raises(StitchLabError, match="plain text, without links, of at most"):
            pack(full, title=name, story=text)


def test_the_store_knows_samples_and_verifies_them(full: Run) -> None:
    assert full.store.keys(samples.ROOM)
    assert not [wrong for _, wrong in check(full.store) if wrong]


def test_arrays_are_read_without_copies_and_whole_numbers_are_small(full: Run, packed: bytes) -> None:
    arrays = Arrays("ood.safetensors", entries(packed)["ood.safetensors"])
    labels = [name for name in arrays.names if name.endswith("labels")]
    assert labels
    assert arrays.get(labels[0]).dtype == np.int64
    score = next(name for name in arrays.names if name.endswith(f"{OUTLIERS}.scores"))
    assert not arrays.get(score).flags.owndata
