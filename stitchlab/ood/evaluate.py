"""Judges cells, a column of the grid at a time: are their activations in or out of the end network's distribution?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.data.splits import evaluation
from stitchlab.errors import StitchLabError
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.ood.accumulate import Gathered
from stitchlab.ood.inputs import as_map
from stitchlab.ood.keep import keep
from stitchlab.ood.reference import BATCH, NativeReference, Verdict, numerics, side_of
from stitchlab.request import Detection, Report, no_report, portion
from stitchlab.results import definitions, summary
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults, MethodCell, SetName, known_detectors
from stitchlab.results.run import Run
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.maps import kept_map, maps
from stitchlab.stitch.pair import Pair, load_pair


def detect(
    run: Run,
    *,
    detectors: Sequence[str] | None = None,
    cells: Sequence[MethodCell] | None = None,
    detection: Detection | None = None,
    device: str | torch.device = "auto",
    report: Report = no_report,
) -> DetectionResults:
    """Have detectors judge computed cells of a run, and keep what they say; what the store has is not computed again.

    Args:
        run: with computed cells; not one that was opened from a file.
        detectors: names in `stitchlab.catalog.detectors.DETECTORS`; default is all.
        cells: (method, front layer, end layer) each; default is all that are computed.
        detection: settings; default is `Detection()`.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: told what is being done; if it raises Cancelled, finished columns are kept.

    Raises StitchLabError: unknown names, cells that are not computed, outliers that do not fit.
    """
    run.check_own()
    names, where = known_detectors(detectors), pick_device(device)
    found = DetectionResults(run, detection)
    wanted = found.cells if cells is None else list(dict.fromkeys(cells))
    computed = set(found.cells)
    for method, i, j in wanted:
        if (method, i, j) not in computed:
            raise StitchLabError(f"{method} of {i} → {j} is not computed yet; `compare` computes it")
    columns = found.lacking([*names, STATISTICS], wanted)
    for k, (j, (lacking, column)) in enumerate(columns.items()):
        judge_column(
            run, found.detection, lacking, j, column, where, portion(report, k / len(columns), 1 / len(columns))
        )
    summary.keep(run)
    report("done", 1.0)
    return DetectionResults(run, detection)


def judge_column(
    run: Run,
    detection: Detection,
    names: Sequence[str],
    end_layer: str,
    cells: Sequence[MethodCell],
    device: torch.device,
    report: Report = no_report,
) -> None:
    """Compute and keep what detectors say about cells of one end layer.

    Args:
        run: whose cells are judged.
        detection: which outliers detectors learn from and are tested on.
        names: of detectors, or `STATISTICS`.
        end_layer: of the column.
        cells: (method, front layer, end layer) each; of none, only the native side is judged.
        device: where to compute.
        report: told what is being done; may raise to stop.

    Raises:
        StitchLabError: outliers do not fit, or a definition that this rests on has changed since the run was asked for.
    """
    definitions.check(run.request, *run.request.methods)
    found = DetectionResults(run, detection)
    pair = load_pair(run.store, run.request, device)
    started = time.monotonic()
    with numerics():
        side = side_of(found, pair, tuple(names), end_layer, portion(report, 0.0, 0.5 if cells else 1.0))
        _keep(found, {(NATIVE, "", end_layer): side.verdicts()}, device, started)
        if not cells:
            return
        started = time.monotonic()
        gathered = _stitched(side, found, pair, cells, portion(report, 0.5, 0.5))
        _keep(found, {cell: side.of(each) for cell, each in gathered.items()}, device, started)


def _keep(
    found: DetectionResults,
    said: Mapping[tuple[SetName, str, str], dict[str, Verdict]],
    device: torch.device,
    started: float,
) -> None:
    """Keep what was said of some sets since then, with how it was computed; each took its share of the time."""
    entries = [(found.key(name, *of), verdict) for of, verdicts in said.items() for name, verdict in verdicts.items()]
    how = provenance(device, (time.monotonic() - started) / len(entries))
    for key, (value, tensors) in entries:
        keep(found.run.store, key, value, tensors, how)


def _stitched(
    side: NativeReference, found: DetectionResults, pair: Pair, cells: Sequence[MethodCell], report: Report
) -> dict[MethodCell, Gathered]:
    fronts = list(dict.fromkeys(i for _, i, _ in cells))
    stitches: dict[MethodCell, Stitch] = {}
    for method in dict.fromkeys(m for m, _, _ in cells):
        column = [(i, j) for m, i, j in cells if m == method]
        with torch.enable_grad():  # a map that was lost is trained again
            made = maps(found.run.store, pair, found.run.request, method, column)
        stitches |= {(method, *cell): stitch for cell, stitch in made.items()}
    gathered = {cell: side.new(len(side.images)) for cell in cells}
    front, seen = pair.run_front(fronts), 0
    for batch, _ in pair.batches(pair.data.test, side.images, BATCH):
        report(f"stitched activations of {side.end_layer}", seen / len(side.images))
        ours = front(batch)
        for cell in cells:
            gathered[cell].add(side.stitched(cell[1], ours[cell[1]], stitches[cell], batch))
        seen += len(batch)
    return gathered


@torch.no_grad()
def activations_of(run: Run, image: int, front_layer: str, end_layer: str) -> dict[str, Tensor]:
    """Compute one evaluation image's activations at a cell, by set: native, and each method whose map is kept.

    Args:
        run: whose maps are used.
        image: its place among the evaluation images, 0..M-1.
        front_layer, end_layer: of the cell.

    Returns:
        maps (C, H, W) each; tokens as a square map where they are one, else (C, T, 1); a vector as (C, 1, 1).
    """
    pair = load_pair(run.store, run.request, torch.device("cpu"))
    images, _ = pair.data.test.take(evaluation(pair.data, run.request)[image : image + 1])
    made: dict[str, Tensor] = {NATIVE: pair.run_end([end_layer])(images)[end_layer]}
    ours = pair.run_front([front_layer])(images)[front_layer]
    for method in run.request.methods:
        # A map that was lost is not fitted again here: a page waits for this.
        if (stitch := kept_map(run.store, pair, run.request, method, (front_layer, end_layer))) is not None:
            made[method] = stitch(ours)
    return {name: as_map(activation, pair.target(end_layer))[0] for name, activation in made.items()}
