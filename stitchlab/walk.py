"""TLM's walk: what the stitched network and the detectors say after every epoch of training, from the maps kept then.

Accuracy rises while activations walk away from native ones, or come nearer: it is the paper's claim, epoch by epoch.
Detectors that need no training follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stitchlab.distribution import ROOM, STATISTICS, Distribution
from stitchlab.errors import StitchLabError
from stitchlab.ood import QUICK, REGISTRY
from stitchlab.ood.frechet import frechet
from stitchlab.ood.gather import Gathered
from stitchlab.ood.numbers import apart
from stitchlab.ood.seen import Batch
from stitchlab.run import Run
from stitchlab.side import BATCH, Side, numerics, side_of
from stitchlab.spec import Detection, Report, cell_key, map_key, no_report, portion, verdict_key
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import Pair
from stitchlab.units import load_pair

VERSION = 1
IMAGES = 1000  # the first min(1000, M) evaluation images
POINTS = 150  # of them are followed in the plane


def key(run: Run, front_layer: str, end_layer: str) -> str:
    """Where the store keeps a cell's walk (room ``ood``)."""
    versions = [(name, REGISTRY[name].version) for name in QUICK]
    return verdict_key(cell_key(run.request, "tlm", front_layer, end_layer), "walk", VERSION, versions)


def kept(run: Run, front_layer: str, end_layer: str) -> tuple[dict[str, Any], Tensor] | None:
    """A cell's walk, if it is there.

    Returns:
        accuracy by epoch (from 0, before training), and by detector each metric by epoch as value, low, high; and
        where images lie in the native plane, (E+1, n, 2). None where there is none.
    """
    where = key(run, front_layer, end_layer)
    value, tensors = run.store.intact(ROOM, where), run.store.get_tensors(ROOM, where)
    return None if value is None or tensors is None else (value, tensors["plane"])


def possible(run: Run, front_layer: str, end_layer: str) -> bool:
    """Whether the maps after each epoch are kept: older caches have only the last."""
    return run.store.path("epochs", map_key(run.request, "tlm", front_layer, end_layer), ".safetensors").exists()


def walk(run: Run, front_layer: str, end_layer: str, device: torch.device, report: Report = no_report) -> None:
    """Computes and keeps a cell's walk. Raises StitchLabError where the maps after each epoch are not there."""
    maps = run.store.get_tensors("epochs", map_key(run.request, "tlm", front_layer, end_layer))
    if maps is None:
        raise StitchLabError(
            f"the maps of {front_layer} → {end_layer} after each epoch are not kept: this cell was trained before "
            "they were. Delete the run and compute it again"
        )
    found = Distribution(run, Detection())
    pair = load_pair(run.store, run.request, device)
    with numerics():
        side = side_of(found, pair, (*QUICK, STATISTICS), end_layer, portion(report, 0.0, 0.3))
        source, target = pair.source(front_layer), pair.target(end_layer)
        stitches = [Stitch.of(source, target, weight, bias).to(device)
                    for weight, bias in zip(maps["weight"], maps["bias"], strict=True)]
        labels, sets = _followed(pair, side, front_layer, stitches, portion(report, 0.3, 0.5))
        value = _numbers(side, labels, sets, portion(report, 0.8, 0.2))
    plane = torch.stack([gathered.statistics()["plane"][:POINTS] for gathered in sets])
    where = key(run, front_layer, end_layer)
    run.store.put_tensors(ROOM, where, {"plane": plane})
    run.store.put(ROOM, where, value)


def _followed(
    pair: Pair, side: Side, front_layer: str, stitches: Sequence[Stitch], report: Report
) -> tuple[Tensor, list[Gathered]]:
    """Labels of the images, and what each stitch makes of them."""
    images = side.images[:IMAGES]
    # Moments of 0 images have no blocks: intervals of thirty Fréchet ratios would cost more than all the rest.
    sets = [side.new(0) for _ in stitches]
    front = pair.run_front([front_layer])
    labels: list[Tensor] = []
    for batch, of in pair.batches(pair.data.test, images, BATCH):
        report("following the epochs", len(labels) * BATCH / len(images))
        ours = front(batch)[front_layer]
        for gathered, stitch in zip(sets, stitches, strict=True):
            gathered.add(Batch(stitch(ours), side.form, side.tail))
        labels.append(of.cpu())
    return torch.cat(labels), sets


def _numbers(side: Side, labels: Tensor, sets: Sequence[Gathered], report: Report) -> dict[str, Any]:
    accuracy: list[float] = []
    told: dict[str, dict[str, list[list[float | None]]]] = {
        name: {metric: [] for metric in REGISTRY[name].metrics} for name in QUICK if name not in side.reasons
    }
    assert side.own.moments is not None
    for epoch, gathered in enumerate(sets):
        report("following the epochs", epoch / len(sets))
        accuracy.append(float((gathered.statistics()["predictions"] == labels).double().mean()))
        scores, own = gathered.scores, side.own.scores
        for name, metrics in told.items():
            assert gathered.moments is not None
            numbers: Mapping[str, Any] = (
                apart(own[name][:len(labels)], scores[name], paired=True) if name in scores
                else {"ratio": frechet(side.own.moments, gathered.moments, paired=False, bounds=False)}
            )
            for metric, series in metrics.items():
                series.append(list(numbers[metric]))
    return {"accuracy": accuracy, "detectors": told, "images": len(labels)}
