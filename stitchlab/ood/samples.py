"""Keep samples of a run's most telling cells: ten test images, and maps of the channels that a stitch moved most.

`stitchlab.results.samples` chooses the cells, and reads the samples. With them a .stitch file can show activations
where there is no network.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.data.splits import evaluation_indices
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

MAX_FLOAT16 = 6e4  # rounded down


def keep_samples(results: DetectionResults, device: torch.device, report: Report = no_report) -> None:
    """Compute and keep the samples that the store lacks of a run's most telling cells; this takes seconds.

    A cell is left out if one of its maps was lost.

    Args:
        results: what detectors say of the run.
        device: where to compute.
        report: gets the cell and the share that is done; may raise to stop.

    Raises:
        StitchLabError: a definition has changed since the run was asked for, or it was opened from a file.
    """
    run = results.run
    run.check_own()
    lacking = [cell for cell in samples.cells(results) if samples.kept(run, *cell) is None]
    if not lacking:
        return
    definitions.check(run.request, *run.request.methods)
    pair = load_pair(run.store, run.request, device)
    images, labels = pair.data.test.take(evaluation_indices(pair.data, run.request)[:IMAGES])
    for k, cell in enumerate(lacking):
        report(f"samples of {cell[0]} → {cell[1]}", k / len(lacking))
        started = time.monotonic()
        with numerics():
            maps = _maps(results, pair, images.to(device), cell)
        if maps is not None:
            key = samples.key(run.request, *cell)
            put_tensors(run.store, samples.ROOM, key, {"images": _for_screens(images), "labels": labels.cpu(), **maps})
            run.store.put(samples.ROOM, key, provenance(device, time.monotonic() - started))


def _maps(results: DetectionResults, pair: Pair, images: Tensor, cell: Cell) -> dict[str, Tensor] | None:
    """Compute the maps of a cell by set, with their common ``scale`` and their ``channels``; None if a stitch is lost.

    Values are divided by the scale, so that float16 can hold them.
    """
    run, layout = results.run, pair.target(cell[1])
    front = pair.run_front([cell[0]])(images)[cell[0]]
    activations: dict[str, Tensor] = {NATIVE: pair.run_end([cell[1]])(images)[cell[1]]}
    for method in run.request.methods:
        if (stitch := kept_map(run.store, pair, run.request, method, cell)) is None:
            return None
        activations[method] = stitch(front)
    maps = {name: as_map(activation, layout).cpu().float() for name, activation in activations.items()}
    channels = _moved_channels(results, cell, maps[NATIVE].shape[1])
    small = {name: _averaged(values[:, channels], SIDE) for name, values in maps.items()}
    largest = max(
        float(values[values.isfinite()].abs().max()) if values.isfinite().any() else 0.0 for values in small.values()
    )
    scale = torch.tensor([max(1.0, largest / MAX_FLOAT16)])
    return {**{name: (values / scale).half() for name, values in small.items()}, "scale": scale, "channels": channels}


def _moved_channels(results: DetectionResults, cell: Cell, count: int) -> Tensor:
    """Find the channels whose mean the first method moved most; without statistics, take the first channels."""
    native = results.arrays(STATISTICS, NATIVE, "", cell[1])
    stitched = results.arrays(STATISTICS, results.run.request.methods[0], *cell)
    if not native or not stitched:
        return torch.arange(min(CHANNELS, count))
    return torch.from_numpy(moved(native, stitched)[:CHANNELS].copy()).long()


def _averaged(values: Tensor, max_side: int) -> Tensor:
    """Average values (n, c, h, w) over areas, so that no side is longer than ``max_side``."""
    height, width = (min(max_side, side) for side in values.shape[2:])
    return values if (height, width) == values.shape[2:] else F.interpolate(values, (height, width), mode="area")


def _for_screens(images: Tensor) -> Tensor:
    """Convert images uint8 (n, C, H, W) to what screens take: (n, H, W, C), or grey (n, H, W), of reduced size."""
    small = _averaged(images.float(), PIXELS).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return (small[..., 0] if small.shape[-1] == 1 else small).contiguous()
