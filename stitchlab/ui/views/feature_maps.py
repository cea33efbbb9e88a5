"""Draws the view of one image's feature maps: native ones above the stitched ones of each method."""

from __future__ import annotations

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.figures import feature_maps as figures
from stitchlab.results.channel_statistics import moved
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.views.subject import BOUND, Subject

DEFAULT_CHANNELS = 4
MAX_CHANNELS = 8


def draw(cell: Subject) -> None:
    """Draw the image and its maps, or its values by channel if the layer has only one position."""
    left, right = st.columns([1, 5])
    with left:
        image = int(st.number_input("Test image", 0, cell.run.request.eval_images - 1, 0, key="image", **BOUND))
        material.image(cell.jobs, cell.run, image)
    with right:
        maps = material.activations(cell.jobs, cell.run, image, cell.i, cell.j)
        if maps is None:
            return
        if maps["native"].shape[1:] == (1, 1):
            cell.chart(
                figures.vectors({name: values[:, 0, 0] for name, values in maps.items()}, dark=ui.dark()),
                f"image {image}",
            )
        else:
            _maps(cell, maps, image)


def _maps(cell: Subject, maps: dict[str, Array], image: int) -> None:
    by_set, count = cell.statistics, len(maps["native"])
    stitched = next((by_set[method] for method in cell.run.request.methods if method in by_set), None)
    order = np.arange(count) if stitched is None else moved(by_set["native"], stitched)
    available = material.channels(cell.run, cell.i, cell.j, count)
    default = [int(channel) for channel in order if channel in available][:DEFAULT_CHANNELS]
    above = st.container()
    chosen = st.multiselect(
        "Channels",
        available,
        default=default,
        max_selections=MAX_CHANNELS,
        key=f"channels-{cell.run.id}-{cell.i}-{cell.j}",
        wrap=True,
        help="Those that the stitch moved most are chosen at first.",
    )
    if chosen:
        with above:
            cell.chart(figures.feature_maps(maps, chosen, dark=ui.dark()), f"feature maps of image {image}")
        st.caption("Each channel has the same colour range in all rows, so that colours can be compared down a column.")
