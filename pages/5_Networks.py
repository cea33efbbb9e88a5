"""Networks: what there is, train, import; the data sets."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import images, inventory, uploading, workshop

PARTS = {"Networks": inventory.draw, "Train": workshop.train, "Import": uploading.draw, "Data sets": images.draw}

store, jobs = ui.frame("Networks")
st.title("Networks")
part = st.segmented_control("Show", list(PARTS), default="Networks", key="part", required=True, wrap=True,
                            label_visibility="collapsed", bind="query-params") or "Networks"
with st.container():  # what comes and goes there must not move what is below, or open expanders close
    workshop.under_way(jobs)
PARTS[part](store, jobs)
