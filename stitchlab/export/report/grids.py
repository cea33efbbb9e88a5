"""Describes a run's heatmaps for the report: the same grids as on the page Compare, and all numbers in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from plotly.colors import get_colorscale

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import GROUPS, METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures import run_grids
from stitchlab.figures.colours import rgb
from stitchlab.figures.grid import Grid
from stitchlab.figures.ranges import log_ticks
from stitchlab.figures.template import DIVERGING, REVERSED, SEQUENTIAL
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run

WITHOUT_STITCHING = "Without stitching"  # the heading of the indices among the choices


def scales() -> dict[str, list[list[float]]]:
    """Return colour scales by name, as stops: position (0 to 1), red, green, blue."""
    return {
        name: [[position, *rgb(colour)] for position, colour in get_colorscale(name)]
        for name in (SEQUENTIAL, DIVERGING, REVERSED)
    }


def values(results: DetectionResults) -> dict[str, list[list[float | None]]]:
    """Return matrices by name: ``method/metric`` as in cells.csv, and ``method/detector/metric``; None is undefined."""
    run = results.run
    matrices = {
        f"{name}/{metric}": matrix(run.matrix(name, metric))
        for name, metric in (
            *run.quantities(),
            *((name, run_grids.CALIBRATED) for name in run_grids.indices_with_null(run)),
        )
    }
    for detector, metric in judged_metrics(results):
        for method in run.request.methods:
            matrices[f"{method}/{detector}/{metric}"] = matrix(results.matrix(detector, method, metric))
    return matrices


def matrix(numbers: npt.NDArray[np.float64]) -> list[list[float | None]]:
    """Convert a matrix to JSON; NaN becomes None."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in numbers]


def judged_metrics(results: DetectionResults) -> list[tuple[str, str]]:
    """List each (detector, metric) with a number in any cell, the Fréchet ratio first, as it never saturates."""
    order = sorted(DETECTORS.values(), key=lambda detector: not detector.compares)
    return [
        (detector.name, metric)
        for detector in order
        if any(results.entry(detector.name, *cell) is not None for cell in results.cells)
        for metric in detector.metrics
    ]


def shows(results: DetectionResults) -> list[dict[str, Any]]:
    """List the choices of what to show, each with its heatmaps and, if it has one, the heatmap of the difference."""
    return [*_stitched(results.run), *_indices(results.run), *_calibrated(results.run), *_judged(results)]


def _stitched(run: Run) -> Iterator[dict[str, Any]]:
    for metric in METRICS.values() if run.request.methods else ():
        keys = [f"{method}/{metric.name}" for method in run.request.methods]
        yield {
            "key": metric.name,
            "label": metric.label,
            "group": GROUPS[metric.group],
            "about": f"{metric.meaning}; {metric.better} = more similar.",
            "better": metric.better,
            "span": None if metric.high is None else metric.high - metric.low,
            "maps": _described(run_grids.metric_grids(run, metric.name), keys),
            "difference": _described(apart := run_grids.difference_grids(run, metric.name), [keys] * len(apart)),
        }


def _indices(run: Run) -> Iterator[dict[str, Any]]:
    if run.request.indices:
        keys = [f"{name}/{INDICES[name].metric}" for name in run.request.indices]
        yield {
            "key": run_grids.SHOWN_INDICES,
            "label": "Similarity indices",
            "group": WITHOUT_STITCHING,
            "about": run_grids.ABOUT_INDICES,
            "maps": _described(run_grids.index_grids(run), keys),
        }


def _calibrated(run: Run) -> Iterator[dict[str, Any]]:
    if names := run_grids.indices_with_null(run):
        yield {
            "key": run_grids.CALIBRATED,
            "label": "Similarity indices, calibrated",
            "group": WITHOUT_STITCHING,
            "about": run_grids.ABOUT_CALIBRATED.format(run.request.null),
            "maps": _described(run_grids.calibrated_grids(run), [f"{name}/{run_grids.CALIBRATED}" for name in names]),
        }


def _judged(results: DetectionResults) -> Iterator[dict[str, Any]]:
    for detector, name in judged_metrics(results):
        metric = OOD_METRICS[name]
        keys = [f"{method}/{detector}/{name}" for method in results.run.request.methods]
        yield {
            "key": f"{detector}/{name}",
            "label": metric.label if DETECTORS[detector].compares else f"{DETECTORS[detector].label}: {metric.label}",
            "group": "In or out of distribution",
            "about": metric.meaning + ".",
            "span": None if metric.high is None else 1.0,
            "maps": _described(run_grids.detection_grids(results, detector, name), keys),
        }


def _described(heatmaps: list[Grid], keys: Sequence[str | list[str]]) -> list[dict[str, Any]]:
    """Describe heatmaps without their numbers; ``of`` names the matrix, or two: the first minus the second."""
    return [
        {
            "of": key,
            "title": grid.title,
            "subtitle": grid.subtitle,
            "low": grid.low,
            "high": grid.high,
            "better": grid.better,
            "scale": grid.scale,
            "log": grid.log,
            "narrow": grid.narrow,
            "diverging": grid.diverging,
            **({"byChance": [grid.end_layers.index(layer) for layer in grid.by_chance]} if grid.by_chance else {}),
            "doubtful": [grid.end_layers.index(layer) for layer in grid.doubtful],
            **({"ticks": log_ticks(grid.low, grid.high)} if grid.log else {}),
        }
        for grid, key in zip(heatmaps, keys, strict=True)
    ]


def undefined(run: Run) -> dict[str, list[list[Any]]]:
    """List the undefined numbers by reason: ``method/metric``, row and column of each."""
    reasons: dict[str, list[list[Any]]] = {}
    for row in run.undefined():
        place = (run.request.front_layers.index(row["front_layer"]), run.request.end_layers.index(row["end_layer"]))
        reasons.setdefault(row["reason"], []).append([f"{row['method']}/{row['metric']}", *place])
    return reasons
