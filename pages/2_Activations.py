"""Draws Activations: is one cell in or out of distribution?"""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import embedding, keyboard, links, opened
from stitchlab.ui.activations import judged, ready
from stitchlab.ui.cell import choose_cell, choose_run
from stitchlab.ui.copying import copy_link
from stitchlab.ui.request import NATIVE

store, jobs = ui.frame("Activations")
with embedding.alone():
    st.title(
        "Activations",
        help="One cell of a grid: the front network's activations, mapped into the end network. "
        f"Are they anything that the end network could have made itself? {NATIVE}",
    )
    left, middle, right, last = st.columns([5, 6, 2, 2], vertical_alignment="bottom")
    with left:
        run = choose_run(store)
    if run is not None:
        ui.name_tab(run)
        with middle:
            i, j = choose_cell(run)
        with right:
            ui.door(
                "pages/1_Compare.py",
                "Its grid",
                links.query(run, front_layer=i, end_layer=j),
                "This cell's grid in Compare",
            )
        with last:
            copy_link(links.query(run, front_layer=i, end_layer=j))
        opened.mark(run)
        if ready(jobs, run, i, j):
            judged(jobs, run, i, j)
        keyboard.arrows(run, (i, j))
