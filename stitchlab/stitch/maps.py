"""Get the maps (W, b) of a grid's cells: read those that the store has, and fit and keep the others.

A map is kept under a key of its own, so that a change of the evaluation images never retrains it. While it is trained,
TLM also keeps a trail (`stitchlab.stitch.trail`) and, until it is done, a resume point (`stitchlab.stitch.resume`).
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
    """Get the stitches of some cells: read those that the store has, and fit and keep the others.

    Args:
        store: where maps are kept.
        pair: the networks of the request, loaded.
        request: decides how maps are fitted.
        method: ``dm`` or ``tlm``.
        cells: (front layer, end layer) each.
        report: receives what is being fitted, and the progress; if it raises Cancelled, finished maps are kept.

    Returns:
        the stitches by cell, in the order of the cells.

    Raises:
        StitchLabError: there are fewer training images than the request has.
    """
    stitches: dict[Cell, Stitch] = {}
    for cell in cells:
        if (kept := kept_map(store, pair, request, method, cell)) is not None:
            stitches[cell] = kept
    if lacking := [cell for cell in cells if cell not in stitches]:
        fit = _match_directly if method == "dm" else _train
        for cell, stitch in fit(store, pair, request, lacking, report):
            stitches[cell] = stitch
            put_tensors(store, "maps", map_key(request, method, *cell), {"weight": stitch.weight, "bias": stitch.bias})
    return {cell: stitches[cell] for cell in cells}


def kept_map(store: Store, pair: Pair, request: Request, method: Method, cell: Cell) -> Stitch | None:
    """Read the stitch of a cell from the store, onto the pair's device.

    Args:
        store: where maps are kept.
        pair: the networks of the request, loaded.
        request: decides how the map was fitted.
        method: ``dm`` or ``tlm``.
        cell: (front layer, end layer).

    Returns:
        the stitch; None where the store has none, or the file is damaged.
    """
    tensors = intact_tensors(store, "maps", map_key(request, method, *cell))
    if tensors is None:
        return None
    source, target = pair.source(cell[0]), pair.target(cell[1])
    return Stitch.of(source, target, tensors["weight"], tensors["bias"]).to(pair.device, pair.dtype)


def none_begun(store: Store, request: Request, method: Method, cells: Sequence[Cell]) -> bool:
    """Tell whether the store has neither a map of any of these cells, nor a training that has begun.

    Args:
        store: where maps are kept.
        request, method, cells: as for `maps`.
    """
    keys = {cell: map_key(request, method, *cell) for cell in cells}
    any_map = any(store.path("maps", key, ".safetensors").exists() for key in keys.values())
    return not any_map and not resume.find(store, keys)


def _match_directly(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> Iterator[tuple[Cell, Stitch]]:
    images = draw(pair.data.train, request.seed, request.dm.images, "training images for direct matching (K)")
    yield from direct_matching(pair, cells, images, report).items()


def _train(
    store: Store, pair: Pair, request: Request, cells: Sequence[Cell], report: Report
) -> Iterator[tuple[Cell, Stitch]]:
    """Train maps, or continue where training stopped: cells that are after the same epoch are trained side by side."""
    start = maps(store, pair, request, "dm", cells, report) if request.tlm.init == "dm" else None
    keys = {cell: map_key(request, "tlm", *cell) for cell in cells}
    begun = resume.find(store, keys)
    groups: dict[int, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(begun[cell].epoch if cell in begun else 0, []).append(cell)
    cell_epochs = {epoch: (request.tlm.epochs - epoch) * len(group) for epoch, group in groups.items()}
    done = 0
    for epoch, group in groups.items():
        part = portion(report, done / sum(cell_epochs.values()), cell_epochs[epoch] / sum(cell_epochs.values()))
        keep = _keeper(store, request, {cell: keys[cell] for cell in group})
        states = {cell: begun.pop(cell) for cell in group if cell in begun}
        yield from task_loss_matching(pair, group, request.tlm, request.seed, start, part, keep, states).items()
        resume.forget(store)  # the maps are in the store by now
        done += cell_epochs[epoch]


def _keeper(store: Store, request: Request, keys: Mapping[Cell, str]) -> Callable[[resume.Training], None]:
    """Return a function that keeps trail and resume point of a training at its beginning and after each epoch."""
    epochs = request.tlm.epochs
    trail_epochs, resume_point = set(trail.epochs_to_keep(epochs)), resume.Keeper(store, keys)

    def keep(training: resume.Training) -> None:
        for cell, key in keys.items() if training.epoch in trail_epochs else ():
            trail.put(store, key, training.epoch, training.stitches[cell])
        if 0 < training.epoch < epochs:
            resume_point.keep(training)
        for key in keys.values() if training.epoch == epochs else ():
            trail.finish(store, key, epochs)

    return keep
