"""Draw Runs: the table of runs, a comparison of several runs, and the queue of jobs."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import comparing, embedding, job_list, open_file, run_actions, run_table

store, jobs = ui.frame("Runs")
with embedding.alone():
    title_column, open_column = st.columns([5, 1], vertical_alignment="center")
    with title_column:
        st.title("Runs")
    with open_column:
        open_file.draw(store)
    with st.container():  # bars appear and disappear here, and must not move what is below
        job_list.under_way(store, jobs)
    chosen = run_table.draw(store, run_table.list_all(store))
    if chosen:
        ui.name_tab(*chosen)
    if len(chosen) == 1:
        run_actions.one(store, chosen[0])
    elif chosen:
        run_actions.several(store, chosen)
        comparing.draw(chosen)
    job_list.log(store, jobs)
