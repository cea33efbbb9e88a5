"""Estimates what a unit of work costs: its arithmetic, counted on the networks' graphs, at the rate measured here.

Every finished unit leaves its rate in the store (room ``timings``), by kind of work, machine and end network; an
estimate takes the nearest of them. Rates differ between kinds of work by what arithmetic does not show. Before anything
like it was timed, an estimate is an order of magnitude: from how fast the machine is (`stitchlab.grid.machine`).
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
from stitchlab.results.plan import Unit, Work, missing
from stitchlab.results.run import Run
from stitchlab.stitch.pair import Pair
from stitchlab.store import Store

#: How many times longer an operation takes than in `stitchlab.grid.machine`'s measure: reading and preparing images,
#: least squares and Gram matrices are none of the arithmetic that is counted.
SLOWER = {"tlm": 1.0, "dm": 1.0, "functional": 1.0, "indices": 1.5, "accuracy": 2.0}
MOVED = 20  # operations that a number of a matrix takes, as long as moving it does
DECOMPOSED = 20  # times rows² × columns: the operations of singular values
FEWER = 5000  # training images of a cheaper way


class Cost(NamedTuple):
    """Holds how many seconds something should take, and whether work like it was timed on this machine."""

    seconds: float
    timed: bool


def flops(pair: Pair, request: Request, work: Work, cells: Sequence[Cell]) -> float:
    """Count the floating point operations of a unit (`stitchlab.results.plan.Unit`).

    Forward passes count once; a backward pass to the stitch costs about another forward pass of the tail.

    Args:
        pair: the networks.
        request: says how many images, epochs and permutations there are.
        work: ``tlm``, ``dm``, ``functional``, ``indices`` or ``accuracy``.
        cells: (front layer, end layer) each; of accuracy none.
    """
    if work == "accuracy":
        return float(request.eval_images * pair.end_cuts.flops)
    fronts, ends = {i for i, _ in cells}, {j for _, j in cells}
    to_front, to_end = (
        [cuts.find(name).flops for name in names] for cuts, names in ((pair.front_cuts, fronts), (pair.end_cuts, ends))
    )
    if work == "indices":
        first = min(INDEX_IMAGES, request.eval_images)
        images = request.eval_images if any(INDICES[n].needs == "averages" for n in request.indices) else first
        features = sum(prod(pair.front_cuts.find(i).shape) for i in fronts)
        features += sum(prod(pair.end_cuts.find(j).shape) for j in ends)
        passes = images * (sum(to_front) + sum(to_end)) + 2 * first**2 * features
        return float(passes + _permuting(pair, request, cells))
    tails = sum(pair.end_cuts.flops - pair.end_cuts.find(j).flops for _, j in cells)
    stitches = sum(_stitch(pair, cell) for cell in cells)
    evaluation = request.eval_images * (max(to_front) + pair.end_cuts.flops + tails + stitches)
    if work == "functional":  # maps are there
        return float(evaluation)
    if work == "dm":
        return float(evaluation + request.dm.images * (max(to_front) + max(to_end) + stitches))
    seen = request.tlm.epochs * (request.tlm.images or len(pair.data.train))
    whole = pair.end_cuts.flops if request.tlm.targets == "soft" else 0
    return float(evaluation + seen * (max(to_front) + whole + 2 * tails + 3 * stitches))


def _permuting(pair: Pair, request: Request, cells: Sequence[Cell]) -> float:
    """Count operations of the nulls: images are moved in Gram matrices, products of averages are decomposed."""
    of_images, of_channels = (
        [name for name in request.indices if INDICES[name].needs == need] for need in ("grams", "averages")
    )
    channels = [(pair.source(i).channels, pair.target(j).channels) for i, j in cells]
    numbers = len(of_images) * min(INDEX_IMAGES, request.eval_images) ** 2
    each = numbers * (MOVED * len({j for _, j in cells}) + 2 * len(cells))
    if of_channels:
        each += sum(
            2 * request.eval_images * c * d + len(of_channels) * DECOMPOSED * min(c, d) ** 2 * max(c, d)
            for c, d in channels
        )
    return float(request.null * each)


def learn(store: Store, pair: Pair, request: Request, work: Work, cells: Sequence[Cell], seconds: float) -> None:
    """Keep the rate at which a unit was computed on this machine.

    Args:
        store: where it is kept.
        pair, request, work, cells: of the unit, as for `flops`, on the pair's device.
        seconds: that it took.
    """
    rate = seconds / max(1.0, flops(pair, request, work, cells))
    store.put(machine.ROOM, machine.key(work, pair.device, pair.end.id), {"seconds_per_flop": rate})


def cost(store: Store, pair: Pair, request: Request, units: Sequence[Unit], rate: float | None = None) -> list[Cost]:
    """Estimate what units take on the pair's device, each.

    Args:
        store: which knows what was timed on this machine.
        pair: the networks, and the device.
        request: what is computed.
        units: the parts of it.
        rate: seconds for an operation where nothing similar was timed; default is this machine's, which is measured
            where it is not known.
    """
    known = {work: _timed(store, pair, work) for work in {unit.work for unit in units}}
    if rate is None:
        rate = 0.0 if None not in known.values() else machine.rate(store, pair.device)
    made = []
    for unit in units:
        timed = known[unit.work]
        each = SLOWER[unit.work] * rate if timed is None else timed
        made.append(Cost(each * flops(pair, request, unit.work, unit.cells), timed is not None))
    return made


def total(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> Cost:
    """Estimate what units take together: ``timed`` where each of them was.

    Args:
        store, pair, request, units: as for `cost`.
    """
    each = cost(store, pair, request, units)
    return Cost(sum(one.seconds for one in each), all(one.timed for one in each))


def shares(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> list[Cost]:
    """Estimate as `cost`, measuring nothing: right as shares of the whole, as seconds only where they were timed.

    Args:
        store, pair, request, units: as for `cost`.
    """
    return cost(store, pair, request, units, machine.kept(store, pair.device) or machine.NOMINAL)


def cheaper(run: Run, pair: Pair) -> list[tuple[str, float]]:
    """List ways to ask for less than all of a run's task loss matching, with the seconds that each should take."""
    request, ways = run.request, {}
    if "tlm" in request.methods:
        if request.tlm.epochs > PRESETS["quick"].epochs:
            ways["quick"] = replace(request, tlm=replace(PRESETS["quick"], images=request.tlm.images))
        ways["DM and indices only"] = replace(request, methods=tuple(m for m in request.methods if m != "tlm"))
        if (request.tlm.images or len(pair.data.train)) >= 2 * FEWER:
            ways[f"{FEWER:,} training images"] = replace(request, tlm=replace(request.tlm, images=FEWER))
    asked = {
        what: (other, missing(Run(run.store, run.record | {"request": asdict(other)}))) for what, other in ways.items()
    }
    return [(what, total(run.store, pair, other, units).seconds) for what, (other, units) in asked.items()]


def _timed(store: Store, pair: Pair, work: Work) -> float | None:
    """Look up the seconds for an operation of such work, timed on this machine: into this end network, else others."""
    exact = store.intact(machine.ROOM, machine.key(work, pair.device, pair.end.id))
    if exact is not None:
        return float(exact["seconds_per_flop"])
    near = machine.key(work, pair.device, "")
    rates = [
        found["seconds_per_flop"]
        for key in store.keys(machine.ROOM)
        if key.startswith(near) and (found := store.intact(machine.ROOM, key)) is not None
    ]
    return float(sorted(rates)[len(rates) // 2]) if rates else None


def _stitch(pair: Pair, cell: Cell) -> int:
    source, target = pair.source(cell[0]), pair.target(cell[1])
    positions = target.tokens or target.height * target.width
    return 2 * source.channels * target.channels * positions
