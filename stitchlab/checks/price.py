"""Estimate how long a suite of checks takes on this machine, before it is asked for.

Grids are estimated by `stitchlab.grid.estimate`, and the work on them by the same arithmetic. A network that does not
exist yet costs as much as a similar one: a control as much as the end network, a network of the demo as much as one
with fresh weights.
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

HALVES_PER_INDICES = 8.5  # time of half samples over that of all indices of a grid; measured: digits 17, Tiny-10 4.3
FRECHET_PER_EVALUATION = 4.0  # time of Fréchet ratios over that of evaluating the stitches; measured: 3.9 and 4.1
PASSES_PER_TRAINING_STEP = 3  # forward, backward to the input, and backward to the weights


def price(store: Store, arguments: dict[str, Any], checks: Sequence[str], device: str) -> dict[str, float]:
    """Estimate the time of all steps that a suite lacks.

    Args:
        store: it knows what was timed on this machine.
        arguments: of `stitchlab.results.checks.suite.find`, as JSON: the suite that is asked for.
        checks: by name.
        device: auto, cpu, cuda or mps.

    Returns:
        ``seconds`` on one worker; ``timed``: whether similar work was timed here; ``grids``: how many are missing.

    Raises:
        StitchLabError: networks do not fit together, or this machine has no such device.
    """
    steps = lacking(store, arguments, checks)
    has_untrained = bool(untrained(store, arguments["names"]))
    pairs: dict[str, Pair] = {}
    seconds, timed = 0.0, True
    torch_device = pick_device(device)
    # A measured rate is not kept: looking at an estimate writes nothing.
    rate = machine.kept_rate(store, torch_device) or machine.measure_rate(torch_device) if steps else None
    for step in (step for step in steps if step.work != "answers"):
        end = "" if has_untrained else step.end
        if end not in pairs:
            pairs[end] = _pair_of_demo(store, device) if has_untrained else _pair_of_end(store, step, device)
        cost = _cost(store, pairs[end], step, has_untrained, rate)
        seconds, timed = seconds + cost.seconds, timed and cost.timed
    return {"seconds": seconds, "timed": timed, "grids": sum(step.work == "grid" for step in steps)}


def _pair_of_end(store: Store, step: Step, device: str) -> Pair:
    """Pair the end network with itself, which costs as much as a similar front network."""
    run = resolve(store, step.end, step.end, **step.arguments)
    return replace(load_pair(store, run.request, torch.device("cpu")), device=pick_device(device))


def _pair_of_demo(store: Store, device: str) -> Pair:
    """Pair a network of the demo, with fresh weights, with itself."""
    data, architecture = datasets.load_offline(DATA, store), zoo.architecture(ARCHITECTURE)
    network = create.draft(SEEDS[0], architecture, None, data, (0.0,), (1.0,), size=None)
    module = model_store.freeze(model_store.build_fresh(network, architecture, 0), "cpu")
    loaded = LoadedNetwork.of(network, module)
    return Pair(loaded, loaded, data, pick_device(device))


def _cost(store: Store, pair: Pair, step: Step, has_untrained: bool, rate: float | None) -> estimate.Cost:
    """Estimate a step; ``rate`` is this machine's seconds per floating point operation, where it is known."""
    if step.work == "train":
        epochs = recipe("sgd", len(pair.data.train), natural=False).epochs
        flops = PASSES_PER_TRAINING_STEP * epochs * len(pair.data.train) * pair.end_cuts.flops
        return estimate.Cost(
            estimate.OVERHEAD_FACTORS["accuracy"] * flops * (rate or machine.NOMINAL_SECONDS_PER_FLOP), False
        )
    request = _request(pair, step)
    if step.work != "grid":
        return _cost_on_grid(store, pair, request, step, rate)
    networks_exist = not has_untrained and not is_control(step.front)
    units = missing(resolve(store, step.front, step.end, **step.arguments)) if networks_exist else all_units(request)
    return _sum(estimate.cost(store, pair, request, units, rate))


def _cost_on_grid(store: Store, pair: Pair, request: Request, step: Step, rate: float | None) -> estimate.Cost:
    """Estimate the work on a computed grid. Ranks cost the cells on its diagonal, once for each lower rank.

    Args:
        store, pair, request, rate: as in `stitchlab.grid.estimate.cost`.
        step: whose work it is.
    """
    if step.work == "frechet":
        units = [replace(unit, work="functional") for unit in all_units(request) if unit.work in METHODS]
        return _times(_sum(estimate.cost(store, pair, request, units, rate)), FRECHET_PER_EVALUATION)
    if step.work == "halves":
        units = [unit for unit in all_units(request) if unit.work == "indices"]
        return _times(_sum(estimate.cost(store, pair, request, units, rate)), HALVES_PER_INDICES)
    channels = [layout_of(pair.end_shape(layer)).channels for layer in request.end_layers]
    lower_ranks = [len(grid_of(count)) - 1 for count in channels]
    diagonal = tuple((layer, layer) for layer in request.end_layers)
    units = [replace(unit, cells=diagonal) for unit in all_units(request) if unit.work != "accuracy"]
    return _times(_sum(estimate.cost(store, pair, request, units, rate)), sum(lower_ranks) / max(1, len(lower_ranks)))


def all_units(request: Request) -> list[Unit]:
    """List the units of work of a grid that has no results yet."""
    cells = tuple(request.cells)
    names = tuple(name for name in request.results if name not in METHODS)
    stitched = [Unit(method, (method,), cells) for method in request.methods]
    return [Unit("accuracy"), *stitched, *([Unit("indices", names, cells)] if names else [])]


def _request(pair: Pair, step: Step) -> Request:
    """Make the request of a step, with the pair's networks in place of the step's."""
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
    costs = list(costs)
    return estimate.Cost(sum(cost.seconds for cost in costs), all(cost.timed for cost in costs))


def _times(cost: estimate.Cost, factor: float) -> estimate.Cost:
    return estimate.Cost(factor * cost.seconds, cost.timed)
