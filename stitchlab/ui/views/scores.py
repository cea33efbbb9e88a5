"""Draws the view of a detector's scores: histograms of native and stitched images."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.figures import activations as figures
from stitchlab.results.detection import NATIVE
from stitchlab.store import Array
from stitchlab.ui.views.subject import Subject, unavailable


def draw(cell: Subject) -> None:
    """Draw the histograms, or say why this detector has no scores for this cell."""
    results, detector = cell.results, cell.scoring
    native = results.arrays(detector, NATIVE, "", cell.j)
    by_set: dict[str, Array] = {
        method: arrays["scores"]
        for method in cell.run.request.methods
        if "scores" in (arrays := results.arrays(detector, method, cell.i, cell.j))
    }
    if "scores" not in native:
        why = results.reason(detector, NATIVE, "", cell.j)
        unavailable(f"There are no scores: {why}." if why else "These scores are not computed yet.")
        return
    by_set = {"native": native["scores"], **by_set, "outliers": native["outliers.scores"]}
    cell.chart(figures.scores(by_set, DETECTORS[detector].label, dark=ui.dark()), f"scores {detector}")
    if detector != cell.detector:
        st.caption(
            f"{DETECTORS[cell.detector].label} compares whole sets and has no scores of single images; "
            f"these are {DETECTORS[detector].label}'s."
        )
