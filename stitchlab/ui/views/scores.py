"""Draws the view of a detector's scores: histograms of native and stitched images."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.figures import activations as figures
from stitchlab.results.detection import NATIVE
from stitchlab.store import Array
from stitchlab.ui.views.subject import Subject, nothing


def draw(cell: Subject) -> None:
    """Draw the histograms, or say why this detector has no scores here."""
    found, detector = cell.found, cell.scoring
    native = found.arrays(detector, NATIVE, "", cell.j)
    by_set: dict[str, Array] = {
        name: kept["scores"]
        for name in cell.run.request.methods
        if "scores" in (kept := found.arrays(detector, name, cell.i, cell.j))
    }
    if "scores" not in native:
        why = found.reason(detector, NATIVE, "", cell.j)
        nothing(f"There are none: {why}." if why else "These scores are not there yet.")
        return
    by_set = {"native": native["scores"], **by_set, "outliers": native["outliers.scores"]}
    cell.chart(figures.scores(by_set, DETECTORS[detector].label, dark=ui.dark()), f"scores {detector}")
    if detector != cell.detector:
        st.caption(
            f"{DETECTORS[cell.detector].label} compares sets as a whole and has no scores of single images; "
            f"these are {DETECTORS[detector].label}'s."
        )
