"""Follows TLM's walk: what the stitched network and the detectors say along the epochs of training, by maps kept.

Accuracy rises while activations walk away from native ones, or come nearer: it is the paper's claim, epoch by epoch.
Detectors that need no training follow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.errors import StitchLabError
from stitchlab.models.provenance import provenance
from stitchlab.ood.accumulate import Gathered
from stitchlab.ood.keep import keep
from stitchlab.ood.reference import BATCH, NativeReference, numerics, side_of
from stitchlab.request import Cell, Detection, Method, Report, no_report, portion
from stitchlab.results import definitions
from stitchlab.results.detection import STATISTICS, DetectionResults
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run
from stitchlab.results.trajectory import key
from stitchlab.stitch import trail
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.maps import kept_map
from stitchlab.stitch.pair import Pair, load_pair

IMAGES = 1000  # the first min(1000, M) evaluation images
POINTS = 150  # of them are followed in the plane


def compute_trajectory(
    run: Run, front_layer: str, end_layer: str, device: torch.device, report: Report = no_report
) -> None:
    """Compute and keep a cell's walk.

    Args:
        run: whose TLM was trained with a trail.
        front_layer, end_layer: of the cell.
        device: where to compute.
        report: told what is being done; may raise to stop.

    Raises:
        StitchLabError: the maps along its epochs are not there, or a definition has changed since.
        Damaged: a map does not match its checksum.
    """
    run.check_own()
    definitions.check(run.request, "tlm")
    maps = trail.read(run.store, map_key(run.request, "tlm", front_layer, end_layer))
    if maps is None:
        raise StitchLabError(
            f"the maps of {front_layer} → {end_layer} along its epochs were not kept: it was trained by a version "
            "that did not keep them, or with STITCHLAB_TRAIL=0. Delete the run and compute it again"
        )
    started = time.monotonic()
    found = DetectionResults(run, Detection())
    pair = load_pair(run.store, run.request, device)
    with numerics():
        side = side_of(found, pair, (*QUICK, STATISTICS), end_layer, portion(report, 0.0, 0.3))
        stitches = _stitches(run, pair, (front_layer, end_layer), maps)
        labels, sets = _followed(pair, side, front_layer, list(stitches.values()), portion(report, 0.3, 0.5))
        value = {"epochs": list(stitches), **_numbers(side, labels, sets, portion(report, 0.8, 0.2))}
    plane = torch.stack([gathered.statistics()["plane"][:POINTS] for gathered in sets])
    keep(
        run.store,
        key(run, front_layer, end_layer),
        value,
        {"plane": plane},
        provenance(device, time.monotonic() - started),
    )


def _stitches(run: Run, pair: Pair, cell: Cell, maps: trail.Maps) -> dict[int, Stitch]:
    """Get the stitches of a trail by epoch; at its ends the maps themselves, if they are kept, without rounding."""
    source, target = pair.source(cell[0]), pair.target(cell[1])
    made = {epoch: Stitch.of(source, target, *of).to(pair.device, pair.dtype) for epoch, of in maps.items()}
    recipe = run.request.tlm
    ends: list[tuple[int, Method]] = [(recipe.epochs, "tlm"), (0, "dm")]
    for epoch, method in ends if recipe.init == "dm" else ends[:1]:
        exact = kept_map(run.store, pair, run.request, method, cell)
        if epoch in made and exact is not None:
            made[epoch] = exact
    return made


def _followed(
    pair: Pair, side: NativeReference, front_layer: str, stitches: Sequence[Stitch], report: Report
) -> tuple[Tensor, list[Gathered]]:
    """Gather labels of the images, and what each stitch makes of them."""
    images = side.images[:IMAGES]
    sets = [side.new(0) for _ in stitches]  # moments of 0 images have no blocks: no intervals are wanted
    front = pair.run_front([front_layer])
    labels: list[Tensor] = []
    for batch, of in pair.batches(pair.data.test, images, BATCH):
        report("following the epochs", sum(map(len, labels)) / len(images))
        ours = front(batch)[front_layer]
        for gathered, stitch in zip(sets, stitches, strict=True):
            gathered.add(side.stitched(front_layer, ours, stitch, batch))
        labels.append(of.cpu())
    return torch.cat(labels), sets


def _numbers(side: NativeReference, labels: Tensor, sets: Sequence[Gathered], report: Report) -> dict[str, Any]:
    accuracy: list[float | None] = []
    told: dict[str, dict[str, list[float | None]]] = {
        name: {metric: [] for metric in DETECTORS[name].metrics} for name in QUICK if name not in side.reasons
    }
    for k, gathered in enumerate(sets):
        report("following the epochs", k / len(sets))
        told_of = gathered.statistics()["predictions"]
        accuracy.append(None if (told_of < 0).any() else float((told_of == labels).double().mean()))
        for name, metrics in told.items():
            found = side.numbers(gathered, name, paired=True, bounds=False)["metrics"]
            for metric, series in metrics.items():
                series.append(found[metric][0])
    return {"accuracy": accuracy, "detectors": told, "images": len(labels)}
