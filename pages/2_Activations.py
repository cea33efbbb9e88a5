"""Draw Activations: are the stitched activations of one cell in or out of distribution?"""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import embedding, keyboard, links, opened
from stitchlab.ui.activations import draw, offer_missing_methods
from stitchlab.ui.cell import choose_cell, choose_run
from stitchlab.ui.copying import copy_link
from stitchlab.ui.request import NATIVE

store, jobs = ui.frame("Activations")
with embedding.alone():
    st.title(
        "Activations",
        help="One cell of a grid: the front network's activations, mapped into the end network. "
        f"Could the end network have made such activations itself? {NATIVE}",
    )
    run_column, cell_column, grid_column, link_column = st.columns([5, 6, 2, 2], vertical_alignment="bottom")
    with run_column:
        run = choose_run(store)
    if run is not None:
        ui.name_tab(run)
        with cell_column:
            i, j = choose_cell(run)
        with grid_column:
            ui.link_to_page(
                "pages/1_Compare.py",
                "Its grid",
                links.query(run, front_layer=i, end_layer=j),
                "This cell's grid in Compare",
            )
        with link_column:
            copy_link(links.query(run, front_layer=i, end_layer=j))
        opened.show_origin(run)
        if offer_missing_methods(jobs, run, i, j):
            draw(jobs, run, i, j)
        keyboard.arrows(run, (i, j))
