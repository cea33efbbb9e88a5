"""Describes a run's heatmaps for the report: the same grids as on the page Compare, and every number behind them."""

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

WITHOUT_STITCHING = "Without stitching"  # the heading of what can be chosen of indices


def scales() -> dict[str, list[list[float]]]:
    """Return colour scales by name: stops of place, red, green, blue."""
    return {
        name: [[place, *rgb(colour)] for place, colour in get_colorscale(name)]
        for name in (SEQUENTIAL, DIVERGING, REVERSED)
    }


def values(found: DetectionResults) -> dict[str, list[list[float | None]]]:
    """Return numbers as matrices: ``method/metric`` as in cells.csv, ``method/detector/metric``; None: undefined."""
    run = found.run
    made = {
        f"{name}/{metric}": matrix(run.matrix(name, metric))
        for name, metric in (*run.quantities(), *((name, run_grids.CALIBRATED) for name in run_grids.with_null(run)))
    }
    for detector, metric in judging(found):
        for method in run.request.methods:
            made[f"{method}/{detector}/{metric}"] = matrix(found.matrix(detector, method, metric))
    return made


def matrix(numbers: npt.NDArray[np.float64]) -> list[list[float | None]]:
    """Convert a matrix to JSON."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in numbers]


def judging(found: DetectionResults) -> list[tuple[str, str]]:
    """List the (detector, metric) that have a number in any cell, the Fréchet ratio first: it never saturates."""
    order = sorted(DETECTORS.values(), key=lambda detector: not detector.compares)
    return [
        (detector.name, metric)
        for detector in order
        if any(found.entry(detector.name, *cell) is not None for cell in found.cells)
        for metric in detector.metrics
    ]


def shows(found: DetectionResults) -> list[dict[str, Any]]:
    """List what can be shown, each with its heatmaps side by side and that of its difference, if it has one."""
    return [*_stitched(found.run), *_indices(found.run), *_calibrated(found.run), *_judged(found)]


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
            "maps": _described(run_grids.stitched(run, metric.name), keys),
            "difference": _described(apart := run_grids.difference(run, metric.name), [keys] * len(apart)),
        }


def _indices(run: Run) -> Iterator[dict[str, Any]]:
    if run.request.indices:
        keys = [f"{name}/{INDICES[name].metric}" for name in run.request.indices]
        yield {
            "key": run_grids.SHOWN_INDICES,
            "label": "Similarity indices",
            "group": WITHOUT_STITCHING,
            "about": run_grids.ABOUT_INDICES,
            "maps": _described(run_grids.indices(run), keys),
        }


def _calibrated(run: Run) -> Iterator[dict[str, Any]]:
    if names := run_grids.with_null(run):
        yield {
            "key": run_grids.CALIBRATED,
            "label": "Similarity indices, calibrated",
            "group": WITHOUT_STITCHING,
            "about": run_grids.ABOUT_CALIBRATED.format(run.request.null),
            "maps": _described(run_grids.calibrated(run), [f"{name}/{run_grids.CALIBRATED}" for name in names]),
        }


def _judged(found: DetectionResults) -> Iterator[dict[str, Any]]:
    for detector, told in judging(found):
        known = OOD_METRICS[told]
        keys = [f"{method}/{detector}/{told}" for method in found.run.request.methods]
        yield {
            "key": f"{detector}/{told}",
            "label": known.label if DETECTORS[detector].compares else f"{DETECTORS[detector].label}: {known.label}",
            "group": "In or out of distribution",
            "about": known.meaning + ".",
            "span": None if known.high is None else 1.0,
            "maps": _described(run_grids.judged(found, detector, told), keys),
        }


def _described(drawn: list[Grid], keys: Sequence[str | list[str]]) -> list[dict[str, Any]]:
    """Describe heatmaps without their numbers, which ``of`` names; two names mean the first minus the second."""
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
        for grid, key in zip(drawn, keys, strict=True)
    ]


def undefined(run: Run) -> dict[str, list[list[Any]]]:
    """List why computed numbers are undefined: by the reason, what (``method/metric``), its row and column."""
    found: dict[str, list[list[Any]]] = {}
    for row in run.undefined():
        where = (run.request.front_layers.index(row["front_layer"]), run.request.end_layers.index(row["end_layer"]))
        found.setdefault(row["reason"], []).append([f"{row['method']}/{row['metric']}", *where])
    return found
