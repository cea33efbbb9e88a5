"""Describes for the report what detectors say: intervals, belief, binned scores, sentences, TLM's trajectories."""

from __future__ import annotations

from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.export.report.grids import judged_metrics
from stitchlab.figures.histograms import stretched
from stitchlab.figures.words import believed_count_sentence, conclusions, disagreements
from stitchlab.results import trajectory
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, deciding
from stitchlab.store import Array

HISTOGRAM_BINS = 60
SIGNIFICANT_DIGITS = 5  # of plotted values and of the ends of intervals


def by_detector(results: DetectionResults) -> dict[str, dict[str, Any]]:
    """Describe each detector: its belief at each end layer and the reason, intervals, histograms, undefined cells."""
    request, detectors = results.run.request, list(dict.fromkeys(name for name, _ in judged_metrics(results)))
    described = {}
    for name in detectors:
        metric = DETECTORS[name].metrics[0]
        beliefs = [results.reliability(name, j) for j in request.end_layers]
        tests: dict[str, list[list[float | None]]] = {
            test_set: [_interval(results.interval(name, test_set, metric, "", j)) for j in request.end_layers]
            for test_set in (NATIVE, OUTLIERS)
        }
        described[name] = {
            "belief": [[belief.holds, belief.why] for belief in beliefs],
            **tests,
            "ends": {
                method: [
                    [_ends(results.interval(name, method, metric, i, j)) for j in request.end_layers]
                    for i in request.front_layers
                ]
                for method in request.methods
            },
            "reasons": [
                [method, *_place(results, i, j), reason]
                for method in request.methods
                for i, j in request.cells
                if (reason := results.reason(name, method, i, j))
            ],
            "scores": [] if DETECTORS[name].compares else [_scores(results, name, j) for j in request.end_layers],
        }
    return described


def _place(results: DetectionResults, front_layer: str, end_layer: str) -> tuple[int, int]:
    """Return the row and column of a cell."""
    request = results.run.request
    return request.front_layers.index(front_layer), request.end_layers.index(end_layer)


def rounded(number: float | None) -> float | None:
    """Round to as many digits as a figure can show; None stays None, and so do numbers that are not finite."""
    return None if number is None or not np.isfinite(number) else float(f"{number:.{SIGNIFICANT_DIGITS}g}")


def _ends(number: Interval) -> list[float | None] | None:
    return None if number.low is None or number.high is None else [rounded(number.low), rounded(number.high)]


def _interval(number: Interval) -> list[float | None]:
    return [number.value, rounded(number.low), rounded(number.high)]


def _scores(results: DetectionResults, detector: str, j: str) -> dict[str, Any] | None:
    """Count a detector's scores at an end layer in bins that all cells of the column share; None without scores."""
    native = results.arrays(detector, NATIVE, "", j)
    if "scores" not in native:
        return None
    sets: dict[str, Array] = {NATIVE: native["scores"], OUTLIERS: native["outliers.scores"]}
    for method in results.run.request.methods:
        for row, i in enumerate(results.run.request.front_layers):
            if "scores" in (arrays := results.arrays(detector, method, i, j)):
                sets[f"{method} {row}"] = arrays["scores"]
    positions = stretched(sets)
    all_positions = np.concatenate([[0.0], *positions.values()])
    low = all_positions.min()
    edges = np.linspace(low, max(all_positions.max(), low + 1e-6), HISTOGRAM_BINS + 1)
    counts: dict[str, Any] = {"from": rounded(edges[0]), "to": rounded(edges[-1])}
    for key, values in positions.items():
        name, _, row_number = key.partition(" ")
        counts.setdefault(name, {})[row_number or "0"] = _counts(values, edges, len(sets[key]))
    return counts


def _counts(values: Array, edges: Array, images: int) -> list[int]:
    """Return the number of images, the first bin that is not empty, and the counts from there to the last such bin."""
    counts = np.histogram(values, edges)[0]
    filled = np.flatnonzero(counts)
    first, last = (int(filled[0]), int(filled[-1])) if filled.size else (0, -1)
    return [images, first, *(int(count) for count in counts[first : last + 1])]


def sentences(results: DetectionResults) -> list[list[dict[str, Any]]]:
    """Write the texts of every cell, row by row: each method's conclusion, the deciding detector, remarks."""
    request = results.run.request
    return [[_sentences_of_cell(results, i, j) for j in request.end_layers] for i in request.front_layers]


def _sentences_of_cell(results: DetectionResults, i: str, j: str) -> dict[str, Any]:
    detector = deciding(results, SET_DETECTOR, i, j)
    texts: dict[str, Any] = {
        method: list(conclusion) for method, conclusion in conclusions(results, detector, i, j).items()
    }
    if detector:
        texts["decides"] = detector
    if remarks := [*filter(None, [believed_count_sentence(results, i, j)]), *disagreements(results, i, j)]:
        texts["remarks"] = remarks
    return texts


def trajectories(run: Run) -> dict[str, dict[str, Any]]:
    """Return the trajectories that are computed, by ``row,column``: accuracy and each detector's first metric."""
    by_cell: dict[str, dict[str, Any]] = {}
    for row, i in enumerate(run.request.front_layers):
        for column, j in enumerate(run.request.end_layers):
            kept = trajectory.kept(run, i, j) if "tlm" in run.request.methods else None
            if kept is not None:
                epochs, _ = kept
                by_cell[f"{row},{column}"] = {
                    "epochs": epochs["epochs"],
                    "accuracy": [rounded(number) for number in epochs["accuracy"]],
                    "told": {
                        name: [rounded(number) for number in metrics[DETECTORS[name].metrics[0]]]
                        for name, metrics in epochs["detectors"].items()
                    },
                }
    return by_cell
