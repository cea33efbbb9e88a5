"""Draws the view of one image's feature maps: native ones above those that each method makes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from stitchlab import ui
from stitchlab.figures import feature_maps as figures
from stitchlab.results.channel_statistics import moved
from stitchlab.store import Array
from stitchlab.ui import material
from stitchlab.ui.views.subject import BOUND, Subject

CHANNELS = 4  # maps at first


def draw(cell: Subject) -> None:
    """Draw the image and its maps; values by channel where the layer has one position only."""
    left, right = st.columns([1, 5])
    with left:
        image = int(st.number_input("Test image", 0, cell.run.request.eval_images - 1, 0, key="image", **BOUND))
        material.image(cell.jobs, cell.run, image)
    with right:
        maps = material.activations(cell.jobs, cell.run, image, cell.i, cell.j)
        if maps is None:
            return
        if maps["native"].shape[1:] == (1, 1):
            cell.chart(figures.vectors({n: m[:, 0, 0] for n, m in maps.items()}, dark=ui.dark()), f"image {image}")
        else:
            _maps(cell, maps, image)


def _maps(cell: Subject, maps: dict[str, Array], image: int) -> None:
    by_set, count = cell.statistics, len(maps["native"])
    stitched = next((by_set[m] for m in cell.run.request.methods if m in by_set), None)
    order = np.arange(count) if stitched is None else moved(by_set["native"], stitched)
    there = material.channels(cell.run, cell.i, cell.j, count)
    first = [int(c) for c in order if c in there][:CHANNELS]
    place = st.container()
    chosen = st.multiselect(
        "Channels",
        there,
        default=first,
        max_selections=8,
        key=f"channels-{cell.run.id}-{cell.i}-{cell.j}",
        wrap=True,
        help="At first the ones that the stitch moved most.",
    )
    if chosen:
        with place:
            cell.chart(figures.feature_maps(maps, chosen, dark=ui.dark()), f"feature maps of image {image}")
        st.caption("Each channel has one colour range for all rows, so that colours can be compared downwards.")
