"""Judge cells, one column of the grid at a time: are their activations in the end network's distribution?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.data.splits import evaluation_indices
from stitchlab.errors import StitchLabError
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.ood.accumulate import GatheredSet
from stitchlab.ood.inputs import as_map
from stitchlab.ood.keep import Entry, keep
from stitchlab.ood.reference import BATCH, NativeReference, native_reference, numerics
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
    """Have detectors judge computed cells of a run, and keep what they say; nothing is computed twice.

    Args:
        run: with computed cells; a run that was opened from a file is refused.
        detectors: names in `stitchlab.catalog.detectors.DETECTORS`; default is all.
        cells: (method, front layer, end layer) each; default is all computed cells.
        detection: settings; default is `Detection()`.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: gets the step and the share that is done; if it raises Cancelled, finished columns are kept.

    Raises StitchLabError: unknown names, cells that are not computed, outliers that do not fit.
    """
    run.check_own()
    names, torch_device = known_detectors(detectors), pick_device(device)
    results = DetectionResults(run, detection)
    wanted = results.cells if cells is None else list(dict.fromkeys(cells))
    computed = set(results.cells)
    for method, i, j in wanted:
        if (method, i, j) not in computed:
            raise StitchLabError(f"{method} of {i} → {j} is not computed yet; `compare` computes it")
    columns = results.lacking([*names, STATISTICS], wanted)
    for k, (end_layer, (lacking, column)) in enumerate(columns.items()):
        column_report = portion(report, k / len(columns), 1 / len(columns))
        judge_column(run, results.detection, lacking, end_layer, column, torch_device, column_report)
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
        run: its cells are judged.
        detection: which outliers detectors learn from and are tested on.
        names: of detectors, or `STATISTICS`.
        end_layer: of the column.
        cells: (method, front layer, end layer) each; without any, only native activations and outliers are judged.
        device: where to compute.
        report: gets the step and the share that is done; may raise to stop.

    Raises:
        StitchLabError: outliers do not fit, or a definition has changed since the run was asked for.
    """
    definitions.check(run.request, *run.request.methods)
    results = DetectionResults(run, detection)
    pair = load_pair(run.store, run.request, device)
    started = time.monotonic()
    with numerics():
        reference_report = portion(report, 0.0, 0.5 if cells else 1.0)
        reference = native_reference(results, pair, tuple(names), end_layer, reference_report)
        _keep(results, {(NATIVE, "", end_layer): reference.entries_of_reference()}, device, started)
        if not cells:
            return
        started = time.monotonic()
        sets = _gather_stitched(reference, results, pair, cells, portion(report, 0.5, 0.5))
        _keep(results, {cell: reference.entries(gathered) for cell, gathered in sets.items()}, device, started)


def _keep(
    results: DetectionResults,
    entries_by_set: Mapping[tuple[SetName, str, str], dict[str, Entry]],
    device: torch.device,
    started: float,
) -> None:
    """Keep what detectors say of some sets, with how it was computed: each entry took an equal share of the time."""
    entries = [
        (results.key(name, *judged_set), entry)
        for judged_set, by_detector in entries_by_set.items()
        for name, entry in by_detector.items()
    ]
    how = provenance(device, (time.monotonic() - started) / len(entries))
    for key, entry in entries:
        keep(results.run.store, key, entry.record, entry.tensors, how)


def _gather_stitched(
    reference: NativeReference, results: DetectionResults, pair: Pair, cells: Sequence[MethodCell], report: Report
) -> dict[MethodCell, GatheredSet]:
    fronts = list(dict.fromkeys(i for _, i, _ in cells))
    stitches: dict[MethodCell, Stitch] = {}
    for method in dict.fromkeys(m for m, _, _ in cells):
        column = [(i, j) for m, i, j in cells if m == method]
        with torch.enable_grad():  # a map that was lost is trained again
            of_method = maps(results.run.store, pair, results.run.request, method, column)
        stitches |= {(method, *cell): stitch for cell, stitch in of_method.items()}
    sets = {cell: reference.new_set(len(reference.images)) for cell in cells}
    run_front, seen = pair.run_front(fronts), 0
    for batch, _ in pair.batches(pair.data.test, reference.images, BATCH):
        report(f"stitched activations of {reference.end_layer}", seen / len(reference.images))
        front = run_front(batch)
        for cell in cells:
            sets[cell].add(reference.stitched_batch(cell[1], front[cell[1]], stitches[cell], batch))
        seen += len(batch)
    return sets


@torch.no_grad()
def activations_of(run: Run, image: int, front_layer: str, end_layer: str) -> dict[str, Tensor]:
    """Compute one evaluation image's activations at a cell, by set: native, and each method whose map is kept.

    Args:
        run: its maps are used.
        image: its index among the evaluation images, 0..M-1.
        front_layer, end_layer: of the cell.

    Returns:
        maps (C, H, W) each; tokens that make up a square as a map, other tokens as (C, T, 1); a vector as (C, 1, 1).
    """
    pair = load_pair(run.store, run.request, torch.device("cpu"))
    images, _ = pair.data.test.take(evaluation_indices(pair.data, run.request)[image : image + 1])
    activations: dict[str, Tensor] = {NATIVE: pair.run_end([end_layer])(images)[end_layer]}
    front = pair.run_front([front_layer])(images)[front_layer]
    for method in run.request.methods:
        # A lost map is not fitted again here, since a page waits for the answer.
        if (stitch := kept_map(run.store, pair, run.request, method, (front_layer, end_layer))) is not None:
            activations[method] = stitch(front)
    return {name: as_map(activation, pair.target(end_layer))[0] for name, activation in activations.items()}
