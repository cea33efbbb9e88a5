"""Keeps samples of a run's telling cells: ten test images, and the maps of the channels that a stitch moved most.

`stitchlab.results.samples` says which cells, and reads them; a file that is handed on shows them without any network.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.data.splits import evaluation
from stitchlab.models.provenance import provenance
from stitchlab.models.tensors import put_tensors
from stitchlab.ood.inputs import as_map
from stitchlab.ood.reference import numerics
from stitchlab.request import Cell, Report, no_report
from stitchlab.results import definitions, samples
from stitchlab.results.channel_statistics import moved
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults
from stitchlab.results.samples import CHANNELS, IMAGES, PIXELS, SIDE
from stitchlab.stitch.maps import kept_map
from stitchlab.stitch.pair import Pair, load_pair

LARGEST = 6e4  # number that float16 holds


def keep_samples(found: DetectionResults, device: torch.device, report: Report = no_report) -> None:
    """Compute and keep the samples of a run's telling cells that are not there yet; seconds.

    A cell of which a map was lost is left out.

    Args:
        found: what detectors say of the run.
        device: where to compute.
        report: told which cell; may raise to stop.

    Raises:
        StitchLabError: a definition has changed since the run was asked for, or it was opened from a file.
    """
    run = found.run
    run.check_own()
    lacking = [cell for cell in samples.cells(found) if samples.kept(run, *cell) is None]
    if not lacking:
        return
    definitions.check(run.request, *run.request.methods)
    pair = load_pair(run.store, run.request, device)
    images, labels = pair.data.test.take(evaluation(pair.data, run.request)[:IMAGES])
    for k, cell in enumerate(lacking):
        report(f"samples of {cell[0]} → {cell[1]}", k / len(lacking))
        started = time.monotonic()
        with numerics():
            made = _maps(found, pair, images.to(device), cell)
        if made is not None:
            where = samples.key(run.request, *cell)
            put_tensors(run.store, samples.ROOM, where, {"images": _shown(images), "labels": labels.cpu(), **made})
            run.store.put(samples.ROOM, where, provenance(device, time.monotonic() - started))


def _maps(found: DetectionResults, pair: Pair, batch: Tensor, cell: Cell) -> dict[str, Tensor] | None:
    """Compute the maps of a cell by set, over one scale, with the channels that they are of; None: a stitch is lost."""
    run, form = found.run, pair.target(cell[1])
    ours = pair.run_front([cell[0]])(batch)[cell[0]]
    made: dict[str, Tensor] = {NATIVE: pair.run_end([cell[1]])(batch)[cell[1]]}
    for method in run.request.methods:
        if (stitch := kept_map(run.store, pair, run.request, method, cell)) is None:
            return None
        made[method] = stitch(ours)
    maps = {name: as_map(activation, form).cpu().float() for name, activation in made.items()}
    channels = _moved(found, cell, maps[NATIVE].shape[1])
    small = {name: _averaged(values[:, channels], SIDE) for name, values in maps.items()}
    largest = max(
        float(values[values.isfinite()].abs().max()) if values.isfinite().any() else 0.0 for values in small.values()
    )
    scale = torch.tensor([max(1.0, largest / LARGEST)])
    return {**{name: (values / scale).half() for name, values in small.items()}, "scale": scale, "channels": channels}


def _moved(found: DetectionResults, cell: Cell, count: int) -> Tensor:
    """Find the channels whose mean the first method moved most; the first ones while statistics are not there."""
    native = found.arrays(STATISTICS, NATIVE, "", cell[1])
    stitched = found.arrays(STATISTICS, found.run.request.methods[0], *cell)
    if not native or not stitched:
        return torch.arange(min(CHANNELS, count))
    return torch.from_numpy(moved(native, stitched)[:CHANNELS].copy()).long()


def _averaged(values: Tensor, most: int) -> Tensor:
    """Average values (n, c, h, w) over areas where a side is longer."""
    height, width = (min(most, side) for side in values.shape[2:])
    return values if (height, width) == values.shape[2:] else F.interpolate(values, (height, width), mode="area")


def _shown(images: Tensor) -> Tensor:
    """Give images uint8 (n, C, H, W) as screens take them: (n, H, W, C) or grey (n, H, W), no larger than needed."""
    small = _averaged(images.float(), PIXELS).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return (small[..., 0] if small.shape[-1] == 1 else small).contiguous()
