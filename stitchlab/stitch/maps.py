"""The maps (W, b) of a grid's cells: those in the store, the others fitted now and kept.

A map is kept under a key of its own, so that other evaluation images never retrain it; so are the maps that TLM had
before training and after each epoch (room ``epochs``: weight (E+1, D, C), bias (E+1, D)).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stitchlab.data.splits import draw
from stitchlab.models.tensors import intact_tensors, put_tensors
from stitchlab.request import Report, Request, map_key, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.pair import Cell, Pair
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store


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
            put_tensors(store, "maps", map_key(request, method, *cell), {"weight": stitch.weight, "bias": stitch.bias})
    return {cell: made[cell] for cell in cells}


def kept_map(store: Store, pair: Pair, request: Request, method: str, cell: Cell) -> Stitch | None:
    """The stitch of a cell that is in the store, on the pair's device; None where there is none."""
    kept = intact_tensors(store, "maps", map_key(request, method, *cell))
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
        put_tensors(store, "epochs", map_key(request, "tlm", *cell), {"weight": weights, "bias": biases})
    return trained
