"""Describes for the report what detectors say: intervals, belief, scores in bins, sentences, TLM's epochs."""

from __future__ import annotations

from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.export.report.grids import judging
from stitchlab.figures.histograms import stretched
from stitchlab.figures.words import conclusions, counted, disagreements
from stitchlab.results import trajectory
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, deciding
from stitchlab.store import Array

BINS = 60  # of a histogram
DIGITS = 5  # of what is read off a picture, and of the ends of intervals


def judged(found: DetectionResults) -> dict[str, dict[str, Any]]:
    """Describe by detector: belief and the numbers behind it at each end layer, intervals, histograms, reasons."""
    request, detectors = found.run.request, list(dict.fromkeys(name for name, _ in judging(found)))
    made = {}
    for name in detectors:
        metric = DETECTORS[name].metrics[0]
        beliefs = [found.reliability(name, j) for j in request.end_layers]
        believing: dict[str, list[list[float | None]]] = {
            who: [_interval(found.interval(name, who, metric, "", j)) for j in request.end_layers]
            for who in (NATIVE, OUTLIERS)
        }
        made[name] = {
            "belief": [[belief.holds, belief.why] for belief in beliefs],
            **believing,
            "ends": {
                method: [
                    [_ends(found.interval(name, method, metric, i, j)) for j in request.end_layers]
                    for i in request.front_layers
                ]
                for method in request.methods
            },
            "reasons": [
                [k, *_place(found, i, j), reason]
                for k in request.methods
                for i, j in request.cells
                if (reason := found.reason(name, k, i, j))
            ],
            "scores": [] if DETECTORS[name].compares else [_scores(found, name, j) for j in request.end_layers],
        }
    return made


def _place(found: DetectionResults, front_layer: str, end_layer: str) -> tuple[int, int]:
    request = found.run.request
    return request.front_layers.index(front_layer), request.end_layers.index(end_layer)


def rounded(number: float | None) -> float | None:
    """Round to as many digits as a picture can show; None stays, and what is not finite becomes None."""
    return None if number is None or not np.isfinite(number) else float(f"{number:.{DIGITS}g}")


def _ends(number: Interval) -> list[float | None] | None:
    return None if number.low is None or number.high is None else [rounded(number.low), rounded(number.high)]


def _interval(number: Interval) -> list[float | None]:
    return [number.value, rounded(number.low), rounded(number.high)]


def _scores(found: DetectionResults, detector: str, j: str) -> dict[str, Any] | None:
    """Count a detector's scores at an end layer in bins that all cells of the column share; None without any."""
    sides = found.arrays(detector, NATIVE, "", j)
    if "scores" not in sides:
        return None
    sets: dict[str, Array] = {NATIVE: sides["scores"], OUTLIERS: sides["outliers.scores"]}
    for method in found.run.request.methods:
        for row, i in enumerate(found.run.request.front_layers):
            if "scores" in (kept := found.arrays(detector, method, i, j)):
                sets[f"{method} {row}"] = kept["scores"]
    placed = stretched(sets)
    every = np.concatenate([[0.0], *placed.values()])
    edges = np.linspace(every.min(), max(every.max(), every.min() + 1e-6), BINS + 1)
    made: dict[str, Any] = {"from": rounded(edges[0]), "to": rounded(edges[-1])}
    for key, values in placed.items():
        name, _, of = key.partition(" ")
        made.setdefault(name, {})[of or "0"] = _counts(values, edges, len(sets[key]))
    return made


def _counts(values: Array, edges: Array, images: int) -> list[int]:
    counts = np.histogram(values, edges)[0]
    there = np.flatnonzero(counts)
    first, last = (int(there[0]), int(there[-1])) if there.size else (0, -1)
    return [images, first, *(int(count) for count in counts[first : last + 1])]


def said(found: DetectionResults) -> list[list[dict[str, Any]]]:
    """Write the sentences of every cell, row by row: what follows for each method, which detector decides, remarks."""
    request = found.run.request
    return [[_said(found, i, j) for j in request.end_layers] for i in request.front_layers]


def _said(found: DetectionResults, i: str, j: str) -> dict[str, Any]:
    decides = deciding(found, SET_DETECTOR, i, j)
    told: dict[str, Any] = {method: list(followed) for method, followed in conclusions(found, decides, i, j).items()}
    if decides:
        told["decides"] = decides
    if remarks := [*filter(None, [counted(found, i, j)]), *disagreements(found, i, j)]:
        told["remarks"] = remarks
    return told


def walks(run: Run) -> dict[str, dict[str, Any]]:
    """Return TLM's epochs of the cells (``row,column``) that have them: accuracy, and detectors' first numbers."""
    made: dict[str, dict[str, Any]] = {}
    for row, i in enumerate(run.request.front_layers):
        for column, j in enumerate(run.request.end_layers):
            kept = trajectory.kept(run, i, j) if "tlm" in run.request.methods else None
            if kept is not None:
                made[f"{row},{column}"] = {
                    "epochs": kept[0]["epochs"],
                    "accuracy": [rounded(number) for number in kept[0]["accuracy"]],
                    "told": {
                        name: [rounded(number) for number in by[DETECTORS[name].metrics[0]]]
                        for name, by in kept[0]["detectors"].items()
                    },
                }
    return made
