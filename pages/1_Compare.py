"""Draws Compare: two networks, a grid of their layers, heatmaps side by side.

The address says which run is shown. The pickers are open only while another one is asked for: then they decide, and a
change of one puts its run into the address.
"""

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.results.run import Run, list_runs
from stitchlab.ui import address, embedding, links, opened, runs
from stitchlab.ui.computing import compute_bar, kept_bar, watched
from stitchlab.ui.picking import changed, show
from stitchlab.ui.request import pick
from stitchlab.ui.results import explore

PAGE = "pages/1_Compare.py"
store, jobs = ui.frame("Compare")
state = st.session_state


def go(run: Run, *, picking: bool = False) -> None:
    """Put a run into the address as this page's own choice; the page is drawn again with it."""
    address.write(run)
    state.update(compared=address.said(), picking=picking, picks=links.picked(store, run) or {})


def toggle(picks: dict[str, Any], kept: bool) -> None:
    """Open the pickers, or close them; where they cannot describe the run that is shown, start them anew."""
    if kept:
        address.clear()
    state.update(compared=address.said(), picking=kept or not state["picking"])
    show(picks)


with embedding.alone():
    said = address.said()
    run, missing = address.run(store)
    picks = (links.picked(store, run) if run else None) or {}
    kept = run is not None and not links.sayable(store, run)
    known = [] if run else list_runs(store)
    if said != state.get("compared") or ui.arrived():  # somebody's link, or the back button
        state["compared"] = said
        if run is None:
            state["picking"] = not missing and bool(said or not known)
        else:
            state["picking"] = bool(state.get("picking")) and not kept and not ui.arrived()
        show(picks or links.values(said))

    label = "Close" if state["picking"] else "New comparison" if run is None or kept else "Change"
    title, _ = ui.beside(label, ":material/tune:", key="pick", on_click=lambda: toggle(picks, kept))
    with title:
        st.title("Compare" if run is None else ui.literal(run.title))
        st.caption(
            runs.about(run) if run else "Two networks, a grid of their layers, and what each measure says of them."
        )
    if missing:
        st.warning(f"This link's run is not here: {ui.literal(missing)}", icon=":material/link_off:")
    if known:
        runs.choice(known, PAGE)
    if state["picking"]:
        with st.container(border=True):
            run = pick(store, jobs)
        if changed() and run is not None:
            go(run, picking=True)
            st.rerun()
    if run is not None:
        ui.name_tab(run)
    if run is not None and kept:
        if kept_bar(run):
            go(run.under_todays_definitions())
            st.rerun()
        explore(run)
    elif run is not None:
        opened.differing(store, run)
        compute_bar(jobs, run, begun=go)
        watched(jobs, run, explore)
