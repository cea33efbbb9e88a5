"""Compute a run's values on half samples of its evaluation images (`stitchlab.results.halves`), and keep them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.data.splits import evaluation_indices
from stitchlab.indices.halves import measure_half_samples
from stitchlab.models import malloc as memory
from stitchlab.models.provenance import provenance
from stitchlab.models.tensors import put_tensors
from stitchlab.request import METHODS, Report, no_report, portion
from stitchlab.results import definitions
from stitchlab.results.halves import ROOM, Halves
from stitchlab.results.run import Run
from stitchlab.stitch.halves import HalfSampleValues, draw_half_samples, evaluate_half_samples
from stitchlab.stitch.maps import maps
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair, load_pair


def compute(run: Run, device: torch.device, report: Report = no_report) -> Halves:
    """Compute and keep the missing values of a run on half samples; maps that the store lacks are fitted.

    Args:
        run: the run, which was not opened from a file.
        device: where to compute.
        report: receives what is being done; if it raises Cancelled, finished groups of names are kept.

    Returns:
        the run's values on half samples.

    Raises:
        StitchLabError: a definition has changed since the run was made, or the run was opened from a file.
    """
    run.check_own()
    lacking = Halves(run).lacking
    if not lacking:
        return Halves(run)
    definitions.check(run.request, *lacking)
    pair = load_pair(run.store, run.request, device)
    images = evaluation_indices(pair.data, run.request)
    groups = list(_groups(lacking))
    for k, names in enumerate(groups):
        started = time.monotonic()
        with fp32(), memory.freed_memory_reused():
            values = _half_sample_values(run, pair, names, images, portion(report, k / len(groups), 1 / len(groups)))
        remarks = provenance(device, (time.monotonic() - started) / len(names))
        for name in names:
            _keep(run, name, values, remarks)
    report("done", 1.0)
    return Halves(run)


def _groups(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Group names that are computed in one pass: each method alone, indices of Gram matrices, indices of averages."""
    yield from ([name] for name in names if name in METHODS)
    for need in ("grams", "averages"):
        if group := [name for name in names if name in INDICES and INDICES[name].needs == need]:
            yield group


def _half_sample_values(run: Run, pair: Pair, names: Sequence[str], images: Tensor, report: Report) -> HalfSampleValues:
    """Compute the values of one method, or of some indices."""
    cells, draw = run.request.cells, partial(draw_half_samples, run.request.seed)
    if names[0] in METHODS:
        stitches = maps(run.store, pair, run.request, names[0], cells, portion(report, 0.0, 0.5))
        return evaluate_half_samples(pair, stitches, images, draw(len(images)), portion(report, 0.5, 0.5))
    return measure_half_samples(pair, names, cells, images, draw, report)


def _keep(run: Run, name: str, results: HalfSampleValues, remarks: dict[str, object]) -> None:
    """Keep the values of a method or an index; the arrays come first, so that an entry always has its arrays."""
    request, halves = run.request, Halves(run)
    value_names = {metric: metric if name in METHODS else name for metric in halves.metrics(name)}
    columns = {
        metric: [
            torch.stack([results.values[value_name, (i, j)] for i in request.front_layers], 1)
            for j in request.end_layers
        ]
        for metric, value_name in value_names.items()
    }
    reasons = [
        {"metric": metric, "front_layer": i, "end_layer": j, "reason": results.reasons[value_name, (i, j)]}
        for metric, value_name in value_names.items()
        for i, j in request.cells
        if (value_name, (i, j)) in results.reasons
    ]
    key = halves.key(name)
    put_tensors(run.store, ROOM, key, {metric: torch.stack(column, 2) for metric, column in columns.items()})
    run.store.put(ROOM, key, {"name": name, "reasons": reasons, **remarks})
