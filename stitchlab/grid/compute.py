"""Computes a grid by units of work (`stitchlab.results.plan`): cells are claimed, and kept when the unit is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.data.splits import evaluation
from stitchlab.grid import estimate as cost
from stitchlab.indices.statistics import Wanted, indices
from stitchlab.models import malloc as memory
from stitchlab.models.provenance import provenance
from stitchlab.request import NULL, Cell, Report, Request, no_report, portion
from stitchlab.results import definitions, summary
from stitchlab.results.keys import accuracy_key, cell_key, functional_key, key_of, map_key
from stitchlab.results.plan import Unit, missing
from stitchlab.results.run import Run
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.maps import maps, none_begun
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.store import Store
from stitchlab.store.claims import claimed

JOINED = 2**20  # numbers of all maps of units that are computed as one

Item = tuple[str, Cell]  # a method's or an index's name, and a cell


def compute(store: Store, run: Run, device: torch.device, report: Report = no_report, *, watched: bool = True) -> Run:
    """Compute what is missing of a run in this process; what another process has claimed is waited for.

    Args:
        store: where it is kept.
        run: as it is now.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, finished units are kept.
        watched: whether somebody waits for the first cells; else a small grid is trained as one unit, which is faster.

    Returns:
        the run with its numbers: another one, under today's definitions, where one has changed and this one lacks
        something. Raises StitchLabError where it was opened from a file, or something does not fit.
    """
    run.check_own()
    if missing(run) and (today := run.under_todays_definitions()) is not run:
        run = today.save()
    pair = load_pair(store, run.request, device)
    while units := missing(run):
        units = units if watched else _joined(units, pair)
        costs = [one.seconds for one in cost.shares(store, pair, run.request, units)]
        computed = 0
        for k, unit in enumerate(units):
            part = portion(report, sum(costs[:k]) / sum(costs), costs[k] / sum(costs))
            computed += compute_unit(store, run.request, unit, device, part)
        if not computed:
            report("waiting for another process that computes the same cells", len(run.cells) / run.total)
            time.sleep(0.5)
        run = Run(store, run.record)
    summary.keep(run)
    report("done", 1.0)
    return run


def _joined(units: Sequence[Unit], pair: Pair) -> list[Unit]:
    """Join units of the same work, if all their maps and what the optimiser keeps of them fit into little memory.

    The front's passes and what a step costs whatever it is of are then paid once (digits, 36 cells: a sixth less).
    """
    cells = [cell for unit in units if unit.work == "tlm" for cell in unit.cells]
    if sum(pair.source(i).channels * pair.target(j).channels for i, j in cells) > JOINED:
        return list(units)
    found: dict[tuple[str, tuple[str, ...]], Unit] = {}
    for unit in units:
        before = found.get((unit.work, unit.names), replace(unit, cells=()))
        found[unit.work, unit.names] = replace(unit, cells=(*before.cells, *unit.cells))
    return list(found.values())


def compute_unit(store: Store, request: Request, unit: Unit, device: torch.device, report: Report = no_report) -> int:
    """Compute those results of a unit that are still missing and that nobody else has claimed.

    Args:
        store, request, unit: where results are kept; of which grid; which of its results.
        device, report: where to compute; told how far it is.

    Returns:
        how many that were. Raises Cancelled if the report does: no result is kept then, but how far task loss matching
        is (`stitchlab.stitch.resume`). Raises StitchLabError where a definition has changed since it was asked for.
    """
    definitions.check(request)
    keys = {(name, cell): key_of(request, unit.work, name, *cell) for name in unit.names for cell in unit.cells}
    if unit.work == "accuracy":
        return _own_accuracy(store, request, device)
    with claimed(store, keys.values()) as free:
        # Looked at only now: somebody may have finished one between the plan and the claim.
        mine = [item for item, key in keys.items() if key in free and store.intact("cells", key) is None]
        if not mine:
            return 0
        names, cells = (list(dict.fromkeys(part)) for part in zip(*mine, strict=True))
        pair = load_pair(store, request, device)
        images = evaluation(pair.data, request)
        anew = _anew(store, request, unit, cells)
        started = time.monotonic()
        with fp32(), memory.kept():
            if unit.work == "indices":
                found = {
                    keys[item]: entry
                    for item, entry in _indices(pair, request, names, cells, images, report).items()
                    if item in mine
                }
            else:
                found = _stitched(store, pair, request, unit, cells, images, report)
        seconds = time.monotonic() - started
        # What goes on from maps, or from a training, that were there says so: its seconds are of the rest.
        continued = not anew and unit.work != "functional"
        remarks = provenance(device, seconds / len(mine)) | ({"continued": True} if continued else {})
        for key, entry in found.items():
            store.put("cells", key, remarks | entry)
        if anew:
            cost.learn(store, pair, request, unit.work, cells, seconds)
        return len(mine)


def _indices(
    pair: Pair, request: Request, names: Sequence[str], cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[Item, dict[str, Any]]:
    """Compute values and nulls of indices: both come from one pass, whichever of them is lacking."""
    nulls = any(name.startswith(NULL) for name in names)
    wanted = Wanted(
        list(dict.fromkeys(name.removeprefix(NULL) for name in names)), request.null if nulls else 0, request.seed
    )
    found = indices(pair, wanted, cells, images, report)
    return {
        **{(name, cell): _kept(INDICES[name].metric, value) for (name, cell), value in found.values.items()},
        **{(NULL + name, cell): _kept("null", null) for (name, cell), null in found.nulls.items()},
    }


def _kept(what: str, value: float | list[float] | str) -> dict[str, Any]:
    return {what: None, "reason": value} if isinstance(value, str) else {what: value, "reason": ""}


def _anew(store: Store, request: Request, unit: Unit, cells: Sequence[Cell]) -> bool:
    """Tell whether a unit does just what it is estimated for: nothing is begun, or metrics' maps are there."""
    if unit.work == "functional":
        return all(store.path("maps", map_key(request, unit.method, *cell), ".safetensors").exists() for cell in cells)
    return unit.work == "indices" or none_begun(store, request, unit.method, cells)


def _stitched(
    store: Store, pair: Pair, request: Request, unit: Unit, cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[str, dict[str, Any]]:
    """Evaluate stitches, fitting missing ones: what is kept of them, by keys, in the order of keeping."""
    method = unit.method
    # Training takes nearly all the time of TLM, looking at the test images that of DM, and all where maps are there.
    fitting = {"tlm": 0.95, "dm": 0.1}.get(unit.work, 0.0)
    stitches = maps(store, pair, request, method, cells, portion(report, 0.0, fitting))
    results = evaluate(pair, stitches, images, portion(report, fitting, 1 - fitting))
    kept = {}
    for cell, result in results.items():
        numbers = asdict(result)
        functional = numbers.pop("functional")
        if unit.work == "functional":
            kept[functional_key(request, method, *cell)] = functional
        else:  # functional metrics first: no cell is there without them. Their seconds are among the cell's
            kept[functional_key(request, method, *cell)] = functional | {"seconds": 0.0}
            kept[cell_key(request, method, *cell)] = numbers
    return kept


def _own_accuracy(store: Store, request: Request, device: torch.device) -> int:
    """Measure both networks' own accuracies on images whose classes they have: so cheap that nobody claims it."""
    pair = load_pair(store, request, device)
    images = evaluation(pair.data, request)
    started = time.monotonic()
    with fp32():
        for network in (pair.front, pair.end):
            if network.classes == pair.data.classes:
                begun = time.monotonic()
                value = own_accuracy(pair, images, network)
                store.put(
                    "accuracies",
                    accuracy_key(request, network.id),
                    {"accuracy": value, **provenance(device, time.monotonic() - begun)},
                )
    cost.learn(store, pair, request, "accuracy", (), time.monotonic() - started)
    return 1
