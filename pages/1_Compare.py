"""Draw Compare: two networks, a grid of their layers, heatmaps side by side.

The address of the page names the run that is shown. While the pickers are open, they decide: when the user changes one
of them, the page writes the run that they describe into the address.
"""

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.results.run import Run, list_runs
from stitchlab.ui import address, embedding, links, opened, runs
from stitchlab.ui.computing import compute_bar, draw_with_progress, stored_results_bar
from stitchlab.ui.picking import changed, show
from stitchlab.ui.request import pick
from stitchlab.ui.results import explore

PAGE = "pages/1_Compare.py"
store, jobs = ui.frame("Compare")
state = st.session_state


def go(run: Run, *, picking: bool = False) -> None:
    """Write a run into the address, and note that the page itself did so; the page is then drawn again."""
    address.write(run)
    state.update(compared=address.run_parameters(), picking=picking, picks=links.picked(store, run) or {})


def toggle(picks: dict[str, Any], is_old: bool) -> None:
    """Open or close the pickers; if they cannot describe the run that is shown, start a new comparison."""
    if is_old:
        address.clear()
    state.update(compared=address.run_parameters(), picking=is_old or not state["picking"])
    show(picks)


with embedding.alone():
    query = address.run_parameters()
    run, missing = address.run(store)
    picks = (links.picked(store, run) if run else None) or {}
    is_old = run is not None and not links.describable(store, run)  # the pickers cannot describe it
    stored_runs = [] if run else list_runs(store)
    if query != state.get("compared") or ui.just_arrived():  # the user opened a link or pressed the back button
        state["compared"] = query
        if run is None:
            state["picking"] = not missing and bool(query or not stored_runs)
        else:
            state["picking"] = bool(state.get("picking")) and not is_old and not ui.just_arrived()
        show(picks or links.values(query))

    label = "Close" if state["picking"] else "New comparison" if run is None or is_old else "Change"
    title, _ = ui.sentence_with_button(label, ":material/tune:", key="pick", on_click=lambda: toggle(picks, is_old))
    with title:
        st.title("Compare" if run is None else ui.literal(run.title))
        st.caption(
            runs.about(run) if run else "Two networks, a grid of their layers, and what each measure says about them."
        )
    if missing:
        st.warning(f"This link's run is not here: {ui.literal(missing)}", icon=":material/link_off:")
    if stored_runs:
        runs.choice(stored_runs, PAGE)
    if state["picking"]:
        with st.container(border=True):
            run = pick(store, jobs)
        if changed() and run is not None:
            go(run, picking=True)
            st.rerun()
    if run is not None:
        ui.name_tab(run)
    if run is not None and is_old:
        if stored_results_bar(run):
            go(run.under_todays_definitions())
            st.rerun()
        explore(run)
    elif run is not None:
        opened.differing(store, run)
        compute_bar(jobs, run, begun=go)
        draw_with_progress(jobs, run, explore)
