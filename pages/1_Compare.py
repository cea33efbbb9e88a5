"""Compare: two networks, a layer grid, heatmaps side by side."""

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.results.run import Run
from stitchlab.ui.request import pick, restore
from stitchlab.ui.results import compute_bar, explore, watched

store, jobs = ui.frame("Compare")
st.title("Compare")

# A link names a run. The pickers take it over once; from then on they decide, and the link follows them. Any run that
# this page did not write into the link itself has come in from outside, also from Home or by the back button.
state = st.session_state
linked = None
name = st.query_params.get("run")
if name and (name != state.get("shown") or "front" not in state):
    state["kept"] = None
    try:
        linked = Run.load(store, name)
    except StitchLabError as error:
        st.warning(f"This link's run is not here: {error}", icon=":material/link_off:")
    else:
        if not restore(store, linked):
            state["kept"] = linked.id

if kept := state.get("kept"):
    run = Run.load(store, kept)
    state["shown"] = st.query_params["run"] = run.id
    st.info(f"{run.title}: its networks are no longer in the store, or the pickers do not offer its settings, so this "
            "is what was kept of it.", icon=":material/inventory_2:")
    if st.button("Compare other networks", icon=":material/compare_arrows:"):
        state["kept"] = None
        del st.query_params["run"]  # the others belong to widgets
        st.rerun()
    explore(run)
    st.stop()

run = pick(store)
if linked and (run is None or run.id != linked.id):
    state["kept"] = linked.id  # a link never shows another run than its own
    st.rerun()
if run is None:
    st.stop()
state["shown"] = st.query_params["run"] = run.id
compute_bar(jobs, run)
watched(jobs, run, explore)
