"""Estimates what a suite of checks should take on this machine, before it is asked for.

Grids are estimated as any (`stitchlab.grid.estimate`), and what is done on them by the same arithmetic. Networks that
are not there yet cost what those do that they are like: controls the end network, those of the demo one with fresh
weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from stitchlab.catalog.training_recipes import recipe
from stitchlab.data import registry as datasets
from stitchlab.grid import estimate, machine
from stitchlab.models import create, zoo
from stitchlab.models import store as model_store
from stitchlab.models.device import pick_device
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import METHODS, DirectMatching, Request, TaskLoss
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.checks.plan import Step, lacking
from stitchlab.results.controls import is_control
from stitchlab.results.demo import ARCHITECTURE, DATA, SEEDS, untrained
from stitchlab.results.plan import Unit, missing
from stitchlab.results.ranks import grid_of
from stitchlab.results.resolve import resolve
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.store import Store

# How many times as long as all indices of a grid half samples take (digits 17, Tiny-10 4.3: between them), and how many
# times as long as evaluating its stitches the Fréchet ratios (3.9 and 4.1).
HALF_SAMPLES, FRECHET = 8.5, 4.0
TRAINING = 3  # passes that a step of training is: forward, and backward to the input and to the weights


def price(store: Store, what: dict[str, Any], checks: Sequence[str], device: str) -> dict[str, Any]:
    """Estimate what a suite lacks.

    Args:
        store: which knows what was timed on this machine.
        what: the suite that is asked for, as in `stitchlab.results.checks.plan.lacking`.
        checks: by name.
        device: auto, cpu, cuda or mps.

    Returns:
        ``seconds`` on one worker; whether similar work was ``timed`` here; how many ``grids`` there are to compute.

    Raises:
        StitchLabError: networks do not fit together, or this machine has no such device.
    """
    steps = lacking(store, what, checks)
    new = untrained(store, what["names"])
    pairs: dict[str, Pair] = {}
    seconds, timed = 0.0, True
    where = pick_device(device)
    rate = machine.kept(store, where) or machine.measured(where) if steps else None  # looking keeps nothing
    for step in (step for step in steps if step.work != "answers"):
        end = "" if new else step.end
        if end not in pairs:
            pairs[end] = _fresh(store, device) if new else _of_end(store, step, device)
        found = _cost(store, pairs[end], step, bool(new), rate)
        seconds, timed = seconds + found.seconds, timed and found.timed
    return {"seconds": seconds, "timed": timed, "grids": sum(step.work == "grid" for step in steps)}


def _of_end(store: Store, step: Step, device: str) -> Pair:
    """Pair an end network with itself, which costs what any front of its kind does."""
    run = resolve(store, step.end, step.end, **step.arguments)
    return replace(load_pair(store, run.request, torch.device("cpu")), device=pick_device(device))


def _fresh(store: Store, device: str) -> Pair:
    """Pair a network like the demo's, with fresh weights, with itself."""
    data, found = datasets.here(DATA, store), zoo.architecture(ARCHITECTURE)
    network = create.draft(SEEDS[0], found, None, data, (0.0,), (1.0,), size=None)
    module = model_store.frozen(model_store.fresh(network, found, 0), "cpu")
    loaded = LoadedNetwork.of(network, module)
    return Pair(loaded, loaded, data, pick_device(device))


def _cost(store: Store, pair: Pair, step: Step, new: bool, rate: float | None) -> estimate.Cost:
    if step.work == "train":
        epochs = recipe("sgd", len(pair.data.train), natural=False).epochs
        flops = TRAINING * epochs * len(pair.data.train) * pair.end_cuts.flops
        return estimate.Cost(estimate.SLOWER["accuracy"] * flops * (rate or machine.NOMINAL), False)
    request = _request(pair, step)
    if step.work != "grid":
        return _beside(store, pair, request, step, rate)
    there = not new and not is_control(step.front)
    units = missing(resolve(store, step.front, step.end, **step.arguments)) if there else whole(request)
    return _sum(estimate.cost(store, pair, request, units, rate))


def _beside(store: Store, pair: Pair, request: Request, step: Step, rate: float | None) -> estimate.Cost:
    """Estimate what is done on a grid; ranks cost its diagonal as often as there are ranks at which it is cut."""
    if step.work == "frechet":
        units = [unit for unit in whole(request) if unit.work in METHODS]
        found = estimate.cost(store, pair, request, [replace(unit, work="functional") for unit in units], rate)
        return _times(_sum(found), FRECHET)
    if step.work == "halves":
        units = [unit for unit in whole(request) if unit.work == "indices"]
        return _times(_sum(estimate.cost(store, pair, request, units, rate)), HALF_SAMPLES)
    cuts = [len(grid_of(layout_of(pair.end_cuts.find(layer).shape).channels)) - 1 for layer in request.end_layers]
    diagonal = tuple((layer, layer) for layer in request.end_layers)
    units = [replace(unit, cells=diagonal) for unit in whole(request) if unit.work != "accuracy"]
    return _times(_sum(estimate.cost(store, pair, request, units, rate)), sum(cuts) / max(1, len(cuts)))


def whole(request: Request) -> list[Unit]:
    """List the units of work of a grid that has no results yet."""
    cells = tuple(request.cells)
    names = tuple(name for name in request.results if name not in METHODS)
    stitched = [Unit(method, (method,), cells) for method in request.methods]
    return [Unit("accuracy"), *stitched, *([Unit("indices", names, cells)] if names else [])]


def _request(pair: Pair, step: Step) -> Request:
    """Make the request of a step, of whichever networks."""
    settings = step.arguments
    layers = tuple(point.name for point in pair.end_cuts.points if point.default)
    tlm: TaskLoss = settings["tlm"]
    return Request(
        front="",
        end=pair.end.id,
        data="",
        front_layers=layers,
        end_layers=layers,
        seed=settings["seed"],
        eval_images=settings["eval_images"] or len(pair.data.test),
        methods=tuple(settings["methods"]),
        indices=tuple(settings["indices"]),
        dm=DirectMatching(images=settings["dm_images"]),
        tlm=replace(tlm, augment="none"),
        null=settings.get("null", 0),
    )


def _sum(costs: Iterable[estimate.Cost]) -> estimate.Cost:
    found = list(costs)
    return estimate.Cost(sum(one.seconds for one in found), all(one.timed for one in found))


def _times(cost: estimate.Cost, factor: float) -> estimate.Cost:
    return estimate.Cost(factor * cost.seconds, cost.timed)
