"""Draws the views of the whole grid: heatmaps of a detector's numbers, and accuracy against the Fréchet ratio."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.run_grids import detection_grids
from stitchlab.jobs import detection_job
from stitchlab.results.detection import STATISTICS, DetectionResults
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.ui import opened
from stitchlab.ui.charts import cells_scatter, heatmaps
from stitchlab.ui.views.subject import BOUND, Subject


def draw(cell: Subject) -> None:
    """Draw a heatmap of a detector's numbers for each method."""
    results, detector = cell.results, cell.detector
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
    heatmaps(cell.run, detection_grids(results, detector, metric), f"ood-{detector}-{metric}", (cell.i, cell.j))
    doubtful = [layer for layer in cell.run.request.end_layers if results.reliability(detector, layer).holds is False]
    if doubtful:
        st.warning(
            f"{DETECTORS[detector].label} is not believed at {', '.join(doubtful)} (marked †).",
            icon=":material/warning:",
        )
    st.caption(
        f"**{OOD_METRICS[metric].label}**: {OOD_METRICS[metric].meaning}. Grey: not judged yet, or "
        "undefined. Click a cell to go to it."
    )
    _judge_all(cell, detector)


def scatter(cell: Subject) -> None:
    """Draw all cells, accuracy against the Fréchet ratio."""
    cells_scatter(cell.results, "cells", (cell.i, cell.j))
    st.caption(
        "A high accuracy claims similarity; the Fréchet ratio says whether the activations support that claim: 0 is "
        "native. Points at the top right are accurate though out of distribution. Click a point to go to its cell."
    )
    _judge_all(cell, SET_DETECTOR)


def _judge_all(cell: Subject, detector: str) -> None:
    """Draw the button that has a detector judge all cells, if it has not judged them yet."""
    jobs, results = cell.jobs, cell.results
    if results.run.source:
        if results.lacking([detector], results.cells):
            opened.show_missing(results.run, f"what {DETECTORS[detector].label} says of every cell")
        return
    cells, job = results.cells, detection_job(results.run, results.detection, results.cells)
    lacking = results.lacking([detector, STATISTICS], cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(
            jobs,
            job,
            lambda: DetectionResults(results.run, results.detection).lacking([detector, STATISTICS], cells) != lacking,
            key=f"cancel-view-{job}",
        )
    elif lacking:
        text, clicked = ui.sentence_with_button("Judge all cells", ":material/play_arrow:", primary=True)
        count = sum(len(column) for _, column in lacking.values())
        text.markdown(f"{DETECTORS[detector].label} has not judged **{count} of {len(cells)} cells** yet.")
        if clicked:
            ui.queue(
                lambda: jobs.detect(results.run, results.detection, list(dict.fromkeys([*QUICK, detector])), cells)
            )
