"""Units of work: sets of cells that share work, claimed cell by cell, each kept as soon as its unit is done.

A unit is a few end layers with all front layers, for which the front network runs once a pass, or everything that the
similarity indices lack. Tails get shorter toward the output, and the front's pass beside them longer: so the last half
of the end layers is one unit, then half of what is left, and so on (`columns`). A map (W, b) is kept under a key of its
own, so that other evaluation images never retrain it; so are the maps that TLM had before training and after each epoch
(room ``epochs``: weight (E+1, D, C), bias (E+1, D)).
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy
import torch
import torchvision
from torch import Tensor

from stitchlab.data import registry as datasets
from stitchlab.data.splits import draw, evaluation
from stitchlab.grid import estimate as cost
from stitchlab.indices import REGISTRY as INDICES
from stitchlab.indices.statistics import indices
from stitchlab.models import store as networks
from stitchlab.request import INDEX_IMAGES, Report, Request, accuracy_key, map_key, no_report, portion, result_key
from stitchlab.results.run import Run
from stitchlab.stitch import malloc as memory
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.pair import Cell, Pair
from stitchlab.stitch.tails import between
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store

Item = tuple[str, Cell]  # a method's or an index's name, and a cell

_CONSTANT = "the rows of one layer are constant"
SIGN_OF_LIFE = 5.0  # seconds between renewals of a claim


@dataclass(frozen=True)
class Unit:
    """What is computed together: ``work`` is dm, tlm, indices, or accuracy (the networks' own, for scale).

    ``names`` are that method or those indices.
    """

    work: str
    names: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def label(self) -> str:
        """For people."""
        named = {"indices": "similarity indices", "accuracy": "the networks' own accuracies"}
        ends = list(dict.fromkeys(j for _, j in self.cells))
        return named.get(self.work) or f"{self.work.upper()} into {between(ends)}"


def missing(run: Run) -> list[Unit]:
    """What the store lacks of a run: direct matching and the indices first, since they are there at once."""
    request = run.request

    def lacking(name: str, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        return tuple((i, j) for i, j in cells if (name, i, j) not in run.cells)

    stitched = {m: [Unit(m, (m,), lacking(m, [(i, j) for j in part for i in request.front_layers]))
                    for part in columns(request.end_layers)] for m in request.methods}
    names = tuple(name for name in request.indices if lacking(name, request.cells))
    compared = Unit("indices", names, tuple(c for c in request.cells if any(lacking(name, [c]) for name in names)))
    units = [unit for unit in (*stitched.get("dm", []), compared, *stitched.get("tlm", [])) if unit.cells]
    known = run.own_accuracy is not None and (run.front_accuracy is not None or not run.front_scored)
    return units if known else [Unit("accuracy"), *units]


def columns(end_layers: Sequence[str]) -> list[Sequence[str]]:
    """The end layers in the units that they are computed in, those that are done soonest first.

    >>> columns(["a", "b", "c", "d", "e"])
    [['d', 'e'], ['c'], ['b'], ['a']]
    """
    left, units = end_layers, []
    while left:
        first = len(left) - max(1, len(left) // 2)
        units.append(left[first:])
        left = left[:first]
    return units


def compute_unit(
    store: Store, request: Request, unit: Unit, device: torch.device, report: Report = no_report
) -> int:
    """Computes those results of a unit that are still missing and that nobody else has claimed.

    Returns:
        how many that were. Raises Cancelled, if the report does; then nothing of this unit is kept.
    """
    keys = {(name, cell): result_key(request, name, *cell) for name in unit.names for cell in unit.cells}
    if unit.work == "accuracy":
        return _own_accuracy(store, request, device)
    with _claimed(store, keys, report) as (mine, report):
        if not mine:
            return 0
        names, cells = (list(dict.fromkeys(part)) for part in zip(*mine, strict=True))
        pair = load_pair(store, request, device)
        images = evaluation(pair.data, request)
        started = time.monotonic()
        with fp32(), memory.kept():
            if unit.work == "indices":
                found = _indices(pair, names, cells, images, report)
            else:
                found = _stitched(store, pair, request, unit.work, cells, images, report)
        seconds = time.monotonic() - started
        remarks = _remarks(device, seconds / len(mine))
        for item in mine:
            store.put("cells", keys[item], found[item] | remarks)
        cost.learn(store, pair, request, unit.work, cells, seconds)
        return len(mine)


def load_pair(store: Store, request: Request, device: torch.device) -> Pair:
    """Networks and data of a request, on the device."""
    return Pair(
        networks.load(store, request.front, device), networks.load(store, request.end, device),
        datasets.load_by_fingerprint(request.data, store), device,
    )


def _indices(
    pair: Pair, names: Sequence[str], cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[Item, dict[str, Any]]:
    values = indices(pair, names, cells, images[:INDEX_IMAGES], report)
    return {
        (name, cell): {INDICES[name].metric: value, "reason": _CONSTANT if value is None else ""}
        for (name, cell), value in values.items()
    }


def _stitched(
    store: Store, pair: Pair, request: Request, method: str, cells: Sequence[Cell], images: Tensor, report: Report
) -> dict[Item, dict[str, Any]]:
    # Training takes nearly all the time of TLM, and looking at the test images that of DM.
    fitting = 0.1 if method == "dm" else 0.95
    stitches = maps(store, pair, request, method, cells, portion(report, 0.0, fitting))
    results = evaluate(pair, stitches, images, portion(report, fitting, 1 - fitting))
    return {(method, cell): asdict(result) for cell, result in results.items()}


def maps(
    store: Store, pair: Pair, request: Request, method: str, cells: Sequence[Cell], report: Report = no_report
) -> dict[Cell, Stitch]:
    """The stitches of these cells: those in the store, the others fitted now and kept."""
    made: dict[Cell, Stitch] = {}
    for cell in cells:
        if (kept := kept_map(store, pair, request, method, cell)) is not None:
            made[cell] = kept
    if lacking := [cell for cell in cells if cell not in made]:
        fit = _direct if method == "dm" else _trained
        for cell, stitch in fit(store, pair, request, lacking, report).items():
            made[cell] = stitch
            store.put_tensors("maps", map_key(request, method, *cell), {"weight": stitch.weight, "bias": stitch.bias})
    return {cell: made[cell] for cell in cells}


def kept_map(store: Store, pair: Pair, request: Request, method: str, cell: Cell) -> Stitch | None:
    """The stitch of a cell that is in the store, on the pair's device; None where there is none."""
    kept = store.intact_tensors("maps", map_key(request, method, *cell))
    if kept is None:
        return None
    source, target = pair.source(cell[0]), pair.target(cell[1])
    return Stitch.of(source, target, kept["weight"], kept["bias"]).to(pair.device, pair.dtype)


def _direct(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> dict[Cell, Stitch]:
    images = draw(pair.data.train, request.seed, request.dm.images, "training images for direct matching (K)")
    return direct_matching(pair, cells, images, report)


def _trained(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> dict[Cell, Stitch]:
    start = maps(store, pair, request, "dm", cells, report) if request.tlm.init == "dm" else None
    trail: dict[Cell, list[tuple[Tensor, Tensor]]] = {cell: [] for cell in cells}

    def keep(stitches: dict[Cell, Stitch]) -> None:
        for cell, stitch in stitches.items():
            trail[cell].append((stitch.weight.detach().cpu().clone(), stitch.bias.detach().cpu().clone()))

    trained = task_loss_matching(pair, cells, request.tlm, request.seed, start, report, keep)
    for cell, kept in trail.items():
        weights, biases = (torch.stack(part) for part in zip(*kept, strict=True))
        store.put_tensors("epochs", map_key(request, "tlm", *cell), {"weight": weights, "bias": biases})
    return trained


def _own_accuracy(store: Store, request: Request, device: torch.device) -> int:
    """Both networks' own accuracies on the images whose classes they tell: so cheap that nobody claims it."""
    pair = load_pair(store, request, device)
    images = evaluation(pair.data, request)
    started = time.monotonic()
    with fp32():
        for network in (pair.front, pair.end):
            if network.classes == pair.data.classes:
                value = own_accuracy(pair, images, network)
                store.put("accuracies", accuracy_key(request, network.id), {"accuracy": value})
    cost.learn(store, pair, request, "accuracy", (), time.monotonic() - started)
    return 1


def _remarks(device: torch.device, seconds: float) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "seconds": seconds, "device": f"{name} on {platform.node()}",
        "computed": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "torchvision": torchvision.__version__,
            "numpy": numpy.__version__,
        },
    }


@contextlib.contextmanager
def _claimed(
    store: Store, keys: dict[Item, str], report: Report
) -> Iterator[tuple[list[Item], Report]]:
    """Those results that this process has to compute, and a report that keeps their claims alive."""
    mine: list[Item] = []
    renewed = time.monotonic()

    def alive(what: str, done: float) -> None:
        nonlocal renewed
        if time.monotonic() - renewed > SIGN_OF_LIFE:
            renewed = time.monotonic()
            for item in mine:
                store.renew(keys[item])
        report(what, done)

    try:
        for item, key in keys.items():
            if store.claim(key):
                mine.append(item)
        # Looked at only now: somebody may have finished one between the plan and the claim.
        yield [item for item in mine if store.intact("cells", keys[item]) is None], alive
    finally:
        for item in mine:
            store.release(keys[item])


@contextlib.contextmanager
def fp32() -> Iterator[None]:
    """Full fp32 on CUDA: TF32 would make the same request give other numbers on other cards."""
    was = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = was
