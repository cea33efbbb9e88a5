"""The trail of TLM's maps: few points, small, on the disk as epochs end; trails from before are read as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from grids import SMALL, made

from stitchlab.errors import StitchLabError
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.request import TaskLoss
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.keys import map_key
from stitchlab.stitch import trail
from stitchlab.stitch.affine import Stitch
from stitchlab.store import Store


@pytest.mark.parametrize("most", [2, 3, 12, 50])
def test_a_series_begins_before_training_and_ends_with_it(most: int) -> None:
    for epochs in range(1, 300):
        points = trail.epochs_to_keep(epochs, most)
        assert (points[0], points[-1]) == (0, epochs)
        assert len(points) <= most
        assert sorted(set(points)) == points
    assert trail.epochs_to_keep(40, 50) == [0, 1, 2, 4, 7, 11, 16, 22, 29, 37, 40]
    assert len(trail.epochs_to_keep(10_000, 12)) == 12


def test_the_setting_says_how_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STITCHLAB_TRAIL", raising=False)
    assert len(trail.epochs_to_keep(1000)) == trail.DEFAULT_MAX_POINTS == 12
    monkeypatch.setenv("STITCHLAB_TRAIL", "5")
    assert len(trail.epochs_to_keep(30)) == 5
    monkeypatch.setenv("STITCHLAB_TRAIL", "0")
    assert trail.epochs_to_keep(30) == []
    for wrong in ("many", "1", "-3"):
        monkeypatch.setenv("STITCHLAB_TRAIL", wrong)
        with pytest.raises(StitchLabError, match=rf"STITCHLAB_TRAIL.*got '{wrong}'"):
            trail.epochs_to_keep(30)


def test_a_wrong_setting_is_refused_before_anything_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_TRAIL", "1")
    before = sorted(store.root.rglob("*"))
    with pytest.raises(StitchLabError, match="STITCHLAB_TRAIL"):
        made(store, **SMALL)
    assert sorted(store.root.rglob("*")) == before


def test_no_trail_is_kept_where_none_is_wanted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_TRAIL", "0")
    run = made(store, **SMALL | {"methods": ["tlm"], "indices": []})
    assert run.complete
    assert not (store.root / "epochs").exists()


def stitch(weight: torch.Tensor, bias: torch.Tensor) -> Stitch:
    return Stitch.of(layout_of((weight.shape[1],)), layout_of((weight.shape[0],)), weight, bias)


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_points_are_small_and_near(size: float, tmp_path: Path) -> None:
    store, generator = Store(tmp_path), torch.Generator().manual_seed(0)
    weight, bias = size * torch.randn(20, 30, generator=generator), 1e-6 * size * torch.randn(20, generator=generator)
    trail.put(store, "key", 0, stitch(weight, bias))
    trail.finish(store, "key", 1)
    kept = get_tensors(store, "epochs", "key-0")
    assert kept is not None
    assert {kept["weight"].dtype, kept["bias"].dtype} == {torch.float16}
    found = trail.read(store, "key")
    assert found is not None
    assert list(found) == [0]
    for near, exact in zip(found[0], (weight, bias), strict=True):
        assert near.dtype == torch.float32
        assert float((near - exact).abs().max()) <= 2**-11 * float(exact.abs().max())


def test_what_is_not_finite_is_kept_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    weight = torch.tensor([[torch.nan, 1e30], [torch.inf, -2.0]])
    trail.put(store, "key", 3, stitch(weight, torch.zeros(2)))
    store.put("epochs", "key", {"epochs": [3]})
    found = trail.read(store, "key")
    assert found is not None
    torch.testing.assert_close(found[3][0], weight, equal_nan=True, rtol=0, atol=0)
    assert not found[3][1].any()


def test_trails_from_before_hold_every_epoch(tmp_path: Path) -> None:
    store = Store(tmp_path)
    weight, bias = torch.randn(4, 2, 3), torch.randn(4, 2)
    put_tensors(store, "epochs", "key", {"weight": weight, "bias": bias})
    found = trail.read(store, "key")
    assert found is not None
    assert list(found) == [0, 1, 2, 3]
    assert all(torch.equal(found[k][0], weight[k]) and torch.equal(found[k][1], bias[k]) for k in range(4))
    assert trail.read(store, "other") is None


def test_points_are_on_the_disk_as_soon_as_their_epoch_ends(store: Store) -> None:
    recipe = TaskLoss(epochs=4)
    seen: list[set[str]] = []

    def report(what: str, done: float) -> None:
        if "task loss" in what:
            there = {path.stem.rpartition("-")[2] for path in (store.root / "epochs").glob("*.safetensors")}
            seen.append(there)
            assert int(what.split("epoch ")[1].split()[0]) - 1 in {*map(int, there), 3}

    run = made(
        store, **SMALL | {"methods": ["tlm"], "indices": [], "end_layers": ["flatten"], "tlm": recipe}, report=report
    )
    assert seen[0] == {"0"}
    assert seen[-1] == {"0", "1", "2"}
    for i, j in run.request.cells:
        held = store.get("epochs", map_key(run.request, "tlm", i, j))
        assert held == {"epochs": [0, 1, 2, 4]}
