"""Draws step 6: the accuracy of all cells against the distance of their activations from native ones."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import BOTH
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.words import conclusions
from stitchlab.request import METHODS, Cell
from stitchlab.results.anomalies import Accurate, accurate_by_both, accurate_by_tlm_alone, both_accurate
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.run import Run
from stitchlab.results.similarity import ACCURATE, MAX_INACCURATE_SHARE, SET_DETECTOR, telling_cell
from stitchlab.ui import address, links
from stitchlab.ui.charts import cells_scatter
from stitchlab.ui.learn import place
from stitchlab.ui.learn.lesson import Lesson, Reply, choose, no_run

CELL = "pages/2_Activations.py"
PLACES = {"native": "close to native", "off": "not quite native", "out": "out of distribution"}


def draw(lesson: Lesson) -> None:
    """Draw all cells as points, one cell in words beside them, and the question."""
    run = lesson.run
    if run is None:
        no_run("There is no run yet whose activations were judged.")
        return
    results = DetectionResults(run, fullest_settings(run))
    if not any(results.entry(SET_DETECTOR, *cell) for cell in results.cells):
        st.info(
            "How far this run's activations are from native ones is not computed yet. The page Activations "
            "computes it.",
            icon=":material/info:",
        )
        ui.link_to_page(CELL, "Compute it on Activations", links.query(run), "The detectors of a cell")
        return
    accurate, cell = both_accurate(results), _cell(results)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        cells_scatter(results, "learn-cells", cell, place.look)
    with right:
        _words(results, cell)
    if accurate.cells:
        _ask(lesson, run, accurate)
    else:
        st.info(f"{_why_no_question(run)} {_failing(run)}", icon=":material/info:")


def _cell(results: DetectionResults) -> Cell:
    cell = address.cell_of_address()
    return cell if cell in results.run.request.cells else telling_cell(results)


def _words(results: DetectionResults, cell: Cell) -> None:
    """Say what the ringed cell shows, in one sentence for each method."""
    st.markdown(f"**{ui.literal(f'{cell[0]} → {cell[1]}')}**, the ringed cell:")
    detector = SET_DETECTOR if results.reliability(SET_DETECTOR, cell[1]).holds else None
    for method, conclusion in conclusions(results, detector, *cell).items():
        st.markdown(f"- **{METHOD_LABELS[method]}:** {conclusion.sentence}")
    st.caption("A click on a point rings its cell.")


def _ask(lesson: Lesson, run: Run, accurate: Accurate) -> None:
    right = accurate.farther or BOTH

    def reply(answer: str) -> Reply:
        if answer != right:
            return Reply(False, f"Look at the points near the dashed line: {_medians(accurate)}.")
        return Reply(
            True,
            f"Both are accurate in {_cells(len(accurate.cells))}: they keep {ACCURATE:.0%} or more of "
            f"the end network's accuracy above chance. {_places(accurate)}. Accuracy cannot "
            f"tell these apart. {_failing(run)}",
        )

    options = {method: f"{label}'s" for method, label in METHOD_LABELS.items()}
    choose(lesson, options | {BOTH: "Neither's"}, right, reply)


def _why_no_question(run: Run) -> str:
    """Say why this run has no cell to ask about."""
    if count := len(accurate_by_both(run)):
        return (
            f"Both methods are accurate in {_cells(count)}, but the Fréchet ratio is missing or not believed there, "
            "so nothing can be said about their activations."
        )
    return "In no cell of this run are both methods accurate, so their activations cannot be compared."


def _places(accurate: Accurate) -> str:
    """Say where each method's activations lie in these cells, with the median ratio."""
    parts = []
    for method in METHODS:
        counts = ", ".join(f"{PLACES[name]} in {count}" for name, count in accurate.places[method].items() if count)
        parts.append(f"{METHOD_LABELS[method]}: {counts} (median of the Fréchet ratio {accurate.median(method):.2f})")
    return "; ".join(parts)


def _medians(accurate: Accurate) -> str:
    return ", ".join(
        f"{METHOD_LABELS[method]} has the median ratio {accurate.median(method):.2f}" for method in METHODS
    )


def _failing(run: Run) -> str:
    """Say in how many cells direct matching alone fails, and what that means."""
    if not (count := len(accurate_by_tlm_alone(run))):
        return "Direct matching fails in no cell in which task loss matching is accurate."
    return (
        f"In {_cells(count)} direct matching fails (it keeps less than {MAX_INACCURATE_SHARE:.0%}) where task loss "
        f"matching is accurate: the map of least squares "
        f"on {run.request.dm.images} training images does not bring these activations near enough to native ones, "
        "which is what *not similar* means here."
    )


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"
