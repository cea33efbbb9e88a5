"""Shows a cell's activations: what they say about similarity, one view, the detectors. Queues what is missing."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK
from stitchlab.catalog.keys import COMPUTE
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.jobs import Jobs, detecting
from stitchlab.results import data_sets
from stitchlab.results.definitions import changed, listed
from stitchlab.results.detection import STATISTICS, DetectionResults, MethodCell
from stitchlab.results.run import Run
from stitchlab.results.similarity import deciding
from stitchlab.ui import detectors, evidence, opened, views
from stitchlab.ui.figure_panel import figure_panel
from stitchlab.ui.views.subject import Subject

SMALL = 5000  # training images below which the learned detector trains unasked: it takes seconds


def ready(jobs: Jobs, run: Run, i: str, j: str) -> bool:
    """Tell whether any method is stitched in this cell; where some are not, say so and offer to compute them.

    Args:
        jobs: the queue.
        run: whose cell it is.
        i, j: front layer and end layer of the cell.
    """
    absent = [m for m in run.request.methods if (m, i, j) not in run.cells]
    if not absent:
        return True
    if run.source:
        opened.lacks(run, f"{' and '.join(METHOD_LABELS[m] for m in absent)} of {ui.literal(f'{i} → {j}')}")
        return len(absent) < len(run.request.methods)
    status = jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: len(Run(run.store, run.record).cells) > len(run.cells))
    elif others := changed(run.request):
        st.info(
            f"{', '.join(METHOD_LABELS[m] for m in absent)} of {i} → {j} is not computed, and definitions have "
            f"changed since this run was requested ({listed(others)}). Its grid in Compare offers the same run under "
            "today's.",
            icon=":material/info:",
        )
    else:
        text, clicked = ui.beside("Compute this cell", ":material/play_arrow:", primary=True, shortcut=COMPUTE)
        text.info(
            f"{', '.join(METHOD_LABELS[m] for m in absent)} of {i} → {j} is not computed yet.", icon=":material/info:"
        )
        if clicked:
            ui.queue(lambda: jobs.compute(run, (i, j)))
    return len(absent) < len(run.request.methods)


def judged(jobs: Jobs, run: Run, i: str, j: str) -> None:
    """Draw a cell's verdict in words and numbers, one view of it, and what the detectors say; queue what is missing.

    Args:
        jobs: the queue.
        run: whose cell it is.
        i, j: front layer and end layer of the cell; a method has to be stitched there (`ready`).
    """
    cells = [(m, i, j) for m in run.request.methods if (m, i, j) in run.cells]
    above, below = st.container(), st.container()
    with below:  # chosen there, and needed above
        st.header("What the detectors say", divider="gray")
        chosen = detectors.choose()
        told = st.container()
        with st.expander("Settings", icon=":material/tune:"):
            found = DetectionResults(run, detectors.settings(run))
    decides = deciding(found, chosen, i, j)
    with told if decides else above:
        _bring(jobs, found, cells)
    with told:
        detectors.remark(found, chosen, decides, j)
        detectors.table(found, i, j)
    with above:
        evidence.conclude(found, decides, i, j)
        evidence.numbers(found, decides, i, j)
        subject = Subject(jobs, found, chosen, i, j)
        views.draw(subject)
        figure_panel(run, views.panels(subject), (i, j))


def _bring(jobs: Jobs, found: DetectionResults, cells: list[MethodCell]) -> None:
    """Queue missing verdicts, once: quick detectors always, trained ones where it takes seconds, or on a click."""
    run = found.run
    if run.source:
        if any(_lacking(found, cells)):
            opened.lacks(run, "all verdicts of the detectors on this cell")
        return
    if others := changed(run.request, *run.request.methods):
        st.info(
            f"Definitions have changed since this run was requested ({listed(others)}), so only its stored results "
            "are shown. Its grid in Compare offers the same run under today's.",
            icon=":material/info:",
        )
        return
    job = detecting(run, found.detection, cells)
    status = jobs.status(job)
    absent, unlearnt = _lacking(found, cells)
    if status is not None and status.active:
        ui.watch(jobs, job, lambda: _lacking(DetectionResults(run, found.detection), cells) != (absent, unlearnt))
        return
    if status is not None and status.state in ("failed", "cancelled") and (absent or unlearnt):
        why = f"It stopped: {status.message}." if status.state == "failed" else f"It was {status.state}."
        text, clicked = ui.beside("Try again", ":material/refresh:")
        text.error(why, icon=":material/error:")
        if clicked:
            ui.queue(lambda: jobs.detect(run, found.detection, list(DETECTORS), cells))
        return
    data = data_sets.of_fingerprint(run.store, run.request.data)
    few = data is not None and data.train < SMALL
    if absent or (unlearnt and few):
        ui.queue(lambda: jobs.detect(run, found.detection, [*QUICK, *(LEARNING if few else ())], cells, asked=False))
    elif unlearnt:
        text, clicked = ui.beside("Train it", ":material/play_arrow:")
        text.info(
            "The learned detector (the paper's) has not been trained on this layer yet: some minutes without a "
            "GPU. It is trained once for all cells of the column.",
            icon=":material/info:",
        )
        if clicked:
            ui.queue(lambda: jobs.detect(run, found.detection, LEARNING, cells))


def _lacking(found: DetectionResults, cells: list[MethodCell]) -> tuple[Any, Any]:
    """List what the quick detectors have not judged yet, and what those that are trained have not."""
    return found.lacking([*QUICK, STATISTICS], cells), found.lacking(LEARNING, cells)
