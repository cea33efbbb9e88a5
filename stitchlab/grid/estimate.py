"""Estimate the time of a unit of work: count its operations on the networks' graphs, and multiply by a rate.

Every finished unit leaves its rate in the store (room ``timings``), by kind of work, machine and end network; an
estimate uses the most similar one. Kinds of work have rates of their own, because not all their time is arithmetic.
Where no similar work was timed, the rate of the machine (`stitchlab.grid.machine`) gives an order of magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import prod
from typing import NamedTuple

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.presets import PRESETS
from stitchlab.grid import machine
from stitchlab.request import INDEX_IMAGES, Cell, Request
from stitchlab.results.plan import GridWork, Unit, missing
from stitchlab.results.run import Run
from stitchlab.stitch.pair import Pair
from stitchlab.store import Store

#: How many times longer an operation takes than in the measurement of `stitchlab.grid.machine`: reading and preparing
#: images, least squares and Gram matrices take time, but their operations are not counted.
OVERHEAD_FACTORS: dict[GridWork, float] = {"tlm": 1.0, "dm": 1.0, "functional": 1.0, "indices": 1.5, "accuracy": 2.0}
FLOPS_PER_MOVED_NUMBER = 20  # moving a number of a matrix takes as long as so many operations
SVD_FLOPS_FACTOR = 20  # singular values take this factor times rows² × columns operations
CHEAPER_TRAINING_IMAGES = 5000  # of the cheaper request with fewer training images


class Cost(NamedTuple):
    """Hold the estimated seconds of some work, and whether similar work was timed on this machine."""

    seconds: float
    timed: bool


def flops(pair: Pair, request: Request, work: GridWork, cells: Sequence[Cell]) -> float:
    """Count the floating point operations of a unit (`stitchlab.results.plan.Unit`).

    Forward passes count once; a backward pass to the stitch costs about another forward pass of the tail.

    Args:
        pair: the networks.
        request: has the numbers of images, epochs and permutations.
        work: ``tlm``, ``dm``, ``functional``, ``indices`` or ``accuracy``.
        cells: (front layer, end layer) each; none for accuracy.
    """
    if work == "accuracy":
        return float(request.eval_images * pair.end_cuts.flops)
    fronts, ends = {i for i, _ in cells}, {j for _, j in cells}
    to_front, to_end = (
        [cuts.find(name).flops for name in names] for cuts, names in ((pair.front_cuts, fronts), (pair.end_cuts, ends))
    )
    if work == "indices":
        index_images = min(INDEX_IMAGES, request.eval_images)
        averages = any(INDICES[name].needs == "averages" for name in request.indices)
        images = request.eval_images if averages else index_images
        features = sum(prod(pair.front_cuts.find(i).shape) for i in fronts)
        features += sum(prod(pair.end_cuts.find(j).shape) for j in ends)
        passes = images * (sum(to_front) + sum(to_end)) + 2 * index_images**2 * features
        return float(passes + _null_flops(pair, request, cells))
    tails = sum(pair.end_cuts.flops - pair.end_cuts.find(j).flops for _, j in cells)
    stitches = sum(_stitch_flops(pair, cell) for cell in cells)
    evaluation = request.eval_images * (max(to_front) + pair.end_cuts.flops + tails + stitches)
    if work == "functional":  # the maps are in the store already
        return float(evaluation)
    if work == "dm":
        return float(evaluation + request.dm.images * (max(to_front) + max(to_end) + stitches))
    training_passes = request.tlm.epochs * (request.tlm.images or len(pair.data.train))
    soft_targets = pair.end_cuts.flops if request.tlm.targets == "soft" else 0
    return float(evaluation + training_passes * (max(to_front) + soft_targets + 2 * tails + 3 * stitches))


def _null_flops(pair: Pair, request: Request, cells: Sequence[Cell]) -> float:
    """Count operations of nulls: a permutation moves entries of Gram matrices, and decomposes products of averages."""
    image_indices, channel_indices = (
        [name for name in request.indices if INDICES[name].needs == need] for need in ("grams", "averages")
    )
    channels = [(pair.source(i).channels, pair.target(j).channels) for i, j in cells]
    entries = len(image_indices) * min(INDEX_IMAGES, request.eval_images) ** 2
    per_permutation = entries * (FLOPS_PER_MOVED_NUMBER * len({j for _, j in cells}) + 2 * len(cells))
    if channel_indices:
        per_permutation += sum(
            2 * request.eval_images * C * D + len(channel_indices) * SVD_FLOPS_FACTOR * min(C, D) ** 2 * max(C, D)
            for C, D in channels
        )
    return float(request.null * per_permutation)


def keep_rate(
    store: Store, pair: Pair, request: Request, work: GridWork, cells: Sequence[Cell], seconds: float
) -> None:
    """Keep the rate at which a unit was computed on this machine.

    Args:
        store: where rates are kept.
        pair, request, work, cells: of the unit, as for `flops`; it was computed on the pair's device.
        seconds: the time that it took.
    """
    rate = seconds / max(1.0, flops(pair, request, work, cells))
    machine.keep_rate(store, machine.key(work, pair.device, pair.end.id), rate)


def cost(store: Store, pair: Pair, request: Request, units: Sequence[Unit], rate: float | None = None) -> list[Cost]:
    """Estimate the time of each unit on the pair's device.

    Args:
        store: has the rates that were timed on this machine.
        pair: the networks, and the device.
        request: of the grid.
        units: parts of the grid.
        rate: seconds per operation for work that was not timed; default is the rate of this machine, which is measured
            if the store lacks it.
    """
    timed_rates = {work: _timed_rate(store, pair, work) for work in {unit.work for unit in units}}
    if rate is None:
        rate = 0.0 if None not in timed_rates.values() else machine.rate(store, pair.device)
    costs = []
    for unit in units:
        timed_rate = timed_rates[unit.work]
        unit_rate = OVERHEAD_FACTORS[unit.work] * rate if timed_rate is None else timed_rate
        costs.append(Cost(unit_rate * flops(pair, request, unit.work, unit.cells), timed_rate is not None))
    return costs


def total(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> Cost:
    """Estimate the time of all units together; it counts as timed where all kinds of work were timed.

    Args:
        store, pair, request, units: as for `cost`.
    """
    costs = cost(store, pair, request, units)
    return Cost(sum(unit_cost.seconds for unit_cost in costs), all(unit_cost.timed for unit_cost in costs))


def cost_shares(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> list[Cost]:
    """Estimate as `cost` does, but measure nothing: only the shares of the total are right where work was not timed.

    Args:
        store, pair, request, units: as for `cost`.
    """
    return cost(store, pair, request, units, machine.kept_rate(store, pair.device) or machine.NOMINAL_SECONDS_PER_FLOP)


def cheaper_requests(run: Run, pair: Pair) -> list[tuple[str, float]]:
    """List cheaper requests than a run with task loss matching, by description, with the estimated seconds of each."""
    request = run.request
    requests: dict[str, Request] = {}
    if "tlm" in request.methods:
        if request.tlm.epochs > PRESETS["quick"].epochs:
            requests["quick"] = replace(request, tlm=replace(PRESETS["quick"], images=request.tlm.images))
        requests["DM and indices only"] = replace(request, methods=tuple(m for m in request.methods if m != "tlm"))
        if (request.tlm.images or len(pair.data.train)) >= 2 * CHEAPER_TRAINING_IMAGES:
            fewer_images = replace(request.tlm, images=CHEAPER_TRAINING_IMAGES)
            requests[f"{CHEAPER_TRAINING_IMAGES:,} training images"] = replace(request, tlm=fewer_images)
    estimates = []
    for description, cheaper_request in requests.items():
        units = missing(Run(run.store, run.record | {"request": asdict(cheaper_request)}))
        estimates.append((description, total(run.store, pair, cheaper_request, units).seconds))
    return estimates


def _timed_rate(store: Store, pair: Pair, work: GridWork) -> float | None:
    """Read the seconds per operation of this work on this machine: for this end network, or the median of others."""
    same_network = machine.read_rate(store, machine.key(work, pair.device, pair.end.id))
    if same_network is not None:
        return same_network
    prefix = machine.key(work, pair.device, "")
    rates = [
        rate
        for key in store.keys(machine.ROOM)
        if key.startswith(prefix) and (rate := machine.read_rate(store, key)) is not None
    ]
    return sorted(rates)[len(rates) // 2] if rates else None


def _stitch_flops(pair: Pair, cell: Cell) -> int:
    source, target = pair.source(cell[0]), pair.target(cell[1])
    positions = target.tokens or target.height * target.width
    return 2 * source.channels * target.channels * positions
