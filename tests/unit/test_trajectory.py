"""TLM's walk: maps after every epoch are kept, and followed with the same numbers as the cell's own."""

from __future__ import annotations

import pytest
import torch
from grids import COLUMNS, ROWS, harm, made

from stitchlab.errors import Cancelled, StitchLabError
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.ood import trajectory as walk
from stitchlab.ood.evaluate import detect
from stitchlab.request import TaskLoss
from stitchlab.results import trajectory
from stitchlab.results.cleaning import delete_run
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run
from stitchlab.stitch import trail
from stitchlab.store import Store

CPU = torch.device("cpu")
CELL = (ROWS[1], COLUMNS[0])


def test_a_map_is_kept_before_training_and_along_its_epochs(done: Store) -> None:
    longer = made(done, tlm=TaskLoss(epochs=3))
    shorter = made(done, tlm=TaskLoss(epochs=2))
    for i, j in longer.request.cells:
        kept = trail.read(done, map_key(longer.request, "tlm", i, j))
        other = trail.read(done, map_key(shorter.request, "tlm", i, j))
        last = get_tensors(done, "maps", map_key(longer.request, "tlm", i, j))
        assert kept is not None
        assert other is not None
        assert last is not None
        assert list(kept) == [0, 1, 2, 3]
        for place, name in enumerate(("weight", "bias")):
            size = float(last[name].abs().max())
            torch.testing.assert_close(kept[3][place], last[name], rtol=0, atol=2**-11 * size)
            assert not (kept[0][place] == kept[1][place]).all()
            for epoch in range(3):
                assert (kept[epoch][place] == other[epoch][place]).all(), "a longer training begins as a shorter one"


def test_a_walk_says_which_epochs_it_shows(done: Store) -> None:
    run = made(done, tlm=TaskLoss(epochs=4), methods=["tlm"], indices=[])
    walk.compute_trajectory(run, *CELL, CPU)
    kept = trajectory.kept(run, *CELL)
    assert kept is not None
    assert kept[0]["epochs"] == [0, 1, 2, 4]
    assert len(kept[0]["accuracy"]) == len(kept[1]) == 4
    value = done.get("ood", trajectory.key(run, *CELL))
    assert value is not None
    del value["epochs"]
    done.put("ood", trajectory.key(run, *CELL), value)  # as walks were before
    before = trajectory.kept(run, *CELL)
    assert before is not None
    assert before[0]["epochs"] == [0, 1, 2, 3]


def test_a_trail_from_before_is_followed(run: Run) -> None:
    key = map_key(run.request, "tlm", *CELL)
    maps = trail.read(run.store, key)
    assert maps is not None
    run.store.delete_all("epochs", key)
    assert not trajectory.possible(run, *CELL)
    weights, biases = (torch.stack(part) for part in zip(*maps.values(), strict=True))
    put_tensors(run.store, "epochs", key, {"weight": weights, "bias": biases})
    assert trajectory.possible(run, *CELL)
    walk.compute_trajectory(run, *CELL, CPU)
    kept = trajectory.kept(run, *CELL)
    assert kept is not None
    assert kept[0]["epochs"] == [0, 1]
    assert kept[0]["accuracy"][-1] == pytest.approx(run.value("tlm", "accuracy", *CELL))


def test_the_last_epoch_has_the_cells_own_numbers(run: Run) -> None:
    walk.compute_trajectory(run, *CELL, CPU)
    found = detect(run, detectors=["knn", "tail-energy", "frechet"], device="cpu")
    kept = trajectory.kept(run, *CELL)
    assert kept is not None
    value, plane = kept
    assert value["accuracy"][-1] == pytest.approx(run.value("tlm", "accuracy", *CELL))
    assert plane.shape == (run.request.tlm.epochs + 1, run.request.eval_images, 2)
    for name, metric in (("knn", "auroc"), ("knn", "shift"), ("tail-energy", "auroc"), ("frechet", "ratio")):
        expected = found.interval(name, "tlm", metric, *CELL)
        assert value["detectors"][name][metric][-1] == pytest.approx(expected.value, abs=1e-9)
    own = found.arrays("statistics", "tlm", *CELL)["plane"]
    assert (plane[-1] == own).all()


def test_it_begins_at_direct_matching_where_training_does(done: Store) -> None:
    run = made(done, tlm=TaskLoss(epochs=1, init="dm"))
    walk.compute_trajectory(run, *CELL, CPU)
    kept = trajectory.kept(run, *CELL)
    assert kept is not None
    found = detect(run, detectors=["frechet"], cells=[("dm", *CELL)], device="cpu")
    assert kept[0]["accuracy"][0] == pytest.approx(run.value("dm", "accuracy", *CELL))
    assert kept[0]["detectors"]["frechet"]["ratio"][0] == pytest.approx(
        found.interval("frechet", "dm", "ratio", *CELL).value
    )


def test_an_older_cache_is_told_what_to_do(run: Run) -> None:
    run.store.delete("epochs", map_key(run.request, "tlm", *CELL))
    assert not trajectory.possible(run, *CELL)
    with pytest.raises(StitchLabError, match="compute it again"):
        walk.compute_trajectory(run, *CELL, CPU)
    assert trajectory.kept(run, *CELL) is None


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_damaged_walk_is_followed_again(run: Run, suffix: str) -> None:
    walk.compute_trajectory(run, *CELL, CPU)
    harm(run.store.path("ood", trajectory.key(run, *CELL), suffix))
    assert trajectory.kept(run, *CELL) is None
    walk.compute_trajectory(run, *CELL, CPU)
    assert trajectory.kept(run, *CELL) is not None


def test_a_cancelled_walk_keeps_nothing(run: Run) -> None:
    def stop(what: str, done: float) -> None:
        if "following" in what:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        walk.compute_trajectory(run, *CELL, CPU, stop)
    assert trajectory.kept(run, *CELL) is None


def test_deleting_a_run_deletes_its_epochs(run: Run) -> None:
    walk.compute_trajectory(run, *CELL, CPU)
    delete_run(run.store, run.id)
    assert not list((run.store.root / "epochs").glob("*"))
    assert trajectory.kept(run, *CELL) is None
