"""What a unit of work costs: its arithmetic, counted on the networks' graphs, and seconds at the rate measured here.

Every finished unit leaves its rate in the store (room ``timings``), by kind of work, machine and end network; an
estimate takes the nearest of them. Rates differ between kinds of work by what arithmetic does not show.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from math import prod

import torch

from stitchlab.catalog.indices import INDICES
from stitchlab.request import INDEX_IMAGES, Request
from stitchlab.results.plan import Unit
from stitchlab.stitch.pair import Cell, Pair
from stitchlab.store import Store

ROOM = "timings"


def flops(pair: Pair, request: Request, work: str, cells: Sequence[Cell]) -> float:
    """Floating point operations of a unit (`stitchlab.results.plan.Unit`).

    Forward passes count once; a backward pass to the stitch costs about another forward pass of the tail.
    """
    if work == "accuracy":
        return float(request.eval_images * pair.end_cuts.flops)
    fronts, ends = {i for i, _ in cells}, {j for _, j in cells}
    to_front, to_end = ([cuts.find(name).flops for name in names]
                        for cuts, names in ((pair.front_cuts, fronts), (pair.end_cuts, ends)))
    if work == "indices":
        first = min(INDEX_IMAGES, request.eval_images)
        images = request.eval_images if any(INDICES[n].needs == "averages" for n in request.indices) else first
        features = sum(prod(pair.front_cuts.find(i).shape) for i in fronts)
        features += sum(prod(pair.end_cuts.find(j).shape) for j in ends)
        return float(images * (sum(to_front) + sum(to_end)) + 2 * first**2 * features)
    tails = sum(pair.end_cuts.flops - pair.end_cuts.find(j).flops for _, j in cells)
    stitches = sum(_stitch(pair, cell) for cell in cells)
    evaluation = request.eval_images * (max(to_front) + max(to_end) + tails + stitches)
    if work == "dm":
        return float(evaluation + request.dm.images * (max(to_front) + max(to_end) + stitches))
    seen = request.tlm.epochs * (request.tlm.images or len(pair.data.train))
    whole = pair.end_cuts.flops if request.tlm.targets == "soft" else 0
    return float(evaluation + seen * (max(to_front) + whole + 2 * tails + 3 * stitches))


def learn(store: Store, pair: Pair, request: Request, work: str, cells: Sequence[Cell], seconds: float) -> None:
    """Keep the rate at which a unit was computed on this machine."""
    rate = seconds / max(1.0, flops(pair, request, work, cells))
    store.put(ROOM, _key(work, pair.device, pair.end.id), {"seconds_per_flop": rate})


def seconds(store: Store, pair: Pair, request: Request, work: str, cells: Sequence[Cell]) -> float | None:
    """How long a unit should take on the pair's device; None where nothing was ever measured on this machine."""
    exact = store.intact(ROOM, _key(work, pair.device, pair.end.id))
    if exact is None:
        near = _key(work, pair.device, "")
        rates = [kept["seconds_per_flop"] for key in store.keys(ROOM)
                 if key.startswith(near) and (kept := store.intact(ROOM, key)) is not None]
        if not rates:
            return None
        exact = {"seconds_per_flop": sorted(rates)[len(rates) // 2]}
    return float(exact["seconds_per_flop"]) * flops(pair, request, work, cells)


def total(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> float | None:
    """Give the seconds that units should take together; None where one is of a kind that was never measured here."""
    each = [seconds(store, pair, request, unit.work, unit.cells) for unit in units]
    return None if any(s is None for s in each) else sum(s for s in each if s is not None)


def weights(store: Store, pair: Pair, request: Request, units: Sequence[Unit]) -> list[float]:
    """Give the shares of units in their work: by seconds where all are known, else by arithmetic."""
    each = [seconds(store, pair, request, unit.work, unit.cells) for unit in units]
    known = [s for s in each if s is not None]
    return known if len(known) == len(each) else [flops(pair, request, unit.work, unit.cells) for unit in units]


def _key(work: str, device: torch.device, end: str) -> str:
    return f"{platform.node()}-{device.type}-{work}-{end[:12]}"


def _stitch(pair: Pair, cell: Cell) -> int:
    source, target = pair.source(cell[0]), pair.target(cell[1])
    positions = target.tokens or target.height * target.width
    return 2 * source.channels * target.channels * positions
