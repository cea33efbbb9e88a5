"""The view of the whole grid: what a detector says of every cell, and the button that has it look at all."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.grids import judged
from stitchlab.jobs import judging
from stitchlab.results.detection import STATISTICS, Distribution
from stitchlab.ui.charts import heatmaps
from stitchlab.ui.views.subject import BOUND, Subject


def draw(cell: Subject) -> None:
    """Draw both methods' heatmaps of one number."""
    found, detector = cell.found, cell.detector
    metrics = DETECTORS[detector].metrics
    metric = metrics[0] if len(metrics) == 1 else st.segmented_control(
        "Measure", metrics, default=metrics[0], key="metric", required=True, wrap=True,
        format_func=lambda key: OOD_METRICS[key].label, **BOUND) or metrics[0]
    heatmaps(cell.run, judged(found, detector, metric), f"ood-{detector}-{metric}", (cell.i, cell.j))
    doubtful = [layer for layer in cell.run.request.end_layers if found.belief(detector, layer).holds is False]
    if doubtful:
        st.warning(f"{DETECTORS[detector].label} does not deserve belief at {', '.join(doubtful)} (marked †).",
                   icon=":material/warning:")
    st.caption(f"**{OOD_METRICS[metric].label}**: {OOD_METRICS[metric].meaning}. Grey: not looked at yet, or "
               "undefined. Click a cell to go to it.")
    _look_at_all(cell)


def _look_at_all(cell: Subject) -> None:
    jobs, found, detector = cell.jobs, cell.found, cell.detector
    cells, job = found.cells, judging(found.run, found.detection, found.cells)
    lacking = found.lacking([detector, STATISTICS], cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job, lambda: Distribution(found.run, found.detection).lacking(
            [detector, STATISTICS], cells) != lacking, key=f"cancel-view-{job}")
    elif lacking:
        text, clicked = ui.beside("Look at all", ":material/play_arrow:", primary=True)
        count = sum(len(column) for _, column in lacking.values())
        text.markdown(f"**{count} of {len(cells)} cells were not looked at yet** by {DETECTORS[detector].label}.")
        if clicked:
            ui.queue(lambda: jobs.judge(found.run, found.detection, list(dict.fromkeys([*QUICK, detector])), cells))
