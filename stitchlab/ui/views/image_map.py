"""Draws the view of images as points on native principal axes, for each set of activations."""

from __future__ import annotations

from functools import partial

import streamlit as st

from stitchlab import ui
from stitchlab.figures import activations as figures
from stitchlab.ui import material
from stitchlab.ui.views.subject import Subject, unavailable


def draw(cell: Subject) -> None:
    """Draw the map, and the image of the point that was clicked."""
    by_set = {name: statistics["plane"] for name, statistics in cell.statistics.items()}
    if not by_set:
        unavailable()
        return
    if (labels := material.labels(cell.jobs, cell.results, cell.j)) is None:
        return
    classes, shown = cell.run.record["data"]["classes"], labels[: figures.MAX_SCATTERED_IMAGES]
    texts = {name: [f"test image {k}: {classes[label]}" for k, label in enumerate(shown)] for name in by_set}
    texts["outliers"] = ["a known outlier, not a test image"] * len(shown)
    image = int(st.session_state.get("image", 0))
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        cell.chart(
            figures.plane(by_set, texts, selected=("native", image), dark=ui.dark()),
            "map of images",
            on_select=partial(_choose_image, len(by_set) - 1),
            selection_mode="points",
        )
    with right:
        material.image(cell.jobs, cell.run, image)
        st.caption("The ring marks its native activations. *Feature maps* shows them channel by channel.")
    st.caption(
        f"The first {figures.MAX_SCATTERED_IMAGES} test images of each set. The axes are the principal axes of "
        "native training images (means and standard deviations of channels): "
        "they explain native variance, not that of stitched activations."
    )


def _choose_image(test_sets: int, key: str) -> None:
    """Choose the test image whose point was clicked; a click on a known outlier changes nothing."""
    for point in st.session_state[key].selection.points[:1]:
        if point["curve_number"] < test_sets:
            st.session_state["image"] = int(point["point_index"])
