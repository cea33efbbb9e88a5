"""Describe two cells of a grid in sentences: one accurate with foreign activations, and one of distant layers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stitchlab.catalog.indices import INDICES
from stitchlab.request import METHODS
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, accuracy_of, frechet_quotient, telling_cell

MIN_ACCURACY_GAP = 0.1  # between the methods, for a sentence that says that they differ


class Chapter(NamedTuple):
    """Describe a cell, and what it shows."""

    front_layer: str
    end_layer: str
    title: str
    text: str


def story(detections: DetectionResults) -> list[Chapter]:
    """Describe two cells of a grid, as far as their numbers are computed.

    The first is accurate by both methods although their activations differ, so that accuracy alone does not show the
    difference. The second is the last front layer with the first end layer.
    """
    chapters = (_accurate(detections, *telling_cell(detections)), _anomaly(detections.run))
    return [chapter for chapter in chapters if chapter and detections.run.own_accuracy is not None]


def sentence(run: Run) -> str:
    """Write the main numbers of a run in one sentence, for a card; empty if nothing is computed yet."""
    first, last, into = run.request.front_layers[0], run.request.front_layers[-1], run.request.end_layers[0]
    distant, matched = _accuracies(run, last, into), _accuracies(run, first, into)
    if distant is None or matched is None:
        return _range_of_an_index(run)
    if first != last and distant.tlm > matched.tlm:
        return (
            f"Task loss matching rates the last layer into the first **{distant.tlm:.2f}**, higher than the first "
            f"into the first ({matched.tlm:.2f}); direct matching {distant.dm:.2f} and {matched.dm:.2f}."
        )
    if distant.tlm > distant.dm + MIN_ACCURACY_GAP:
        return (
            f"The last layer into the first: task loss matching says **{distant.tlm:.2f}**, direct matching "
            f"**{distant.dm:.2f}**."
        )
    return f"Both methods agree about the last layer into the first: **{distant.tlm:.2f}** and **{distant.dm:.2f}**."


def _range_of_an_index(run: Run) -> str:
    """Write the range of the first index that a run has; empty if there is none."""
    for name, metric in run.quantities():
        values = run.matrix(name, metric)
        if name in INDICES and not np.isnan(values).all():
            return f"{INDICES[name].label} between {np.nanmin(values):.2f} and {np.nanmax(values):.2f}."
    return ""


def _accurate(detections: DetectionResults, i: str, j: str) -> Chapter | None:
    """Compare the accuracies of a cell with how far from native its activations are."""
    run = detections.run
    if (accuracies := _accuracies(run, i, j)) is None:
        return None
    tlm, dm = accuracies
    both = all(accuracy_of(run, method, i, j) == "accurate" for method in METHODS)
    title = "Both accurate" if both else "Last layer into last"
    last = run.request.front_layers[-1], run.request.end_layers[-1]
    where = "The last layer into the last" if (i, j) == last else "Far apart"
    text = f"{where} ({i} → {j}): task loss matching is **{tlm:.2f}** accurate, direct matching **{dm:.2f}**"
    tlm_ratio, dm_ratio = (detections.interval(SET_DETECTOR, method, "ratio", i, j).value for method in METHODS)
    if tlm_ratio is None or dm_ratio is None or not detections.reliability(SET_DETECTOR, j).holds:
        return Chapter(i, j, title, f"{text}, the end network alone {run.own_accuracy:.2f}.")
    text += (
        f". How far are these activations from those that the end network makes itself? Their Fréchet ratios are "
        f"**{tlm_ratio:.2f}** and **{dm_ratio:.2f}**, where 0 is native"
    )
    if frechet_quotient(detections, i, j) is not None:
        return Chapter(i, j, "Both accurate, one foreign", f"{text}: accuracy cannot tell them apart.")
    return Chapter(i, j, title, f"{text}.")


def _anomaly(run: Run) -> Chapter | None:
    """Compare the last front layer with the first end layer to the first with the first."""
    first, last, into = run.request.front_layers[0], run.request.front_layers[-1], run.request.end_layers[0]
    distant, matched = _accuracies(run, last, into), _accuracies(run, first, into)
    if distant is None or matched is None or first == last:
        return None
    text = (
        f"The last layer into the first ({last} → {into}): task loss matching rates it **{distant.tlm:.2f}**, direct "
        f"matching **{distant.dm:.2f}**; the first into the first {matched.tlm:.2f} and {matched.dm:.2f}. "
    )
    if distant.tlm > matched.tlm:
        return Chapter(
            last,
            into,
            "Distant layers, called similar",
            text + "Read as a measure, task loss matching would call these two more similar than corresponding layers.",
        )
    return Chapter(last, into, "Distant layers", text + "Here task loss matching rates corresponding layers higher.")


class _Accuracies(NamedTuple):
    """Hold the accuracies of both methods in a cell."""

    tlm: float
    dm: float


def _accuracies(run: Run, i: str, j: str) -> _Accuracies | None:
    """Return both methods' accuracies; None if one is undefined or not computed yet."""
    tlm, dm = (run.value(method, "accuracy", i, j) for method in METHODS)
    return None if tlm is None or dm is None else _Accuracies(tlm, dm)
