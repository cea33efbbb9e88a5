"""Tells in sentences the two cells that show the finding: an accurate one with foreign activations, and the anomaly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stitchlab.catalog.indices import INDICES
from stitchlab.request import METHODS
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, accuracy_of, frechet_quotient, telling_cell

FAR_APART = 0.1  # accuracy


class Chapter(NamedTuple):
    """Describes a cell to look at, and what it shows."""

    front_layer: str
    end_layer: str
    title: str
    text: str


def story(found: DetectionResults) -> list[Chapter]:
    """Describe a grid's two telling cells, where their numbers are there: first where accuracy alone cannot tell."""
    chapters = (_accurate(found, *telling_cell(found)), _anomaly(found.run))
    return [chapter for chapter in chapters if chapter and found.run.own_accuracy is not None]


def sentence(run: Run) -> str:
    """Say a run's most telling numbers in one sentence, for a card; empty where there is nothing yet."""
    first, last, into = run.request.front_layers[0], run.request.front_layers[-1], run.request.end_layers[0]
    here, matched = _accuracies(run, last, into), _accuracies(run, first, into)
    if here is None or matched is None:
        return _of_an_index(run)
    if first != last and here.tlm > matched.tlm:
        return (
            f"Task loss matching rates the last layer into the first **{here.tlm:.2f}**, higher than the first "
            f"into the first ({matched.tlm:.2f}); direct matching {here.dm:.2f} and {matched.dm:.2f}."
        )
    if here.tlm > here.dm + FAR_APART:
        return (
            f"The last layer into the first: task loss matching says **{here.tlm:.2f}**, direct matching "
            f"**{here.dm:.2f}**."
        )
    return f"Both methods agree about the last layer into the first: **{here.tlm:.2f}** and **{here.dm:.2f}**."


def _of_an_index(run: Run) -> str:
    """Say the range of the first index that a run has."""
    for name, metric in run.quantities():
        values = run.matrix(name, metric)
        if name in INDICES and not np.isnan(values).all():
            return f"{INDICES[name].label} between {np.nanmin(values):.2f} and {np.nanmax(values):.2f}."
    return ""


def _accurate(found: DetectionResults, i: str, j: str) -> Chapter | None:
    run = found.run
    if (accuracies := _accuracies(run, i, j)) is None:
        return None
    tlm, dm = accuracies
    both = all(accuracy_of(run, method, i, j) == "accurate" for method in METHODS)
    title = "Both accurate" if both else "Last layer into last"
    last = run.request.front_layers[-1], run.request.end_layers[-1]
    where = "The last layer into the last" if (i, j) == last else "Far apart"
    text = f"{where} ({i} → {j}): task loss matching is **{tlm:.2f}** accurate, direct matching **{dm:.2f}**"
    far, near = (found.interval(SET_DETECTOR, method, "ratio", i, j).value for method in METHODS)
    if far is None or near is None or not found.reliability(SET_DETECTOR, j).holds:
        return Chapter(i, j, title, f"{text}, the end network alone {run.own_accuracy:.2f}.")
    text += (
        f". How far are these activations from those that the end network makes itself? Fréchet ratio "
        f"**{far:.2f}** and **{near:.2f}**, where 0 is native"
    )
    if frechet_quotient(found, i, j) is not None:
        return Chapter(i, j, "Both accurate, one foreign", f"{text}: accuracy cannot tell them apart.")
    return Chapter(i, j, title, f"{text}.")


def _anomaly(run: Run) -> Chapter | None:
    """Compare the last front layer with the first end layer to the first with the first."""
    first, last, into = run.request.front_layers[0], run.request.front_layers[-1], run.request.end_layers[0]
    here, matched = _accuracies(run, last, into), _accuracies(run, first, into)
    if here is None or matched is None or first == last:
        return None
    text = (
        f"The last layer into the first ({last} → {into}): task loss matching rates it **{here.tlm:.2f}**, direct "
        f"matching **{here.dm:.2f}**; the first into the first {matched.tlm:.2f} and {matched.dm:.2f}. "
    )
    if here.tlm > matched.tlm:
        return Chapter(
            last,
            into,
            "Distant layers, called similar",
            text
            + ("Read as a measure, task loss matching would call these two more similar than corresponding layers."),
        )
    return Chapter(last, into, "Distant layers", text + "Here task loss matching rates corresponding layers higher.")


class _Accuracies(NamedTuple):
    """Holds the accuracies of both methods in a cell."""

    tlm: float
    dm: float


def _accuracies(run: Run, i: str, j: str) -> _Accuracies | None:
    """Return both methods' accuracies; None where either is undefined or not there yet."""
    tlm, dm = (run.value(method, "accuracy", i, j) for method in _Accuracies._fields)
    return None if tlm is None or dm is None else _Accuracies(tlm, dm)
