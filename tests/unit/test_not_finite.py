"""Infinite numbers and NaN, wherever they come from: undefined with the true reason, and nobody else's change."""

from __future__ import annotations

import copy
import math
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from grids import COLUMNS, ROWS, SMALL, harm, made
from handy import sure
from torch import nn
from toys import Convolutions, network, noise, pair, seeded

from stitchlab.catalog.detectors import QUICK
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.export.tables import cells_csv, run_json
from stitchlab.figures import activations as figures
from stitchlab.figures import feature_maps, run_grids
from stitchlab.figures.words import conclusions
from stitchlab.models import store as models
from stitchlab.models.tensors import get_tensors
from stitchlab.ood import trajectory as walk
from stitchlab.ood.evaluate import activations_of, detect
from stitchlab.request import TaskLoss
from stitchlab.results import networks, trajectory
from stitchlab.results.keys import accuracy_key, cell_key, map_key
from stitchlab.results.plan import missing
from stitchlab.results.run import DIVERGED, Run
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.soap import Soap
from stitchlab.store import Store

RECIPES = {"adam": TaskLoss(epochs=1), "soap": TaskLoss(epochs=1, lr=1e-2, optimiser="soap")}
METRICS = ["accuracy", "relative_accuracy", "penalty", *FUNCTIONAL, "distance"]
ONLY: dict[str, Any] = {**SMALL, "indices": [], "eval_images": 80}
FRONT = "the front network's activations at {} are not finite"
OWN = "the end network's own activations at {} are not finite"
TAIL = "the end network's logits are not finite, whatever is put in at {}"
LOGITS = "the end network's own logits are not finite"


def poisoned(store: Store, name: str, parameter: str, value: float) -> None:
    """A copy of a network in the store, ``name``-bad, with one number of a parameter replaced."""
    loaded = models.load(name, store, device="cpu")
    module = copy.deepcopy(loaded.module)
    with torch.no_grad():
        module.get_parameter(parameter).view(-1)[0] = value
    models.save(store, replace(networks.find(store, name), name=f"{name}-bad"), module)


@pytest.fixture(scope="module")
def sound(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The grids of the networks as they are, by optimiser."""
    root = tmp_path_factory.mktemp("sound") / "cache"
    shutil.copytree(digits_store.root, root)
    return {name: made(Store(root), **ONLY | {"tlm": recipe}) for name, recipe in RECIPES.items()}


def reasons(side: str, i: str, j: str, method: str) -> dict[str, str]:
    """Why each of a cell's numbers has to be undefined; what is missing here has to be as it was."""
    if side == "front layer2.0.bn1.bias":
        return dict.fromkeys(METRICS, FRONT.format(i)) if i == "layer3.1" else {}
    native, logits = {
        "end layer3.0.bn2.bias": (j == "flatten", j == "layer2.0"),
        "end fc.bias": (False, True),
        "end conv1.weight": (True, False),
    }[side]
    found = {"relative_accuracy": LOGITS, "penalty": LOGITS, **dict.fromkeys(FUNCTIONAL, LOGITS)}
    if native:
        found |= dict.fromkeys(METRICS if method == "dm" else ["distance"], OWN.format(j))
    if logits:
        found |= dict.fromkeys(METRICS if method == "tlm" else METRICS[:-1], TAIL.format(j))
    return found


@pytest.mark.parametrize(("optimiser", "value"), [("adam", math.nan), ("soap", math.inf)])
@pytest.mark.parametrize(
    "side", ["front layer2.0.bn1.bias", "end layer3.0.bn2.bias", "end fc.bias", "end conv1.weight"]
)
def test_a_grid_with_something_infinite_in_a_layer_completes(
    store: Store, sound: dict[str, Run], side: str, optimiser: str, value: float
) -> None:
    which, parameter = side.split()
    names = {"front": "digits-a", "end": "digits-b"}
    poisoned(store, names[which], parameter, value)
    names[which] += "-bad"
    run = made(store, **names, **ONLY | {"tlm": RECIPES[optimiser]})
    assert run.complete
    assert not missing(run)
    for i in ROWS:
        for j in COLUMNS:
            for method in ("tlm", "dm"):
                why = reasons(side, i, j, method)
                for metric in METRICS:
                    number, before = (r.value(method, metric, i, j) for r in (run, sound[optimiser]))
                    assert run.reason(method, metric, i, j) == why.get(metric, ""), (i, j, method, metric)
                    assert number == (None if metric in why else before), (i, j, method, metric)
    assert {row["reason"] for row in run.undefined()} >= set(reasons(side, "layer3.1", "flatten", "dm").values())
    assert "nan" not in cells_csv(run).lower()
    assert "NaN" not in run_json(run)
    _detectors_complete(run)


def _detectors_complete(run: Run) -> None:
    found = detect(run, detectors=QUICK, device="cpu")
    for row in found.rows(QUICK):
        why = found.reason(row.detector, row.method, row.front_layer, row.end_layer)
        assert (row.value is None) <= bool(why), row
        assert row.value is None or math.isfinite(row.value)
        if row.value is None and row.method == "dm" and run.record["front"]["name"].endswith("bad"):
            assert why == FRONT.format(row.front_layer)
    for i in ROWS:
        for j in COLUMNS:
            told = conclusions(found, "knn", i, j)
            assert set(told) == {"tlm", "dm"}
            assert all("undefined" in told[m].sentence or run.value(m, "accuracy", i, j) is not None for m in told)
    walk.compute_trajectory(run, ROWS[1], COLUMNS[0], torch.device("cpu"))
    assert trajectory.kept(run, ROWS[1], COLUMNS[0]) is not None
    for metric in ("accuracy", "penalty", "distance"):
        assert len(run_grids.metric_grids(run, metric)) == 2
        assert len(run_grids.difference_grids(run, metric)) == 1


def test_a_map_that_diverged_has_no_accuracy_and_can_still_be_read(store: Store) -> None:
    run = made(store, **ONLY | {"tlm": TaskLoss(epochs=1, lr=1e30)})
    cell = (ROWS[1], COLUMNS[0])
    kept = get_tensors(store, "maps", map_key(run.request, "tlm", *cell))
    assert kept is not None
    assert not kept["weight"].isfinite().all()
    for metric in METRICS:
        assert run.value("tlm", metric, *cell) is None
        assert "training diverged" in run.reason("tlm", metric, *cell)
        assert run.value("dm", metric, *cell) is not None
    assert not np.isfinite(activations_of(run, 0, *cell)["tlm"].numpy()).any()
    again = made(store, **ONLY | {"tlm": TaskLoss(epochs=1, lr=1e30), "eval_images": 60})
    assert again.value("tlm", "accuracy", *cell) is None


def test_what_was_kept_of_a_diverged_map_before_is_undefined_too(done: Store) -> None:
    run = made(done)
    cell = (ROWS[0], COLUMNS[0])
    key = cell_key(run.request, "tlm", *cell)
    kept = done.get("cells", key)
    assert kept is not None
    del kept["reasons"]
    done.put("cells", key, kept | {"accuracy": 0.1, "distance": None, "reason": DIVERGED})
    now = Run(done, run.record)
    assert now.value("tlm", "accuracy", *cell) is now.value("tlm", "penalty", *cell) is None
    assert now.reason("tlm", "penalty", *cell) == now.reason("tlm", "distance", *cell) == DIVERGED


def test_an_accuracy_that_was_lost_is_no_accuracy_that_is_undefined(done: Store) -> None:
    run = made(done)
    harm(done.path("accuracies", accuracy_key(run.request, run.request.end), ".json"))
    now = Run(done, run.record)
    assert not now.accuracies_measured
    assert now.reason("dm", "penalty", ROWS[0], COLUMNS[0]) == "the end network's own accuracy is not computed yet"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_map_without_a_gradient_stops_alone(value: float) -> None:
    """As on a GPU, where the maps of a shape step together; a gradient comes back, the map does not."""
    made = [(torch.randn(3, 5), torch.randn(3)) for _ in range(3)]
    plain, other = (
        [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in maps] for maps in (made, made)
    )
    for maps, bad in ((plain, None), (other, 1)):
        optimiser = Soap(maps, 0.05)
        joined = [p for group in optimiser.param_groups for p in group["params"]]
        optimiser.param_groups[:] = [optimiser.param_groups[0] | {"params": joined}]
        for step in range(12):
            optimiser.zero_grad()
            torch.stack([(w.sum(1) + b).square().sum() for w, b in maps]).sum().backward()
            if step == 4 and bad is not None:
                sure(maps[bad][1].grad)[0] = value
            optimiser.step()
    for k, (here, there) in enumerate(zip(plain, other, strict=True)):
        assert torch.equal(here[0], there[0]) == (k != 1)
        assert bool(there[0].isfinite().all()) == (k != 1)
    assert not other[1][0].isfinite().any()


class _Strange(nn.Module):
    """Infinite on images whose first pixel is bright."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x[:, :1, :1, :1] > 0.5, torch.inf, x)


def test_one_image_is_enough() -> None:
    data = noise(size=12, train=40, test=30)
    data.train.images[:, :, 0, 0] = 0
    data.test.images[:, :, 0, 0] = 0
    data.test.images[7, :, 0, 0] = 255
    front = seeded(lambda: nn.Sequential(_Strange(), *Convolutions((5, 6), 4).children()), 0)
    both = pair(network(front, data), network(seeded(lambda: Convolutions((5, 6), 4), 1), data), data)
    (i, *_), j = [point.name for point in both.front_cuts.points if len(point.shape) == 3][1:], "act1"
    fitted = direct_matching(both, [(i, j)], torch.arange(40))
    assert fitted[i, j].weight.isfinite().all()
    whole, without = (evaluate(both, fitted, order)[i, j] for order in (torch.arange(30), torch.arange(7)))
    assert whole.accuracy is whole.distance is None
    assert whole.reasons == {"accuracy": FRONT.format(i), "distance": FRONT.format(i)}
    assert without.accuracy is not None
    assert without.distance is not None
    assert own_accuracy(both, torch.arange(30)) is not None
    assert own_accuracy(both, torch.arange(30), both.front) is None


def test_what_overflows_on_the_way_is_told_apart() -> None:
    data = noise(size=12, train=40, test=30)
    both = pair(
        network(seeded(lambda: Convolutions((5, 6), 4), 0), data),
        network(seeded(lambda: Convolutions((5, 6), 4), 1), data),
        data,
    )
    source, target = both.source("act1"), both.target("act0")

    def of(weight: float) -> Stitch:
        return Stitch.of(source, target, torch.full((5, 6), weight), torch.zeros(5))

    found = evaluate(both, {("act1", "act0"): of(3e38)}, torch.arange(30))["act1", "act0"]
    assert "too large" in found.reasons["distance"]
    assert found.accuracy is None
    large = evaluate(both, {("act1", "act0"): of(1e25)}, torch.arange(30))["act1", "act0"]
    assert large.distance is not None
    assert math.isfinite(large.distance)
    assert large.accuracy is not None


def test_figures_of_nothing_finite_are_drawn() -> None:
    nan = np.full(40, np.nan)
    known = np.random.default_rng(0).normal(size=40)
    empty = {"mean": nan, "deviation": nan, "spectrum": nan, "norms": nan}
    full = {"mean": known, "deviation": abs(known), "spectrum": abs(known), "norms": abs(known)}
    for native, tlm in ((empty, full), (full, empty), (empty, empty)):
        by_set = {"native": native, "tlm": tlm}
        for figure in (
            figures.channels(by_set, [1]),
            figures.norms(by_set),
            figures.spectrum(by_set),
            figures.scores({name: of["mean"] for name, of in by_set.items()}, "x"),
            feature_maps.feature_maps({name: of["mean"].reshape(1, 5, 8) for name, of in by_set.items()}, [0]),
        ):
            assert figure.data
