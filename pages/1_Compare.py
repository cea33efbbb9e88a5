"""Compare: two networks, a layer grid, heatmaps side by side."""

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.run import Run
from stitchlab.ui.request import pick, restore
from stitchlab.ui.results import compute_bar, explore, watched

store, jobs = ui.frame("Compare")
st.title("Compare")

# A link names a run. The pickers take it over once; from then on they decide, and the link follows them.
if "kept" not in st.session_state:
    st.session_state["kept"] = None
    if name := st.query_params.get("run"):
        try:
            linked = Run.load(store, name)
        except StitchLabError as error:
            st.warning(f"This link's run is not here: {error}", icon=":material/link_off:")
        else:
            if not restore(store, linked):
                st.session_state["kept"] = linked.id

if kept := st.session_state["kept"]:
    run = Run.load(store, kept)
    st.info(f"{run.title}: its networks are no longer in the store, so this is what was kept of it.",
            icon=":material/inventory_2:")
    if st.button("Compare other networks", icon=":material/compare_arrows:"):
        st.session_state["kept"] = None
        st.query_params.clear()
        st.rerun()
    explore(run)
    st.stop()

run = pick(store)
if run is None:
    st.stop()
st.query_params["run"] = run.id
compute_bar(jobs, run)
watched(jobs, run, explore)
