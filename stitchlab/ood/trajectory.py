"""Compute TLM's trajectory: accuracy, and what detectors say, after each epoch whose map was kept.

While accuracy rises, do activations move away from native ones, or towards them? This shows the paper's claim epoch by
epoch. Only detectors that need no training follow the trajectory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.errors import StitchLabError
from stitchlab.models.provenance import provenance
from stitchlab.ood.accumulate import GatheredSet
from stitchlab.ood.keep import keep
from stitchlab.ood.reference import BATCH, NativeReference, native_reference, numerics
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

MAX_IMAGES = 1000  # the first of the evaluation images that are followed
MAX_PLANE_IMAGES = 150  # the first of them whose coordinates in the plane are kept


def compute_trajectory(
    run: Run, front_layer: str, end_layer: str, device: torch.device, report: Report = no_report
) -> None:
    """Compute and keep a cell's trajectory.

    Args:
        run: its TLM was trained with a trail.
        front_layer, end_layer: of the cell.
        device: where to compute.
        report: gets the step and the share that is done; may raise to stop.

    Raises:
        StitchLabError: the maps of its epochs were not kept, or a definition has changed since.
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
    results = DetectionResults(run, Detection())
    pair = load_pair(run.store, run.request, device)
    with numerics():
        reference = native_reference(results, pair, (*QUICK, STATISTICS), end_layer, portion(report, 0.0, 0.3))
        stitches = _stitches(run, pair, (front_layer, end_layer), maps)
        labels, sets = _gather(pair, reference, front_layer, list(stitches.values()), portion(report, 0.3, 0.5))
        value = {"epochs": list(stitches), **_series(reference, labels, sets, portion(report, 0.8, 0.2))}
    plane = torch.stack([gathered.statistics()["plane"][:MAX_PLANE_IMAGES] for gathered in sets])
    keep(
        run.store,
        key(run, front_layer, end_layer),
        value,
        {"plane": plane},
        provenance(device, time.monotonic() - started),
    )


def _stitches(run: Run, pair: Pair, cell: Cell, maps: trail.Maps) -> dict[int, Stitch]:
    """Make the stitches of a trail, by epoch; the first and the last are the unrounded maps, where these are kept."""
    source, target = pair.source(cell[0]), pair.target(cell[1])
    stitches = {
        epoch: Stitch.of(source, target, weight, bias).to(pair.device, pair.dtype)
        for epoch, (weight, bias) in maps.items()
    }
    recipe = run.request.tlm
    unrounded: list[tuple[int, Method]] = [(recipe.epochs, "tlm"), (0, "dm")]
    for epoch, method in unrounded if recipe.init == "dm" else unrounded[:1]:
        exact = kept_map(run.store, pair, run.request, method, cell)
        if epoch in stitches and exact is not None:
            stitches[epoch] = exact
    return stitches


def _gather(
    pair: Pair, reference: NativeReference, front_layer: str, stitches: Sequence[Stitch], report: Report
) -> tuple[Tensor, list[GatheredSet]]:
    """Gather the labels of the images, and for each stitch its stitched activations."""
    images = reference.images[:MAX_IMAGES]
    sets = [reference.new_set(0) for _ in stitches]  # moments of 0 images have no blocks: no intervals are wanted
    run_front = pair.run_front([front_layer])
    labels: list[Tensor] = []
    for batch, batch_labels in pair.batches(pair.data.test, images, BATCH):
        report("following the epochs", sum(map(len, labels)) / len(images))
        front = run_front(batch)[front_layer]
        for gathered, stitch in zip(sets, stitches, strict=True):
            gathered.add(reference.stitched_batch(front_layer, front, stitch, batch))
        labels.append(batch_labels.cpu())
    return torch.cat(labels), sets


class Series(TypedDict):
    """Hold what is kept of a trajectory beside its ``epochs``: one number for each of them.

    ``detectors`` holds the numbers of each detector by metric, ``images`` counts the images.
    """

    accuracy: list[float | None]
    detectors: dict[str, dict[str, list[float | None]]]
    images: int


def _series(reference: NativeReference, labels: Tensor, sets: Sequence[GatheredSet], report: Report) -> Series:
    accuracy: list[float | None] = []
    detectors: dict[str, dict[str, list[float | None]]] = {
        name: {metric: [] for metric in DETECTORS[name].metrics} for name in QUICK if name not in reference.reasons
    }
    for k, gathered in enumerate(sets):
        report("following the epochs", k / len(sets))
        predictions = gathered.statistics()["predictions"]
        accuracy.append(None if (predictions < 0).any() else float((predictions == labels).double().mean()))
        for name, metrics in detectors.items():
            numbers = reference.numbers(gathered, name, paired=True, bounds=False).metrics
            for metric, series in metrics.items():
                series.append(numbers[metric].value)
    return {"accuracy": accuracy, "detectors": detectors, "images": len(labels)}
