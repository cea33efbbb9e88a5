"""Describe the heatmaps of a run: a metric of both methods on one colour range, their difference, and indices."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS, METRICS, Direction
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.grid import Grid, number
from stitchlab.figures.ranges import Values, shared_range
from stitchlab.request import Method
from stitchlab.results import chance
from stitchlab.results.definitions import remark
from stitchlab.results.detection import DetectionResults
from stitchlab.results.recipe import words
from stitchlab.results.run import Run

SHOWN_INDICES = "indices"  # shown in place of a metric: indices on their own scales
CALIBRATED = "calibrated"  # shown in place of a metric: indices on the scale of their permutation nulls
ABOUT_INDICES = (
    "Each index is on its own scale. CKA compares images by images, with all positions flattened; PWCCA and Procrustes "
    "compare channels, averaged over positions, so they see different things. For unrelated layers debiased CKA is "
    "about 0; CKA is not."
)
ABOUT_CALIBRATED = (
    "Images were permuted {} times to find the values that each index has by chance: 0 is the bound that 95 % of these "
    "stay within, 1 is a copy. All indices are on one scale, higher = more similar."
)


def metric_grids(run: Run, metric: str) -> list[Grid]:
    """Return the heatmaps of the run's methods, on one colour range; a range of -1..1 is centred on 0."""
    matrices = {method: run.matrix(method, metric) for method in run.request.methods}
    if not matrices:
        return []
    entry = METRICS[metric]
    low, high = shared_range(list(matrices.values()), entry.low, entry.high)
    return [
        _grid(
            run,
            values,
            f"{METHOD_LABELS[method]}: {entry.label.lower()}",
            _recipe(run, method),
            low,
            high,
            entry.better,
            diverging=entry.low < 0,
        )
        for method, values in matrices.items()
    ]


def difference_grids(run: Run, metric: str) -> list[Grid]:
    """Return TLM − DM, red where TLM rates the layers as more similar; nothing if the run has only one method.

    Colours are centred on 0. If the metric has an upper limit, they reach it in every run.
    """
    if set(run.request.methods) != set(METHOD_LABELS):
        return []
    entry = METRICS[metric]
    values = run.matrix("tlm", metric) - run.matrix("dm", metric)
    _, high = shared_range([np.abs(values)], 0.0, entry.high)
    title = f"TLM − DM: {entry.label.lower()}"
    subtitle = (
        f"red: more similar by TLM, blue: by DM · colours from {number(-high or -1.0)} to "
        f"{number(high or 1.0)} · {_recipe(run, 'tlm')}"
    )
    grid = _grid(run, values, title, subtitle, -high or -1.0, high or 1.0, diverging=True)
    return [replace(grid, red_low=entry.better == "lower")]


def index_grids(run: Run) -> list[Grid]:
    """Return a heatmap for each similarity index, on its own range; a range of -1..1 is centred on 0."""
    grids = []
    for name in run.request.indices:
        index = INDICES[name]
        subtitle = f"{index.metric}: {index.better} = more similar"
        if index.needs == "paper":
            subtitle += " · cells whose layers have equal shapes are on another scale"
        grid = _grid(
            run,
            run.matrix(name, index.metric),
            index.label,
            _remarked(run, name, subtitle),
            index.low,
            index.high,
            index.better,
            diverging=index.low < 0,
        )
        grids.append(_with_chance(run, name, grid, "null95", "calibrated", "p"))
    return grids


def calibrated_grids(run: Run) -> list[Grid]:
    """Return the calibrated values of each index that has a null, on one scale: 0 is the 95 % bound, 1 a copy."""
    names = indices_with_null(run)
    matrices = [run.matrix(name, "calibrated") for name in names]
    low, high = shared_range(matrices, 0.0, 1.0) if matrices else (0.0, 1.0)
    reach = max(high, -low) if low < 0 else 0.0  # negative values: colours are centred on 0 and reach as far each way
    grids = []
    for name, values in zip(names, matrices, strict=True):
        index = INDICES[name]
        subtitle = f"0: bound of {run.request.null} permutations, 1: a copy"
        grid = _grid(
            run,
            values,
            f"{index.label}, calibrated",
            _remarked(run, name, subtitle),
            -reach,
            reach or high,
            "higher",
            diverging=reach > 0,
        )
        grids.append(_with_chance(run, name, grid, index.metric, "null95", "p"))
    return grids


def indices_with_null(run: Run) -> list[str]:
    """List the indices of a run that are compared with permuted images."""
    return [name for name in run.request.indices if INDICES[name].permutable] if run.request.null else []


def _with_chance(run: Run, name: str, grid: Grid, *beside: str) -> Grid:
    """Add hollow stars and further numbers to an index's heatmap, if the run has permutations."""
    if name not in indices_with_null(run):
        return grid
    labels = {"null95": "95 % of chance"}
    return replace(
        grid,
        by_chance=chance.by_chance(run, name),
        beside=tuple((labels.get(metric, metric), run.matrix(name, metric)) for metric in beside),
    )


def detection_grids(detections: DetectionResults, detector: str, metric: str) -> list[Grid]:
    """Return a detector's results for the run's methods on one colour range; † marks end layers of no belief.

    Fréchet ratios and shifts span powers of ten, so they are coloured by their logarithm.

    Args:
        detections: what detectors say about the run's cells.
        detector: its name.
        metric: one of its metrics, such as ``auroc`` or ``ratio``.
    """
    run, entry, label = detections.run, OOD_METRICS[metric], DETECTORS[detector].label
    matrices = {method: detections.matrix(detector, method, metric) for method in run.request.methods}
    log = entry.high is None
    low, high = _log_range(list(matrices.values())) if log else (entry.low or 0.0, entry.high or 1.0)
    doubtful = tuple(j for j in run.request.end_layers if detections.reliability(detector, j).holds is False)
    return [
        replace(
            _grid(
                run, values, f"{METHOD_LABELS[method]}: {entry.label}", f"{label} · {_recipe(run, method)}", low, high
            ),
            log=log,
            doubtful=doubtful,
        )
        for method, values in matrices.items()
    ]


def _log_range(matrices: list[Values]) -> tuple[float, float]:
    """Return the range of a logarithmic colour scale, which only numbers above 0 decide."""
    positive = np.concatenate([np.ravel(matrix) for matrix in matrices])
    positive = positive[positive > 0]
    if not positive.size:
        return 0.1, 1.0
    low = float(positive.min())
    return low, max(float(positive.max()), low * 1.01)


def _recipe(run: Run, method: Method) -> str:
    """Write how a method's stitches were fitted."""
    least_squares = f"least squares on {run.request.dm.images} training images"
    return _remarked(run, method, words(run) if method == "tlm" else least_squares)


def _remarked(run: Run, name: str, subtitle: str) -> str:
    """Add to a subtitle the remark that a method or an index had an earlier definition, if it had."""
    return " · ".join(filter(None, (subtitle, remark(run.request, name))))


def _grid(
    run: Run,
    values: Values,
    title: str,
    subtitle: str,
    low: float,
    high: float,
    better: Direction | Literal[""] = "",
    diverging: bool = False,
) -> Grid:
    return Grid(
        title=title,
        subtitle=subtitle,
        values=values,
        low=low,
        high=high,
        better=better,
        diverging=diverging,
        front_layers=run.request.front_layers,
        end_layers=run.request.end_layers,
        front=run.record["front"]["name"],
        end=run.record["end"]["name"],
    )
