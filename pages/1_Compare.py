"""Compare: two networks, a layer grid, heatmaps side by side."""

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.run import Run
from stitchlab.ui.request import pick, restore
from stitchlab.ui.results import compute_bar, explore, watched

store, jobs = ui.frame("Compare")
st.title("Compare")

if "linked" not in st.session_state:
    st.session_state["linked"] = None
    if name := st.query_params.get("run"):
        try:
            linked = Run.load(store, name)
        except StitchLabError as error:
            st.warning(f"This link's run is not here: {error}", icon=":material/link_off:")
        else:
            restore(linked)

run = pick(store)
if run is None:
    st.stop()
st.query_params["run"] = run.id
compute_bar(jobs, run)
watched(jobs, run, explore)
