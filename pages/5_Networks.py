"""Draw Networks: the list of networks, training, import, and the data sets."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import embedding, images, inventory, network_training, networks_in_progress, uploading

PARTS = {
    "Networks": inventory.draw,
    "Train": network_training.train,
    "Import": uploading.draw,
    "Data sets": images.draw,
}

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
        networks_in_progress.draw(jobs)
    PARTS[part](store, jobs)
