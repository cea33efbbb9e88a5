"""Gets the maps (W, b) of a grid's cells: those in the store, the others fitted now and kept.

A map is kept under a key of its own, so that other evaluation images never retrain it. What TLM leaves on its way there
are its trail (`stitchlab.stitch.trail`) and, until it is done, a resume point (`stitchlab.stitch.resume`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from stitchlab.data.splits import draw
from stitchlab.models.tensors import intact_tensors, put_tensors
from stitchlab.request import Cell, Method, Report, Request, no_report, portion
from stitchlab.results.keys import map_key
from stitchlab.stitch import resume, trail
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store


def maps(
    store: Store, pair: Pair, request: Request, method: Method, cells: Sequence[Cell], report: Report = no_report
) -> dict[Cell, Stitch]:
    """Get the stitches of some cells: those in the store, the others fitted now and kept.

    Args:
        store: where maps are kept.
        pair: the networks of the request, loaded.
        request: decides how maps are fitted.
        method: ``dm`` or ``tlm``.
        cells: (front layer, end layer) each.
        report: told what is fitted, and how far; if it raises Cancelled, what is finished is kept.

    Returns:
        the stitches by cell, in the order of the cells.

    Raises:
        StitchLabError: the training images are fewer than were asked for.
    """
    made: dict[Cell, Stitch] = {}
    for cell in cells:
        if (kept := kept_map(store, pair, request, method, cell)) is not None:
            made[cell] = kept
    if lacking := [cell for cell in cells if cell not in made]:
        fit = _direct if method == "dm" else _trained
        for cell, stitch in fit(store, pair, request, lacking, report):
            made[cell] = stitch
            put_tensors(store, "maps", map_key(request, method, *cell), {"weight": stitch.weight, "bias": stitch.bias})
    return {cell: made[cell] for cell in cells}


def kept_map(store: Store, pair: Pair, request: Request, method: Method, cell: Cell) -> Stitch | None:
    """Read the stitch of a cell from the store, onto the pair's device.

    Args:
        store: where maps are kept.
        pair: the networks of the request, loaded.
        request: decides how the map was fitted.
        method: ``dm`` or ``tlm``.
        cell: (front layer, end layer).

    Returns:
        the stitch; None where there is none, or it is damaged.
    """
    kept = intact_tensors(store, "maps", map_key(request, method, *cell))
    if kept is None:
        return None
    source, target = pair.source(cell[0]), pair.target(cell[1])
    return Stitch.of(source, target, kept["weight"], kept["bias"]).to(pair.device, pair.dtype)


def none_begun(store: Store, request: Request, method: Method, cells: Sequence[Cell]) -> bool:
    """Tell whether no map of these cells is there, nor a training that has begun.

    Args:
        store: where maps are kept.
        request, method, cells: as for `maps`.
    """
    keys = {cell: map_key(request, method, *cell) for cell in cells}
    there = any(store.path("maps", key, ".safetensors").exists() for key in keys.values())
    return not there and not resume.find(store, keys)


def _direct(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> Iterator[tuple[Cell, Stitch]]:
    images = draw(pair.data.train, request.seed, request.dm.images, "training images for direct matching (K)")
    yield from direct_matching(pair, cells, images, report).items()


def _trained(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> Iterator[tuple[Cell, Stitch]]:
    """Train maps, or go on where training stopped: those side by side that are after the same epoch."""
    start = maps(store, pair, request, "dm", cells, report) if request.tlm.init == "dm" else None
    keys = {cell: map_key(request, "tlm", *cell) for cell in cells}
    begun = resume.find(store, keys)
    groups: dict[int, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(begun[cell].epoch if cell in begun else 0, []).append(cell)
    work = {epoch: (request.tlm.epochs - epoch) * len(group) for epoch, group in groups.items()}
    done = 0
    for epoch, group in groups.items():
        part = portion(report, done / sum(work.values()), work[epoch] / sum(work.values()))
        keep = _keep(store, request, {cell: keys[cell] for cell in group})
        states = {cell: begun.pop(cell) for cell in group if cell in begun}
        yield from task_loss_matching(pair, group, request.tlm, request.seed, start, part, keep, states).items()
        resume.forget(store)  # the maps are there by now
        done += work[epoch]


def _keep(store: Store, request: Request, keys: Mapping[Cell, str]) -> Callable[[resume.Training], None]:
    """Make the function that keeps what is needed of a training at its beginning and after each epoch."""
    epochs = request.tlm.epochs
    points, point = set(trail.series(epochs)), resume.Keeper(store, keys)

    def keep(training: resume.Training) -> None:
        for cell, key in keys.items() if training.epoch in points else ():
            trail.put(store, key, training.epoch, training.stitches[cell])
        if 0 < training.epoch < epochs:
            point.keep(training)
        for key in keys.values() if training.epoch == epochs else ():
            trail.finish(store, key, epochs)

    return keep
