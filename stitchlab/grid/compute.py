"""The main job: a request in, a run out. It knows no screen and no cluster.

`ask` checks and resolves what is wanted, `compare` computes what the store lacks of it, in this process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch

from stitchlab.cutting.points import CutPoint
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, draw
from stitchlab.errors import StitchLabError, UnknownName, check_names
from stitchlab.grid import estimate as cost
from stitchlab.grid.units import compute_unit, load_pair, missing
from stitchlab.indices import REGISTRY as INDICES
from stitchlab.models import controls
from stitchlab.models import store as networks
from stitchlab.models.cut_points import outline
from stitchlab.models.store import Network
from stitchlab.request import (
    DEFINITIONS,
    METHODS,
    PRESETS,
    DirectMatching,
    Report,
    Request,
    TaskLoss,
    checked_seed,
    no_report,
    portion,
)
from stitchlab.results.run import Run
from stitchlab.stitch.affine import check, form
from stitchlab.store import Store


def pick_device(name: str = "auto") -> torch.device:
    """The device called auto, cpu, cuda or mps. Raises StitchLabError where this machine has none of that kind."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, has in there.items() if has))
    if name not in there:
        raise UnknownName("device", name, ["auto", *there])
    if not there[name]:
        raise StitchLabError(f"this machine has no {name} device that PyTorch can use; say --device auto or cpu")
    return torch.device(name)


def ask(
    store: Store, front: str, end: str, *, data: str | None = None,
    front_layers: Sequence[str] | None = None, end_layers: Sequence[str] | None = None,
    methods: Sequence[str] = METHODS, indices: Sequence[str] = tuple(INDICES), tlm: TaskLoss = PRESETS["paper"],
    dm_images: int = 100, eval_images: int | None = None, seed: int = 0, report: Report = no_report,
) -> Run:
    """The run of a request: checked, resolved, written down; nothing is computed yet.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`controls.front`).
        data: name of a data set; default is the one that the end network came with.
        front_layers, end_layers: names or aliases of cut points; default is `Layered.defaults`.
        methods, indices: which of tlm and dm, and which of the registered indices.
        tlm: the recipe of task loss matching.
        dm_images: K, training images of direct matching.
        eval_images: M, test images of the evaluation; default is all.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
    """
    _something(methods, indices)
    checked_seed(seed)
    other = networks.find(store, end)
    one = controls.front(store, front, other, seed)
    images = datasets.load(data, store, report) if data else datasets.load_by_fingerprint(other.data_fingerprint, store)
    _fit(other, images)
    uses_dm = "dm" in methods or ("tlm" in methods and tlm.init == "dm")
    uses_soap = {"soap"} if "tlm" in methods and tlm.optimiser == "soap" else set()
    if uses_dm:
        draw(images.train, seed, dm_images, "training images for direct matching (K)")
    before, after = outline(store, one), outline(store, other)
    rows = before.in_order(before.defaults() if front_layers is None else front_layers)
    columns = after.in_order(after.defaults() if end_layers is None else end_layers)
    _stitchable([before.find(i) for i in rows], [after.find(j) for j in columns], methods)
    request = Request(
        front=one.id, end=other.id, data=images.fingerprint, front_layers=tuple(rows), end_layers=tuple(columns),
        methods=tuple(m for m in METHODS if m in methods), indices=tuple(n for n in INDICES if n in indices),
        # Settings that nothing uses would give the same request two ids.
        dm=DirectMatching(images=dm_images) if uses_dm else DirectMatching(),
        tlm=tlm if "tlm" in methods else TaskLoss(), seed=seed,
        eval_images=len(draw(images.test, seed, eval_images, "evaluation images (M)")),
        definitions=_definitions({"evaluation", "input", *methods, *(["dm"] if uses_dm else []), *uses_soap}, indices),
    )
    return Run.open(store, request, one, other, images)


def compare(
    front: str, end: str, *, store: Store | None = None, device: str = "auto", report: Report = no_report,
    **wanted: Any,
) -> Run:
    """Stitches a grid of layers: computes what the store lacks of it, and returns the run.

    Args:
        front, end: names or ids of networks in the store; the front may also be a control (`controls.front`).
        store: default is cache/ (or STITCHLAB_CACHE).
        device: auto, cpu, cuda or mps.
        report: told what is being done; if it raises Cancelled, what is finished is kept.
        wanted: layers, methods and settings, as in `ask`.

    Raises StitchLabError.
    """
    store = store or Store()
    run = ask(store, front, end, report=report, **wanted)
    return compute(store, run, pick_device(device), report)


def compute(store: Store, run: Run, device: torch.device, report: Report = no_report) -> Run:
    """Computes what is missing of a run in this process; what another process has claimed is waited for."""
    pair = load_pair(store, run.request, device)
    while units := missing(run):
        costs = [cost.flops(pair, run.request, unit.work, unit.cells) for unit in units]
        computed = 0
        for k, unit in enumerate(units):
            part = portion(report, sum(costs[:k]) / sum(costs), costs[k] / sum(costs))
            computed += compute_unit(store, run.request, unit, device, part)
        if not computed:
            report("waiting for another process that computes the same cells", len(run.cells) / run.total)
            time.sleep(0.5)
        run = Run(store, run.record)
    report("done", 1.0)
    return run


def _definitions(used: set[str], indices: Sequence[str]) -> dict[str, int]:
    """Versions of the definitions that a request uses, and of no others: a new index changes no old id."""
    return {name: DEFINITIONS[name] for name in used} | {name: INDICES[name].version for name in indices}


def _stitchable(rows: Sequence[CutPoint], columns: Sequence[CutPoint], methods: Sequence[str]) -> None:
    """Raises StitchLabError where there is no layer, or, if anything is stitched, no stitch between two."""
    if not (rows and columns):
        raise StitchLabError("a grid needs at least one front layer and one end layer; `layers NETWORK` lists them")
    for i, j in product(rows, columns) if methods else ():
        check(form(i.shape), form(j.shape))


def _something(methods: Sequence[str], indices: Sequence[str]) -> None:
    check_names("method", methods, METHODS)
    check_names("similarity index", indices, INDICES)
    if not (methods or indices):
        raise StitchLabError("nothing to compute: name a method (tlm, dm) or a similarity index")


def _fit(end: Network, images: DataSet) -> None:
    """Raises StitchLabError where the end network does not tell the classes of the images: they are what is scored.

    The front may come from other data: its own classes play no part. Images are brought to what each network takes.
    """
    if end.architecture == controls.NOISE:
        raise StitchLabError(f"{end.name} is noise, which nothing can be stitched into: use it as front network")
    if end.classes != images.classes:
        differ = next((pair for pair in zip(end.classes, images.classes, strict=False) if pair[0] != pair[1]), None)
        how = f"it says {differ[0]!r} where the data says {differ[1]!r}" if differ else "their numbers differ"
        raise StitchLabError(
            f"the end network {end.name} tells {len(end.classes)} classes and {images.label} has {len(images.classes)} "
            f"({how}): accuracy would mean nothing. Choose an end network trained on these classes"
        )
