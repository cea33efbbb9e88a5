"""Compare: two networks, a layer grid, heatmaps side by side."""

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.results.run import Run
from stitchlab.ui.computing import compute_bar, kept_bar, watched
from stitchlab.ui.request import pick, restore
from stitchlab.ui.results import explore

store, jobs = ui.frame("Compare")
st.title("Compare")

# A link names a run. The pickers take it over once; from then on they decide, and the link follows them. Any run that
# this page did not write into the link itself has come in from outside, also from Home or by the back button.
state = st.session_state
linked = missing = None
name = st.query_params.get("run")
if name and name != state.get("kept") and (name != state.get("shown") or "front" not in state):
    state["kept"] = None
    try:
        linked = Run.load(name, store)
    except StitchLabError as error:
        missing = str(error)
    else:
        if not restore(store, linked):
            state["kept"] = linked.id

if kept := state.get("kept"):
    try:
        run = Run.load(kept, store)
    except StitchLabError as error:  # it was deleted meanwhile: the pickers take over
        state["kept"], missing = None, str(error)
    else:
        state["shown"] = st.query_params["run"] = run.id
        asked_anew = kept_bar(run)
        if asked_anew or st.button("Compare other networks", icon=":material/compare_arrows:"):
            state["kept"] = None
            del st.query_params["run"]  # the others belong to widgets
            if asked_anew:
                restore(store, run)
            st.rerun()
        explore(run)
        st.stop()

above = st.container()
run = pick(store, jobs)
if missing and (run is None or run.id != name):  # else the link's own keys ask for the very run
    above.warning(f"This link's run is not here: {missing}", icon=":material/link_off:")
if linked and (run is None or run.id != linked.id):
    state["kept"] = st.query_params["run"] = linked.id  # a link never shows another run than its own
    st.rerun()
if run is None:
    st.stop()
if run.draft:  # its control is not made yet: it has no id, and so no link but the pickers' own
    state["shown"] = None
    st.query_params.pop("run", None)
else:
    state["shown"] = st.query_params["run"] = run.id
compute_bar(jobs, run)
watched(jobs, run, explore)
