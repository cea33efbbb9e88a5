"""Compute a grid in units of work (`stitchlab.results.plan`): cells are claimed, and kept when their unit is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.data.splits import evaluation_indices
from stitchlab.grid import estimate
from stitchlab.indices.statistics import IndexRequest, indices
from stitchlab.models import malloc as memory
from stitchlab.models.provenance import provenance
from stitchlab.request import NULL, Cell, Report, Request, no_report, portion
from stitchlab.results import definitions, summary
from stitchlab.results.keys import accuracy_key, cell_key, functional_key, key_of, map_key
from stitchlab.results.plan import GridWork, Unit, missing
from stitchlab.results.run import Run
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.maps import maps, none_begun
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.store import Store
from stitchlab.store.claims import claimed

MAX_JOINED_WEIGHTS = 2**20  # units are joined if all their maps together have at most so many weights

ResultCell = tuple[str, Cell]  # the name of a method, an index or a null, and a cell
Entry = dict[str, object]  # what the store keeps of a result, as JSON


def compute(store: Store, run: Run, device: torch.device, report: Report = no_report, *, watched: bool = True) -> Run:
    """Compute the missing results of a run in this process, and wait for those that another process has claimed.

    Args:
        store: where the run is kept.
        run: the run, with the results that it has.
        device: where to compute.
        report: receives what is being done; if it raises Cancelled, finished units are kept.
        watched: compute units one after another, so that the first cells are shown early; else a small grid is
            computed as one unit, which is faster.

    Returns:
        the run with all results. Where a definition has changed and this run lacks results, it is another run, under
        the present definitions. Raises StitchLabError where the run was opened from a file, or something does not fit.
    """
    run.check_own()
    if missing(run) and (updated := run.under_todays_definitions()) is not run:
        run = updated.save()
    pair = load_pair(store, run.request, device)
    while units := missing(run):
        units = units if watched else _joined(units, pair)
        costs = [unit_cost.seconds for unit_cost in estimate.cost_shares(store, pair, run.request, units)]
        computed = 0
        for k, unit in enumerate(units):
            report_unit = portion(report, sum(costs[:k]) / sum(costs), costs[k] / sum(costs))
            computed += compute_unit(store, run.request, unit, device, report_unit)
        if not computed:
            report("waiting for another process that computes the same cells", len(run.cells) / run.total)
            time.sleep(0.5)
        run = Run(store, run.record)
    summary.keep(run)
    report("done", 1.0)
    return run


def _joined(units: Sequence[Unit], pair: Pair) -> list[Unit]:
    """Join units of the same work, if all their maps and the optimiser's state of them need little memory.

    The front network's passes and the fixed cost of a step are then paid once (digits, 36 cells: a sixth less time).
    """
    cells = [cell for unit in units if unit.work == "tlm" for cell in unit.cells]
    if sum(pair.source(i).channels * pair.target(j).channels for i, j in cells) > MAX_JOINED_WEIGHTS:
        return list(units)
    joined: dict[tuple[GridWork, tuple[str, ...]], Unit] = {}
    for unit in units:
        so_far = joined.get((unit.work, unit.names), replace(unit, cells=()))
        joined[unit.work, unit.names] = replace(unit, cells=(*so_far.cells, *unit.cells))
    return list(joined.values())


def compute_unit(store: Store, request: Request, unit: Unit, device: torch.device, report: Report = no_report) -> int:
    """Compute those results of a unit that are still missing and that no other process has claimed.

    Args:
        store, request, unit: where results are kept; the request of the grid; the results to compute.
        device, report: where to compute; receives the progress.

    Returns:
        the number of computed results. Raises Cancelled if the report does: then no result is kept, but the resume
        point of task loss matching is (`stitchlab.stitch.resume`). Raises StitchLabError where a definition has changed
        since the request was made.
    """
    definitions.check(request)
    keys = {(name, cell): key_of(request, unit.work, name, *cell) for name in unit.names for cell in unit.cells}
    if unit.work == "accuracy":
        return _own_accuracy(store, request, device)
    with claimed(store, keys.values()) as free:
        # The store is read only after the claim: another process may have finished a result since the plan was made.
        claimed_items = [item for item, key in keys.items() if key in free and store.intact("cells", key) is None]
        if not claimed_items:
            return 0
        names, cells = (list(dict.fromkeys(part)) for part in zip(*claimed_items, strict=True))
        pair = load_pair(store, request, device)
        images = evaluation_indices(pair.data, request)
        from_start = _from_start(store, request, unit, cells)
        started = time.monotonic()
        with fp32(), memory.freed_memory_reused():
            if unit.work == "indices":
                entries = {
                    keys[item]: entry
                    for item, entry in _index_entries(pair, request, names, cells, images, report).items()
                    if item in claimed_items
                }
            else:
                entries = _stitch_entries(store, pair, request, unit, cells, images, report)
        seconds = time.monotonic() - started
        # Results that continue from kept maps or a kept training are marked: their seconds are those of the rest.
        continued = not from_start and unit.work != "functional"
        remarks = provenance(device, seconds / len(claimed_items)) | ({"continued": True} if continued else {})
        for key, entry in entries.items():
            store.put("cells", key, remarks | entry)
        if from_start:
            estimate.keep_rate(store, pair, request, unit.work, cells, seconds)
        return len(claimed_items)


def _index_entries(
    pair: Pair, request: Request, names: Sequence[str], cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[ResultCell, Entry]:
    """Compute values and nulls of indices, in one pass for both."""
    with_nulls = any(name.startswith(NULL) for name in names)
    wanted = IndexRequest(
        list(dict.fromkeys(name.removeprefix(NULL) for name in names)), request.null if with_nulls else 0, request.seed
    )
    values, nulls = indices(pair, wanted, cells, images, report)
    return {
        **{(name, cell): _index_entry(INDICES[name].metric, value) for (name, cell), value in values.items()},
        **{(NULL + name, cell): _index_entry("null", null) for (name, cell), null in nulls.items()},
    }


def _index_entry(metric: str, value: float | list[float] | str) -> Entry:
    """Return what is kept of a value or a null; a string is the reason why it is undefined."""
    return {metric: None, "reason": value} if isinstance(value, str) else {metric: value, "reason": ""}


def _from_start(store: Store, request: Request, unit: Unit, cells: Sequence[Cell]) -> bool:
    """Tell whether the unit does all the work that its estimate counts, so that its time gives a rate.

    That is so where no map is fitted or begun yet; for functional metrics, where all maps are in the store.
    """
    if unit.work == "functional":
        return all(store.path("maps", map_key(request, unit.method, *cell), ".safetensors").exists() for cell in cells)
    return unit.work == "indices" or none_begun(store, request, unit.method, cells)


def _stitch_entries(
    store: Store, pair: Pair, request: Request, unit: Unit, cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[str, Entry]:
    """Evaluate stitches, after fitting missing ones; return the entries by key, in the order in which they are kept."""
    method = unit.method
    # Training takes nearly all the time of TLM, evaluation that of DM, and all of it where the maps are in the store.
    fitting_share = {"tlm": 0.95, "dm": 0.1}.get(unit.work, 0.0)
    stitches = maps(store, pair, request, method, cells, portion(report, 0.0, fitting_share))
    evaluations = evaluate(pair, stitches, images, portion(report, fitting_share, 1 - fitting_share))
    entries: dict[str, Entry] = {}
    for cell, evaluation_of_cell in evaluations.items():
        numbers = asdict(evaluation_of_cell)
        functional = numbers.pop("functional")
        if unit.work == "functional":
            entries[functional_key(request, method, *cell)] = functional
        else:  # Functional metrics are kept first, so that no cell is kept without them; the cell has their seconds.
            entries[functional_key(request, method, *cell)] = functional | {"seconds": 0.0}
            entries[cell_key(request, method, *cell)] = numbers
    return entries


def _own_accuracy(store: Store, request: Request, device: torch.device) -> int:
    """Measure both networks' own accuracies, where their classes are those of the data; too cheap to need a claim."""
    pair = load_pair(store, request, device)
    images = evaluation_indices(pair.data, request)
    started = time.monotonic()
    with fp32():
        for network in (pair.front, pair.end):
            if network.classes == pair.data.classes:
                network_started = time.monotonic()
                accuracy = own_accuracy(pair, images, network)
                store.put(
                    "accuracies",
                    accuracy_key(request, network.id),
                    {"accuracy": accuracy, **provenance(device, time.monotonic() - network_started)},
                )
    estimate.keep_rate(store, pair, request, "accuracy", (), time.monotonic() - started)
    return 1
