"""Deleting a run, cleaning the store, its sizes, and the verification of its files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from grids import COLUMNS, ROWS, folder, made

from stitchlab.data import registry as datasets
from stitchlab.errors import Damaged, UnknownName
from stitchlab.export.tables import cells_csv, ood_csv, run_json
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.device import pick_device
from stitchlab.models.tensors import put_tensors
from stitchlab.ood.evaluate import detect
from stitchlab.ood.samples import keep_samples
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.request import Detection, TaskLoss
from stitchlab.results import cut_points, networks, trajectory
from stitchlab.results.cleaning import Amount, clean, delete_run, sizes
from stitchlab.results.detection import DetectionResults, MethodCell
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store, uploads
from stitchlab.store.checking import check

CELL: MethodCell = ("tlm", ROWS[1], COLUMNS[0])
DETECTORS = ["energy", "knn"]


def files(store: Store) -> set[str]:
    """What lies in the store, but for rates of work, which belong to no run, and the lock that claims take turns by."""
    there = (path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file())
    return {str(path) for path in there if path.parts[0] != "timings" and path.name != "turn.lock"}


def lay_by(store: Store, hours: float = 2.0) -> None:
    """Everything in the store was written so long ago."""
    then = time.time() - 3600 * hours
    for path in store.root.rglob("*"):
        os.utime(path, (then, then))


def looked_at(run: Run) -> Run:
    """Detectors looked at a cell of it, its epochs were followed, and samples of telling cells kept."""
    keep_samples(detect(run, detectors=DETECTORS, cells=[CELL], device="cpu"), pick_device("cpu"))
    compute_trajectory(run, *CELL[1:], pick_device("cpu"))
    return run


def job(store: Store, name: str, *states: str) -> str:
    """A job with a task in each of these states; returns the attempt."""
    attempt = f"{name}-0123abcd"
    store.put(
        "jobs",
        name,
        {
            "attempt": attempt,
            "labels": list(states),
            "weights": [1.0] * len(states),
            "created": time.time(),
            "upload": "",
        },
    )
    for k, state in enumerate(states):
        if state != "queued":
            store.put(
                "progress",
                f"{attempt}.{k}",
                {"state": state, "what": "", "done": 0.5, "message": "", "started": 0.0, "time": time.time()},
            )
    return attempt


def said(run: Run) -> tuple[str, str, str]:
    """Everything that tables and pages read of a run."""
    found = DetectionResults(run, Detection())
    followed = trajectory.kept(run, *CELL[1:])
    assert followed is not None
    return cells_csv(run), run_json(run), ood_csv(found, DETECTORS, [CELL]) + str(followed[0])


@pytest.mark.parametrize(
    "other",
    [
        {"end_layers": [COLUMNS[0]]},
        {"eval_images": 100},
        {"indices": ["cka"], "methods": ["tlm"]},
        {"seed": 1},
        {"tlm": TaskLoss(epochs=1, init="dm"), "methods": ["tlm"]},
        {"front": "digits-b", "end": "digits-a"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_deleting_leaves_what_other_runs_need_and_no_more(run: Run, other: dict[str, Any], short: None) -> None:
    store = run.store
    looked_at(run)
    before = files(store)
    second = made(store, **other)
    looked_at(second)
    job(store, second.id, "done", "failed")
    job(store, f"{second.id}-ood-0011223344556677", "done")
    store.put("progress", f"{second.id}-0123abcd.plan", {"weights": [1.0, 1.0]})
    assert files(store) > before
    assert delete_run(store, second.id).id == second.id
    assert files(store) == before


def test_the_last_run_leaves_networks_and_data_only(run: Run, short: None) -> None:
    looked_at(run)
    made(run.store, tlm=TaskLoss(epochs=1, init="dm"), methods=["tlm"])
    for one in list_runs(run.store):
        delete_run(run.store, one.id)
    assert {Path(name).parts[0] for name in files(run.store)} <= {"networks", "confusions", "layers", "data"}


def test_deleting_stops_work_that_has_not_ended(run: Run) -> None:
    attempt = job(run.store, run.id, "done", "running", "queued")
    another = job(run.store, "making-new", "running")
    delete_run(run.store, run.id)
    assert run.store.keys("cancel") == [attempt]
    assert run.store.keys("jobs") == ["making-new"]
    assert run.store.keys("progress") == [f"{another}.0"]
    with pytest.raises(UnknownName):
        delete_run(run.store, run.id)


def test_cleaning_a_finished_store_takes_nothing(run: Run, short: None) -> None:
    store = run.store
    for network in networks.list_networks(store):
        cut_points_of_any(store, network)
    looked_at(run)
    made(store, tlm=TaskLoss(epochs=1, init="dm"), methods=["tlm"])
    numbers, before, rates = said(run), files(store), store.keys("timings")
    lay_by(store)
    assert clean(store) == []
    assert files(store) == before
    assert store.keys("timings") == rates
    assert said(Run.load(run.id, store)) == numbers


def orphans(store: Store, run: Run) -> None:
    """Puts files that nothing refers to into every room."""
    strange = "ab" * 32
    learned = {"end": "0" * 64, "end_layer": "relu", "data": "1" * 64, "seed": 0, "input": 2}
    store.put("detectors", strange, learned)
    for room, key in (
        ("cells", strange),
        ("ood", f"{strange}-0123456789abcdef"),
        ("accuracies", strange),
        ("listings", strange),
        ("layers", f"{strange}-{cut_points.VERSION}"),
        ("layers", f"{run.request.end}-1"),
        ("jobs", "none"),
        ("timings", "host-cpu-dm-abababababab"),
        ("progress", "making-x.y-0123abcd.0.curve"),
        ("cancel", "x-0123abcd"),
    ):
        store.put(room, key, {"attempt": "none-0123abcd", "labels": [], "sha256": "gone"})
    for room in ("maps", "epochs", "ood", "samples", "detectors", "networks", "confusions"):
        put_tensors(store, room, f"{strange}-0123456789abcdef" if room == "ood" else strange, {"a": torch.zeros(2)})
    put_tensors(store, "detectors", "cd" * 32, {"a": torch.zeros(2)})  # from before it was said what it is of
    for place in (
        "images/" + "ef" * 32 + ".npy",
        "images/decoding-1.npy",
        f"claims/{strange}",
        "cells/.ab.json.01",
        "runs/.ab.json.01",
    ):
        (store.root / place).parent.mkdir(exist_ok=True)
        (store.root / place).write_bytes(b"1234567890")
    job(store, "making-gone", "done", "cancelled")


def test_cleaning_takes_what_nothing_refers_to(run: Run, short: None) -> None:
    store = run.store
    looked_at(run)
    numbers, before = said(run), files(store)
    orphans(store, run)
    added = files(store) - before
    assert {name.split("/")[0] for name in added} >= {
        "cells",
        "maps",
        "epochs",
        "ood",
        "accuracies",
        "detectors",
        "confusions",
        "layers",
        "listings",
        "images",
        "progress",
        "cancel",
        "jobs",
        "claims",
        "networks",
    }
    assert clean(store) == [], "all of it is younger than an hour"
    lay_by(store)
    sized = {name: (store.root / name).stat().st_size for name in added}
    freed = {amount.room: amount for amount in clean(store)}
    assert files(store) == before
    assert freed.pop("timings").files == 1
    assert sum(amount.files for amount in freed.values()) == len(added)
    assert sum(amount.bytes for amount in freed.values()) == sum(sized.values())
    assert said(Run.load(run.id, store)) == numbers


def test_a_learned_detector_stays_as_long_as_a_run_has_its_layer(run: Run, short: None) -> None:
    store = run.store
    detect(run, detectors=["energy"], cells=[CELL], device="cpu", detection=Detection(training_outliers=("blur",)))
    detect(run, detectors=["energy"], cells=[CELL], device="cpu")
    kept = [path for path in files(store) if path.startswith("detectors/")]
    assert len(kept) == 4, "two of them, each with what it is of"
    for path in kept:
        if path.endswith(".json"):
            (store.root / path).unlink()  # as before it was said
    lay_by(store)
    (gone,) = clean(store)
    assert (gone.room, gone.files) == ("detectors", 1), "only that of the default outliers is known by its key"


def test_pixels_stay_as_long_as_data_refers_to_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    data = datasets.load(folder(tmp_path / "images", ["a", "b"], colour=True), store)
    before = files(store)
    assert {Path(name).parts[0] for name in before} == {"data", "images", "listings"}
    lay_by(store)
    assert clean(store) == []
    assert datasets.load_by_fingerprint(data.fingerprint, store).fingerprint == data.fingerprint
    store.delete("data", data.fingerprint)
    lay_by(store)
    assert [(amount.room, amount.files) for amount in clean(store)] == [("images", 1), ("listings", 1)]


def test_jobs_that_may_go_on_stay(run: Run) -> None:
    store = run.store
    waiting, over = job(store, "making-waiting", "queued"), job(store, "making-over", "failed")
    lay_by(store)
    job(store, "making-now", "running")  # somebody is at work, and the other waits behind it
    clean(store)
    assert store.keys("jobs") == ["making-now", "making-waiting"]
    assert not [key for key in store.keys("progress") if key.startswith(over)]
    lay_by(store)
    clean(store)
    assert store.keys("jobs") == store.keys("progress") == [], f"nobody works on {waiting} any more"


def test_uploads_stay_for_a_day(run: Run) -> None:
    uploads.keep(run.store, "weights.pt", memoryview(b"12345"))
    lay_by(run.store)
    assert clean(run.store) == []
    lay_by(run.store, hours=25)
    assert clean(run.store) == [Amount("uploads", 1, 5)]


@pytest.mark.parametrize("room", ["runs", "networks", "data"])
def test_nothing_is_cleaned_where_a_record_is_damaged(run: Run, room: str) -> None:
    orphans(run.store, run)
    lay_by(run.store)
    path = run.store.path(room, run.store.keys(room)[0], ".json")
    path.write_bytes(path.read_bytes()[:-9])
    before = files(run.store)
    with pytest.raises(Damaged, match=path.name):
        clean(run.store)
    assert files(run.store) == before


def test_deleting_a_network_leaves_nothing_of_it(store: Store) -> None:
    (first, *_) = networks.list_networks(store)
    cut_points_of_any(store, first)
    networks.delete(store, first.name)
    assert not [name for name in files(store) if first.id[:32] in name]


def test_sizes_are_those_of_the_files(run: Run) -> None:
    deep = run.store.root / "downloads" / "MNIST" / "raw"
    deep.mkdir(parents=True)
    (deep / "images").write_bytes(b"1234")
    found = {amount.room: amount for amount in sizes(run.store)}
    assert found["downloads"] == Amount("downloads", 1, 4)
    assert found["runs"].files == 1
    assert sum(a.bytes for a in found.values()) == sum(
        p.stat().st_size for p in run.store.root.rglob("*") if p.is_file()
    )


def swap(store: Store, room: str, suffix: str) -> None:
    """Two files of a room lie in each other's place."""
    one, other, *_ = sorted((store.root / room).glob(f"*{suffix}"))
    shutil.move(one, store.root / "aside")
    shutil.move(other, one)
    shutil.move(store.root / "aside", other)


HARM: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1],
    "emptied": lambda data: b"",
    "longer": lambda data: data + b"\0",
    "flipped": lambda data: data[:-30] + bytes([data[-30] ^ 1]) + data[-29:],
    "flipped at the front": lambda data: bytes([data[0] ^ 1]) + data[1:],
}


@pytest.mark.parametrize("harm", HARM)
def test_check_finds_damaged_files(run: Run, harm: str, tmp_path: Path) -> None:
    store = run.store
    datasets.load(folder(tmp_path / "images", ["a", "b"], colour=True), store)
    assert {wrong for _, wrong in check(store)} == {""}
    harmed = set()
    for room, suffix in (
        ("cells", ".json"),
        ("runs", ".json"),
        ("maps", ".safetensors"),
        ("networks", ".safetensors"),
        ("images", ".npy"),
    ):
        path = sorted((store.root / room).glob(f"*{suffix}"))[0]
        path.write_bytes(HARM[harm](path.read_bytes()))
        harmed.add(path)
    assert {path for path, wrong in check(store) if wrong} == harmed


@pytest.mark.parametrize(
    ("room", "suffix"),
    [("cells", ".json"), ("maps", ".safetensors"), ("networks", ".safetensors"), ("networks", ".json")],
)
def test_check_finds_swapped_files(run: Run, room: str, suffix: str) -> None:
    swap(run.store, room, suffix)
    wrong = [(path, why) for path, why in check(run.store) if why]
    assert len(wrong) == 2
    assert all("belongs at" in why and path.parent.name == room for path, why in wrong)
    for key in {path.stem for path, _ in wrong}:
        with pytest.raises(Damaged):
            _ = run.store.get(room, key) if suffix == ".json" else run.store.get_arrays(room, key)


def test_check_knows_types_that_numpy_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kinds = [torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.float8_e4m3fn]
    put_tensors(
        store,
        "networks",
        "key",
        {str(kind): torch.ones(3, 2).to(kind) for kind in kinds}
        | {"empty": torch.zeros(0, 4), "scalar": torch.tensor(2.5)},
    )
    assert [wrong for _, wrong in check(store)] == [""]


def test_files_from_before_have_no_place_and_are_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("cells", "key", {"a": 1})
    path = store.path("cells", "key", ".json")
    path.write_text(path.read_text().replace('"place": "cells/key",', ""))
    assert "place" not in path.read_text()
    assert store.get("cells", "key") == {"a": 1}
    assert [wrong for _, wrong in check(store)] == [""]


def test_what_is_being_written_is_not_checked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("cells/.key.json.0123", "images/decoding-0123.npy", "claims/key", "uploads/key.safetensors"):
        path = store.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert [path for path, wrong in check(store) if wrong] == []


def test_a_cell_that_lies_elsewhere_counts_as_lost(run: Run) -> None:
    swap(run.store, "cells", ".json")
    assert len(Run.load(run.id, run.store).cells) == run.total - 2
