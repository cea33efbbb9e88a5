"""Draws the view of images on native principal axes: where each set of activations lies, and which image is where."""

from __future__ import annotations

from functools import partial

import streamlit as st

from stitchlab import ui
from stitchlab.figures import activations as figures
from stitchlab.ui import material
from stitchlab.ui.views.subject import Subject, nothing


def draw(cell: Subject) -> None:
    """Draw the map, and the image of the point that was clicked."""
    by_set = {name: kept["plane"] for name, kept in cell.statistics.items()}
    if not by_set:
        nothing()
        return
    if (labels := material.labels(cell.jobs, cell.found, cell.j)) is None:
        return
    classes, shown = cell.run.record["data"]["classes"], labels[: figures.SHOWN]
    texts = {name: [f"test image {k}: {classes[c]}" for k, c in enumerate(shown)] for name in by_set}
    texts["outliers"] = ["a known outlier, no test image"] * len(shown)
    image = int(st.session_state.get("image", 0))
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        cell.chart(
            figures.plane(by_set, texts, selected=("native", image), dark=ui.dark()),
            "map of images",
            on_select=partial(_point, len(by_set) - 1),
            selection_mode="points",
        )
    with right:
        material.image(cell.jobs, cell.run, image)
        st.caption("The ring is its native place. Feature maps shows it layer by layer.")
    st.caption(
        f"The first {figures.SHOWN} test images of each set. The axes are fitted on native training images, on "
        "means and deviations of channels, and explain native variance, not what is stitched."
    )


def _point(sets: int, key: str) -> None:
    """Take a click on a point as the choice of a test image; a click on a known outlier changes nothing."""
    for point in st.session_state[key].selection.points[:1]:
        if point["curve_number"] < sets:
            st.session_state["image"] = int(point["point_index"])
