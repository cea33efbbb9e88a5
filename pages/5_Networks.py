"""Networks: what there is, train, import; the data sets."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import datasets, making, networks

PARTS = {"Networks": networks.draw, "Train": making.train, "Import": making.bring, "Data sets": datasets.draw}

store, jobs = ui.frame("Networks")
st.title("Networks")
part = st.segmented_control("Show", list(PARTS), default="Networks", key="part", required=True, wrap=True,
                            label_visibility="collapsed", bind="query-params") or "Networks"
making.under_way(jobs)
PARTS[part](store, jobs)
