"""Draws Runs: the table of runs, several of them compared, and the queue of what is being computed."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import comparing, embedding, opening, run_actions, run_table, work

store, jobs = ui.frame("Runs")
with embedding.alone():
    title, place = st.columns([5, 1], vertical_alignment="center")
    with title:
        st.title("Runs")
    with place:
        opening.draw(store)
    with st.container():  # what comes and goes there must not move what is below
        work.under_way(store, jobs)
    known = run_table.known(store)
    chosen = run_table.draw(store, known)
    if chosen:
        ui.name_tab(*chosen)
    if len(chosen) == 1:
        run_actions.one(store, chosen[0])
    elif chosen:
        run_actions.several(store, chosen)
        comparing.draw(chosen)
    work.log(store, jobs)
