"""Draws the views of the whole grid: a detector's numbers of every cell, and accuracy against the Fréchet ratio."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.run_grids import judged
from stitchlab.jobs import detecting
from stitchlab.results.detection import STATISTICS, DetectionResults
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.ui import opened
from stitchlab.ui.charts import cells_scatter, heatmaps
from stitchlab.ui.views.subject import BOUND, Subject


def draw(cell: Subject) -> None:
    """Draw both methods' heatmaps of what a detector says."""
    found, detector = cell.found, cell.detector
    metrics = DETECTORS[detector].metrics
    metric = (
        metrics[0]
        if len(metrics) == 1
        else st.segmented_control(
            "Measure",
            metrics,
            default=metrics[0],
            key="metric",
            required=True,
            wrap=True,
            format_func=lambda key: OOD_METRICS[key].label,
            **BOUND,
        )
        or metrics[0]
    )
    heatmaps(cell.run, judged(found, detector, metric), f"ood-{detector}-{metric}", (cell.i, cell.j))
    doubtful = [layer for layer in cell.run.request.end_layers if found.reliability(detector, layer).holds is False]
    if doubtful:
        st.warning(
            f"{DETECTORS[detector].label} does not deserve belief at {', '.join(doubtful)} (marked †).",
            icon=":material/warning:",
        )
    st.caption(
        f"**{OOD_METRICS[metric].label}**: {OOD_METRICS[metric].meaning}. Grey: not judged yet, or "
        "undefined. Click a cell to go to it."
    )
    _judge_all(cell, detector)


def scatter(cell: Subject) -> None:
    """Draw all cells, accuracy against the Fréchet ratio."""
    cells_scatter(cell.found, "cells", (cell.i, cell.j))
    st.caption(
        "Accuracy claims similarity; the Fréchet ratio says whether the activations bear that out: 0 is native. "
        "Top right is accurate though out of distribution. Click a point to go to its cell."
    )
    _judge_all(cell, SET_DETECTOR)


def _judge_all(cell: Subject, detector: str) -> None:
    """Draw the button that has a detector judge all cells, where it has not."""
    jobs, found = cell.jobs, cell.found
    if found.run.source:
        if found.lacking([detector], found.cells):
            opened.lacks(found.run, f"what {DETECTORS[detector].label} says of every cell")
        return
    cells, job = found.cells, detecting(found.run, found.detection, found.cells)
    lacking = found.lacking([detector, STATISTICS], cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(
            jobs,
            job,
            lambda: DetectionResults(found.run, found.detection).lacking([detector, STATISTICS], cells) != lacking,
            key=f"cancel-view-{job}",
        )
    elif lacking:
        text, clicked = ui.beside("Judge all cells", ":material/play_arrow:", primary=True)
        count = sum(len(column) for _, column in lacking.values())
        text.markdown(f"{DETECTORS[detector].label} has not judged **{count} of {len(cells)} cells** yet.")
        if clicked:
            ui.queue(lambda: jobs.detect(found.run, found.detection, list(dict.fromkeys([*QUICK, detector])), cells))
