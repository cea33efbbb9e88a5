"""Draw Networks: the list of networks, training, import, and the data sets."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import being_made, embedding, images, inventory, uploading, workshop

PARTS = {"Networks": inventory.draw, "Train": workshop.train, "Import": uploading.draw, "Data sets": images.draw}

store, jobs = ui.frame("Networks")
with embedding.alone():
    st.title("Networks")
    part = (
        st.segmented_control(
            "Show",
            list(PARTS),
            default="Networks",
            key="part",
            required=True,
            wrap=True,
            label_visibility="collapsed",
            bind="query-params",
        )
        or "Networks"
    )
    with st.container():  # bars appear and disappear here: if they moved what is below, expanders would close
        being_made.draw(jobs)
    PARTS[part](store, jobs)
