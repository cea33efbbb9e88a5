"""Draws a cell's activations: what follows for similarity, one view, the detectors. Queues what is missing."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK
from stitchlab.catalog.keys import COMPUTE
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.jobs import JobQueue, detection_job
from stitchlab.results import data_sets
from stitchlab.results.definitions import changed, listed
from stitchlab.results.detection import STATISTICS, DetectionResults, MethodCell
from stitchlab.results.run import Run
from stitchlab.results.similarity import deciding
from stitchlab.ui import detectors, evidence, opened, views
from stitchlab.ui.figure_panel import figure_panel
from stitchlab.ui.views.subject import Subject

MAX_IMAGES_TRAINED_UNASKED = 5000  # with fewer training images, training the learned detector takes seconds


def offer_missing_methods(jobs: JobQueue, run: Run, i: str, j: str) -> bool:
    """Tell whether any method is stitched in this cell; if some are not, say so and offer to compute them.

    Args:
        jobs: the queue.
        run: the run that has the cell.
        i, j: front layer and end layer of the cell.
    """
    missing_methods = [m for m in run.request.methods if (m, i, j) not in run.cells]
    if not missing_methods:
        return True
    labels = [METHOD_LABELS[m] for m in missing_methods]
    if run.source:
        opened.show_missing(run, f"{' and '.join(labels)} of {ui.literal(f'{i} → {j}')}")
        return len(missing_methods) < len(run.request.methods)
    status = jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: len(Run(run.store, run.record).cells) > len(run.cells))
    elif changed_definitions := changed(run.request):
        st.info(
            f"{', '.join(labels)} of {i} → {j} is not computed, and definitions have "
            f"changed since this run was requested ({listed(changed_definitions)}). Its grid in Compare offers the "
            "same run under today's definitions.",
            icon=":material/info:",
        )
    else:
        place, clicked = ui.sentence_with_button(
            "Compute this cell", ":material/play_arrow:", primary=True, shortcut=COMPUTE
        )
        place.info(
            f"{', '.join(labels)} of {i} → {j} is not computed yet.",
            icon=":material/info:",
        )
        if clicked:
            ui.queue(lambda: jobs.compute(run, (i, j)))
    return len(missing_methods) < len(run.request.methods)


def draw(jobs: JobQueue, run: Run, i: str, j: str) -> None:
    """Draw a cell's verdict in words and numbers, one view of it, and the detectors' table; queue what is missing.

    Args:
        jobs: the queue.
        run: the run that has the cell.
        i, j: front layer and end layer of the cell; at least one method has to be stitched there
            (`offer_missing_methods`).
    """
    cells = [(m, i, j) for m in run.request.methods if (m, i, j) in run.cells]
    above, below = st.container(), st.container()
    with below:  # drawn first, since what stands above depends on the choice
        st.header("What the detectors say", divider="gray")
        chosen_detector = detectors.choose()
        table = st.container()
        with st.expander("Settings", icon=":material/tune:"):
            results = DetectionResults(run, detectors.settings(run))
    deciding_detector = deciding(results, chosen_detector, i, j)
    with table if deciding_detector else above:
        _queue_missing(jobs, results, cells)
    with table:
        detectors.remark(results, chosen_detector, deciding_detector, j)
        detectors.table(results, i, j)
    with above:
        evidence.conclude(results, deciding_detector, i, j)
        evidence.numbers(results, deciding_detector, i, j)
        subject = Subject(jobs, results, chosen_detector, i, j)
        views.draw(subject)
        figure_panel(run, views.panels(subject), (i, j))


def _queue_missing(jobs: JobQueue, results: DetectionResults, cells: list[MethodCell]) -> None:
    """Queue missing verdicts, once: of quick detectors always, of trained ones if it takes seconds or on a click."""
    run = results.run
    if run.source:
        if any(_missing_verdicts(results, cells)):
            opened.show_missing(run, "all verdicts of the detectors on this cell")
        return
    if changed_definitions := changed(run.request, *run.request.methods):
        st.info(
            f"Definitions have changed since this run was requested ({listed(changed_definitions)}), so only its "
            "stored results are shown. Its grid in Compare offers the same run under today's definitions.",
            icon=":material/info:",
        )
        return
    job = detection_job(run, results.detection, cells)
    status = jobs.status(job)
    not_judged, not_learned = missing = _missing_verdicts(results, cells)
    if status is not None and status.active:
        ui.watch(jobs, job, lambda: _missing_verdicts(DetectionResults(run, results.detection), cells) != missing)
        return
    if status is not None and status.state in ("failed", "cancelled") and (not_judged or not_learned):
        reason = f"It stopped: {status.message}." if status.state == "failed" else f"It was {status.state}."
        place, clicked = ui.sentence_with_button("Try again", ":material/refresh:")
        place.error(reason, icon=":material/error:")
        if clicked:
            ui.queue(lambda: jobs.detect(run, results.detection, list(DETECTORS), cells))
        return
    data = data_sets.of_fingerprint(run.store, run.request.data)
    is_small = data is not None and data.train < MAX_IMAGES_TRAINED_UNASKED
    if not_judged or (not_learned and is_small):
        ui.queue(
            lambda: jobs.detect(run, results.detection, [*QUICK, *(LEARNING if is_small else ())], cells, asked=False)
        )
    elif not_learned:
        place, clicked = ui.sentence_with_button("Train it", ":material/play_arrow:")
        place.info(
            "The learned detector (the paper's) has not been trained on this layer yet. Training takes some minutes "
            "without a GPU, and serves all cells of the column.",
            icon=":material/info:",
        )
        if clicked:
            ui.queue(lambda: jobs.detect(run, results.detection, LEARNING, cells))


def _missing_verdicts(results: DetectionResults, cells: list[MethodCell]) -> tuple[object, object]:
    """List what the quick detectors have not judged yet, and what the trained detectors have not."""
    return results.lacking([*QUICK, STATISTICS], cells), results.lacking(LEARNING, cells)
