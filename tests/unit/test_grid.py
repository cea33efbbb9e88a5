"""The main job, end to end on small networks: which numbers it gives, and what it computes for them."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import torch
from grids import COLUMNS, ROWS, SMALL, Spy, grid_of, made, numbers

from benchmarks import plain
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.data import registry as datasets
from stitchlab.grid import compute
from stitchlab.grid.ask import ask
from stitchlab.models import store as model_store
from stitchlab.models import zoo
from stitchlab.models.tensors import get_tensors
from stitchlab.request import TaskLoss
from stitchlab.results import networks, plan
from stitchlab.results.keys import map_key
from stitchlab.results.networks import Network
from stitchlab.results.run import Run
from stitchlab.store import Store


def test_all_rows_are_there(done: Store, spy: Spy) -> None:
    run = ask("digits-a", "digits-b", done, **SMALL)
    assert run.complete
    assert run.total == 4 * 6 == len(run.cells)
    quantities = {(m, metric) for m in ("tlm", "dm") for metric in METRICS}
    quantities |= {(name, index.metric) for name, index in INDICES.items() if index.default}
    rows = list(run.rows())
    assert {row[:4] for row in rows} == {(i, j, m, q) for i, j in grid_of() for m, q in quantities}
    assert len(rows) == 4 * 18
    assert all(isinstance(row.value, float) and np.isfinite(row.value) for row in rows)
    assert [row.front_layer for row in rows] == sorted((row.front_layer for row in rows), key=ROWS.index)
    own = run.own_accuracy
    assert own is not None
    for i, j in grid_of():
        for m in ("tlm", "dm"):
            accuracy = run.value(m, "accuracy", i, j)
            assert accuracy is not None
            assert run.value(m, "relative_accuracy", i, j) == accuracy / own
            assert run.value(m, "penalty", i, j) == own - accuracy
    assert run.matrix("dm", "distance").shape == (2, 2)
    assert run.matrix("dm", "distance")[0, 1] == run.value("dm", "distance", ROWS[0], COLUMNS[1])


def test_the_numbers_are_those_of_plain_references(done: Store) -> None:
    run = ask("digits-a", "digits-b", done, **SMALL)
    digits = datasets.load("digits", done)
    front, end = (model_store.load(name, done, device="cpu") for name in ("digits-a", "digits-b"))
    test = torch.randperm(540, generator=torch.Generator().manual_seed(0))[:150]
    images, labels = digits.train.take(torch.randperm(1257, generator=torch.Generator().manual_seed(0))[:40])
    pixels, truth = digits.test.take(test)
    for i, j, kind, target in (
        ("layer1.0", "layer2.0", reference.MAP, reference.MAP),
        ("layer3.1", "layer2.0", reference.MAP, reference.MAP),
        ("layer3.1", "flatten", reference.MAP, reference.VECTOR),
    ):
        whole = reference.Whole(front, end, i, j, kind, target)
        weight, bias = (torch.tensor(v).float() for v in whole.direct(images))
        accuracy, distance = whole.evaluate(digits.test, test, weight, bias)
        assert run.value("dm", "distance", i, j) == pytest.approx(distance, rel=1e-4)
        assert run.value("dm", "accuracy", i, j) == pytest.approx(accuracy, abs=1 / 150)
        kept = get_tensors(done, "maps", map_key(run.request, "tlm", i, j))
        assert kept is not None
        accuracy, distance = whole.evaluate(digits.test, test, kept["weight"], kept["bias"])
        assert run.value("tlm", "distance", i, j) == pytest.approx(distance, rel=1e-5)
        assert run.value("tlm", "accuracy", i, j) == pytest.approx(accuracy, abs=1 / 150)
        x, y = (v.double().numpy() for v in whole.activations(pixels))
        assert run.value("cka", "similarity", i, j) == pytest.approx(reference.cka(x, y), abs=1e-6)
        means = [v.mean((2, 3)) if v.ndim == 4 else v for v in (x, y)]
        assert run.value("pwcca", "distance", i, j) == pytest.approx(plain.pwcca(*means), abs=1e-4)
        assert run.value("opd", "distance", i, j) == pytest.approx(plain.opd(*means), abs=1e-6)
    module = end.module
    right = (module(reference.prepared(end, pixels)).argmax(1) == truth).double().mean()
    assert run.own_accuracy == pytest.approx(float(right))
    assert len(labels) == 40


def test_the_same_request_computes_nothing(done: Store, spy: Spy) -> None:
    before = numbers(ask("digits-a", "digits-b", done, **SMALL))
    assert numbers(made(done)) == before
    assert spy.nothing


@pytest.mark.parametrize(
    "change",
    [
        {"front_layers": ROWS[:1]},
        {"end_layers": COLUMNS[1:]},
        {"methods": ["tlm"]},
        {"methods": [], "indices": ["opd"]},
        {"front_layers": ["layer1.0.relu2", "layer3"], "end_layers": ["flatten", "layer2.0.relu2", "layer2.0"]},
    ],
)
def test_a_part_of_a_grid_computes_nothing(done: Store, spy: Spy, change: dict[str, Any]) -> None:
    assert made(done, **change).complete
    assert spy.nothing


def test_one_more_layer_computes_its_cells_only(done: Store, spy: Spy) -> None:
    made(done, front_layers=[*ROWS, "conv1"])
    new = grid_of(["conv1"])
    assert spy.dm == spy.tlm == spy.evaluated == new
    assert spy.indices == {(name, *cell) for name in DEFAULT_INDICES for cell in new}
    assert spy.accuracies == 0
    spy.dm.clear()
    made(done, end_layers=["layer1.0", *COLUMNS])
    assert spy.dm == grid_of(columns=["layer1.0"])


def test_other_evaluation_images_never_retrain(done: Store, spy: Spy) -> None:
    first, second = ask("digits-a", "digits-b", done, **SMALL), made(done, eval_images=90)
    assert not spy.dm
    assert not spy.tlm
    assert spy.evaluated == grid_of()
    assert spy.accuracies == 2
    assert second.id != first.id
    assert numbers(second) != numbers(first)
    assert not any(key.startswith(second.id) for key in done.keys("maps"))
    maps = {path.name for path in (done.root / "maps").iterdir()}
    assert maps == {f"{map_key(first.request, m, i, j)}.safetensors" for m in ("dm", "tlm") for i, j in grid_of()}


def test_another_recipe_trains_and_nothing_else(done: Store, spy: Spy) -> None:
    made(done, tlm=TaskLoss(epochs=1, lr=1e-2))
    assert spy.tlm == spy.evaluated == grid_of()
    assert not spy.dm
    assert not spy.indices


def test_an_index_more_computes_that_index_only(digits_store: Store, store: Store, spy: Spy) -> None:
    made(store, methods=[], indices=["cka"])
    spy.indices.clear()
    made(store, methods=[], indices=["cka", "opd"])
    assert spy.indices == {("opd", *cell) for cell in grid_of()}
    assert not spy.dm
    assert not spy.tlm


def test_from_direct_matching_keeps_and_uses_its_maps(done: Store, spy: Spy) -> None:
    run = made(done, tlm=TaskLoss(epochs=1, init="dm"), indices=[])
    assert spy.tlm == grid_of()
    assert not spy.dm, "the maps of direct matching were there"
    first = ask("digits-a", "digits-b", done, **SMALL)
    tlm, dm = run.matrix("tlm", "distance"), run.matrix("dm", "distance")
    assert np.all(tlm < first.matrix("tlm", "distance"))
    assert np.all(tlm != dm)


def test_a_network_with_itself(store: Store) -> None:
    run = made(store, "digits-a", "digits-a", front_layers=COLUMNS, end_layers=COLUMNS, dm_images=1000)
    assert run.complete
    own = run.own_accuracy
    assert own is not None
    for layer in COLUMNS:
        assert run.value("dm", "distance", layer, layer) == pytest.approx(0, abs=1e-6)
        assert run.value("dm", "accuracy", layer, layer) == pytest.approx(own, abs=1 / 150 + 1e-9)
        assert run.value("cka", "similarity", layer, layer) == pytest.approx(1, abs=1e-9)
        assert run.value("opd", "distance", layer, layer) == pytest.approx(0, abs=1e-6)
        assert run.value("pwcca", "distance", layer, layer) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("front", "end", "rows", "columns"),
    [
        ("digits-a", "vit", ["layer1.0", "layer3.1", "flatten"], ["blocks.0", "blocks.5", ":getitem"]),
        ("vit", "digits-a", ["blocks.0", "norm", ":getitem"], ["conv1", "layer3.0", "flatten"]),
    ],
)
def test_maps_and_tokens(store: Store, front: str, end: str, rows: list[str], columns: list[str]) -> None:
    run = made(store, front, end, front_layers=rows, end_layers=columns, tlm=TaskLoss(epochs=1))
    assert run.complete
    assert all(row.value is not None and np.isfinite(row.value) for row in run.rows())
    assert run.request.front_layers == tuple(rows)
    # Least squares cannot be beaten on what it was fitted on, nor be much worse than nothing beside it.
    assert np.all(run.matrix("dm", "distance") < run.matrix("tlm", "distance"))


def test_training_that_diverges_is_an_undefined_distance(store: Store) -> None:
    run = made(store, methods=["tlm"], indices=[], tlm=TaskLoss(epochs=1, lr=1e30))
    assert run.complete
    assert run.value("tlm", "distance", ROWS[0], COLUMNS[0]) is None
    empty = [e for e in run.provenance()["undefined"] if e["metric"] == "distance"]
    assert empty
    assert not [e for e in empty if "activations are 0" in e["reason"]]
    json.dumps(run.provenance(), allow_nan=False)


def dead_network(store: Store) -> None:
    """`dead`: nothing comes through its blocks, so that it says the same of every image."""
    digits = datasets.load("digits", store)
    module = zoo.build("resnet14", classes=10, channels=1, size=8)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if name.endswith("bn1.weight") or name.endswith("bn2.weight") or "downsample.1.weight" in name:
                value.zero_()
            elif name.endswith("bias"):
                value.fill_(0.0)
    model_store.save(
        store,
        Network(
            name="dead",
            architecture="resnet14",
            options={},
            classes=digits.classes,
            channels=1,
            size=8,
            mean=(0.5,),
            std=(0.3,),
            data="digits",
            data_fingerprint=digits.fingerprint,
            origin={},
        ),
        module,
    )


def test_undefined_values_are_empty_and_have_their_reasons(store: Store) -> None:
    dead_network(store)
    run = made(store, "digits-a", "dead")
    assert run.complete
    undefined = {
        (e["front_layer"], e["end_layer"], e["method"], e["metric"]): e["reason"] for e in run.provenance()["undefined"]
    }
    empty = {tuple(row[:4]) for row in run.rows() if row.value is None}
    assert set(undefined) == empty
    assert empty == {
        (i, j, method, metric)
        for i, j in grid_of()
        for method, metric in (
            ("dm", "distance"),
            ("tlm", "distance"),
            ("cka", "similarity"),
            ("cka-debiased", "similarity"),
            ("pwcca", "distance"),
            ("opd", "distance"),
        )
    }
    for (_, _, method, _), reason in undefined.items():
        assert (
            ("0" in reason) if method in ("dm", "tlm") else (reason == "the activations of the end layer are constant")
        )
    assert np.isnan(run.matrix("cka", "similarity")).all()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_activations_that_are_not_finite_leave_the_other_cells_alone(store: Store, value: float) -> None:
    """A network that breaks half way: what comes before has its numbers, what comes after its true reason."""
    sound = made(store, methods=[], indices=list(INDICES), end_layers=["layer1.0", "layer3.1"])
    broken = networks.find(store, "digits-b")
    module = model_store.load(broken.id, store, device="cpu").module
    assert module is not None
    weights = copy.deepcopy(module)
    with torch.no_grad():
        weights.get_parameter("layer2.0.bn1.bias")[3] = value
    model_store.save(store, replace(broken, name="broken", id=""), weights)
    run = made(store, end="broken", methods=[], indices=list(INDICES), end_layers=["layer1.0", "layer3.1"])
    assert run.complete
    for row, before in zip(run.rows(), sound.rows(), strict=True):
        assert row.value == (before.value if row.end_layer == "layer1.0" else None)
    assert {(e["end_layer"], e["reason"]) for e in run.undefined()} == {
        ("layer3.1", "the activations of the end layer are not finite")
    }


def test_an_own_accuracy_of_zero_has_no_relative_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "own_accuracy", lambda *_: 0.0)
    run = made(store, methods=["dm"], indices=[])
    accuracy = run.value("dm", "accuracy", ROWS[0], COLUMNS[0])
    assert accuracy is not None
    assert run.value("dm", "penalty", ROWS[0], COLUMNS[0]) == -accuracy
    assert run.value("dm", "relative_accuracy", ROWS[0], COLUMNS[0]) is None
    reasons = {(e["metric"], e["reason"]) for e in run.provenance()["undefined"]}
    assert reasons == {("relative_accuracy", "the end network's own accuracy is 0")}


def test_other_stores_give_the_same_numbers(digits_store: Store, done: Store, tmp_path: Path) -> None:
    shutil.copytree(digits_store.root, tmp_path / "other")
    other = Store(tmp_path / "other")
    made(other, front_layers=ROWS[1:], end_layers=COLUMNS[1:])  # in another order and company, too
    one, two = ask("digits-a", "digits-b", done, **SMALL), made(other)
    assert one.id == two.id
    for mine, theirs in zip(numbers(one), numbers(two), strict=True):
        assert mine[:4] == theirs[:4]
        assert mine[4] == pytest.approx(theirs[4], abs=1e-9)
    for i, j in grid_of():
        key = map_key(one.request, "tlm", i, j)
        a, b = get_tensors(done, "maps", key), get_tensors(other, "maps", key)
        assert a is not None
        assert b is not None
        assert torch.equal(a["weight"], b["weight"])


def test_provenance_has_all_that_is_needed_to_do_it_again(done: Store) -> None:
    run = ask("digits-a", "digits-b", done, **SMALL)
    told = json.loads(json.dumps(run.provenance(), allow_nan=False))
    assert told["request"]["tlm"]["epochs"] == 1
    assert (told["front"]["id"], told["end"]["id"]) == (run.request.front, run.request.end)
    assert told["data"]["fingerprint"] == run.request.data
    assert told["versions"][0]["torch"] == torch.__version__
    assert len(told["devices"]) == 1
    assert "cpu" in told["devices"][0]
    assert set(told["seconds"]) == {"tlm", "dm", *DEFAULT_INDICES}
    assert told["complete"]
    assert told["undefined"] == []
    assert Run.load(run.id[:6], done).id == run.id


def test_progress_goes_from_nothing_to_all(store: Store) -> None:
    shares: list[float] = []
    made(store, report=lambda what, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[-1] == 1.0


def test_end_layers_that_share_a_pass_get_the_numbers_of_those_alone(store: Store) -> None:
    """Four end layers come in units of two, one and one; their cells are those of grids of one column."""
    ends = ["layer1.0", "layer2.0", "layer3.0", "layer3.1"]
    asked = ask("digits-a", "digits-b", store, **{**SMALL, "end_layers": ends, "methods": ["tlm", "dm"], "indices": []})
    units_of = [[j for _, j in unit.cells][:: len(ROWS)] for unit in plan.missing(asked) if unit.work == "tlm"]
    assert units_of == [["layer3.0", "layer3.1"], ["layer2.0"], ["layer1.0"]]
    together = made(store, end_layers=ends, methods=["tlm", "dm"], indices=[])
    assert together.complete
    for j in ends:
        apart = Store(store.root.with_name(f"only-{j}"))
        for room in ("networks", "data"):
            shutil.copytree(store.root / room, apart.root / room)
        alone = made(apart, end_layers=[j], methods=["tlm", "dm"], indices=[])
        for i in ROWS:
            for method in ("tlm", "dm"):
                one, other = (
                    get_tensors(kept, "maps", map_key(run.request, method, i, j))
                    for kept, run in ((store, together), (apart, alone))
                )
                assert one is not None
                assert other is not None
                torch.testing.assert_close(one["weight"], other["weight"], atol=1e-5, rtol=1e-4)
                assert together.value(method, "distance", i, j) == pytest.approx(
                    alone.value(method, "distance", i, j), rel=1e-4
                )
