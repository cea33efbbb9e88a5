"""A damaged entry that only says what was known costs that knowledge: it is found, or computed, again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from grids import COLUMNS, ROWS, folder, harm, made

from stitchlab.data import registry as datasets
from stitchlab.errors import StitchLabError
from stitchlab.grid import estimate
from stitchlab.jobs import Jobs
from stitchlab.models import store as model_store
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.results import networks, trajectory
from stitchlab.results.cleaning import clean
from stitchlab.results.plan import missing
from stitchlab.results.run import Run, list_runs
from stitchlab.stitch.pair import load_pair
from stitchlab.store import Store

CELL = (ROWS[1], COLUMNS[0])


def harm_all(store: Store, room: str, suffix: str) -> None:
    paths = list((store.root / room).glob(f"*{suffix}"))
    assert paths
    for path in paths:
        harm(path)


def test_a_damaged_record_of_a_job_is_a_job_that_was_never_queued(tmp_path: Path) -> None:
    jobs = Jobs(Store(tmp_path))
    jobs.store.put(
        "jobs",
        "making-x",
        {"attempt": "making-x-01234567", "labels": ["a"], "weights": [1.0], "created": 0.0, "upload": ""},
    )
    assert jobs.status("making-x") is not None
    harm_all(jobs.store, "jobs", ".json")
    assert jobs.status("making-x") is None
    assert jobs.networks_in_progress() == {}
    jobs.cancel("making-x")


def test_damaged_rates_are_rates_that_were_never_measured(done: Store) -> None:
    run = list_runs(done)[0]
    pair = load_pair(done, run.request, torch.device("cpu"))
    for path in (done.root / "cells").iterdir():
        path.unlink()
    units = missing(Run(done, run.record))
    assert estimate.total(done, pair, run.request, units).timed
    harm_all(done, "timings", ".json")
    assert not estimate.total(done, pair, run.request, units).timed


def test_a_damaged_listing_has_the_folder_decoded_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    name = folder(tmp_path / "images", ["a", "b"], colour=True)
    first = datasets.load(name, store)
    harm_all(store, "listings", ".json")
    datasets._loaded.clear()
    assert datasets.load(name, store).fingerprint == first.fingerprint


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("lost", [True, False])
def test_a_walk_that_is_lost_or_damaged_is_followed_again(run: Run, suffix: str, lost: bool) -> None:
    compute_trajectory(run, *CELL, torch.device("cpu"))
    before = trajectory.kept(run, *CELL)
    assert before is not None
    path = run.store.path("ood", trajectory.key(run, *CELL), suffix)
    path.unlink() if lost else harm(path)
    assert trajectory.kept(run, *CELL) is None
    compute_trajectory(run, *CELL, torch.device("cpu"))
    after = trajectory.kept(run, *CELL)
    assert after is not None
    assert after[0]["accuracy"] == before[0]["accuracy"]
    assert (after[1] == before[1]).all()


def test_a_network_whose_record_is_damaged_can_be_brought_again(store: Store) -> None:
    network = model_store.load("vit", store, device="cpu")
    harm(store.path("networks", network.id, ".json"))
    again = model_store.save(store, network, network.module)
    assert networks.find(store, "vit").id == again.id == network.id


def test_a_record_that_cannot_be_read_hides_no_other(done: Store) -> None:
    """As a newer StitchLab, or an older one, may have written it."""
    (run,) = list_runs(done)
    request = run.record["request"]
    for k, strange in enumerate(
        ({**request, "new": 1}, {**request, "tlm": {**request["tlm"], "new": 1}}, {}, {"tlm": 3, "dm": []}, [])
    ):
        done.put("runs", f"strange-{k}", {**run.record, "request": strange})
    done.put("runs", "strange", {})
    kept = networks.find(done, "digits-a").record()
    done.put("networks", "0" * 64, {**kept, "id": "0" * 64, "new": 1})
    done.put("networks", "1" * 64, {"name": "x"})
    done.put("data", "2" * 64, {"name": "x"})
    assert [each.id for each in list_runs(done)] == [run.id]
    assert {network.name for network in networks.list_networks(done)} == {"digits-a", "digits-b", "vit"}
    assert made(done).id == run.id


@pytest.mark.parametrize("room", ["runs", "networks", "data"])
def test_nothing_is_cleaned_where_a_record_cannot_be_read(run: Run, room: str) -> None:
    run.store.put(room, "0" * 64, {"name": "x"})
    before = sorted(run.store.root.rglob("*"))
    with pytest.raises(StitchLabError):
        clean(run.store, min_age_s=-60)
    assert sorted(run.store.root.rglob("*")) == before
