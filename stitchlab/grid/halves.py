"""Computes a run's values on half samples of its evaluation images (`stitchlab.results.halves`), and keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.data.splits import evaluation
from stitchlab.indices import halves as of_indices
from stitchlab.models import malloc as memory
from stitchlab.models.provenance import provenance
from stitchlab.models.tensors import put_tensors
from stitchlab.request import METHODS, Report, no_report, portion
from stitchlab.results import definitions
from stitchlab.results.halves import ROOM, Halves
from stitchlab.results.run import Run
from stitchlab.stitch import halves as of_methods
from stitchlab.stitch.halves import Halved, drawn
from stitchlab.stitch.maps import maps
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair, load_pair


def compute(run: Run, device: torch.device, report: Report = no_report) -> Halves:
    """Compute and keep what a run lacks of half samples; maps that are not in the store are fitted.

    Args:
        run: whose numbers are wanted; not one that was opened from a file.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, finished groups of names are kept.

    Returns:
        what there is then.

    Raises:
        StitchLabError: a definition has changed since the run was asked for, or it was opened from a file.
    """
    run.check_own()
    lacking = Halves(run).lacking
    if not lacking:
        return Halves(run)
    definitions.check(run.request, *lacking)
    pair = load_pair(run.store, run.request, device)
    images = evaluation(pair.data, run.request)
    groups = list(_groups(lacking))
    for k, names in enumerate(groups):
        started = time.monotonic()
        with fp32(), memory.kept():
            found = _halved(run, pair, names, images, portion(report, k / len(groups), 1 / len(groups)))
        how = provenance(device, (time.monotonic() - started) / len(names))
        for name in names:
            _keep(run, name, found, how)
    report("done", 1.0)
    return Halves(run)


def _groups(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Group the names that one pass serves: each method, the indices of Gram matrices, those of averages."""
    yield from ([name] for name in names if name in METHODS)
    for need in ("grams", "averages"):
        if group := [name for name in names if name in INDICES and INDICES[name].needs == need]:
            yield group


def _halved(run: Run, pair: Pair, names: Sequence[str], images: Tensor, report: Report) -> Halved:
    cells, draw = run.request.cells, partial(drawn, run.request.seed)
    if names[0] in METHODS:
        stitches = maps(run.store, pair, run.request, names[0], cells, portion(report, 0.0, 0.5))
        return of_methods.halved(pair, stitches, images, draw(len(images)), portion(report, 0.5, 0.5))
    return of_indices.halved(pair, names, cells, images, draw, report)


def _keep(run: Run, name: str, found: Halved, how: dict[str, object]) -> None:
    """Keep what was found of a method or an index: the arrays first, since an entry that is there is whole."""
    request, halves = run.request, Halves(run)
    items = {metric: metric if name in METHODS else name for metric in halves.metrics(name)}
    columns = {
        metric: [torch.stack([found.values[item, (i, j)] for i in request.front_layers], 1) for j in request.end_layers]
        for metric, item in items.items()
    }
    reasons = [
        {"metric": metric, "front_layer": i, "end_layer": j, "reason": found.reasons[item, (i, j)]}
        for metric, item in items.items()
        for i, j in request.cells
        if (item, (i, j)) in found.reasons
    ]
    key = halves.key(name)
    put_tensors(run.store, ROOM, key, {metric: torch.stack(made, 2) for metric, made in columns.items()})
    run.store.put(ROOM, key, {"name": name, "reasons": reasons, **how})
