"""Chooses the run and the cell that a page shows: from its address, and by select boxes that change the address."""

from __future__ import annotations

from difflib import get_close_matches

import streamlit as st

from stitchlab import ui
from stitchlab.request import Cell
from stitchlab.results import shelf
from stitchlab.results.records import SIDES, Side
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.ui import address, runs

PAGE = "pages/2_Activations.py"


def choose_run(store: Store) -> Run | None:
    """Return the run of the address, else the newest with stitched cells; if there is none, None and links to runs."""
    runs_by_id = {run.id: run for run in [*list_runs(store), *shelf.others(store)] if runs.started(run)}
    run, missing = address.run(store)
    if missing or (run is not None and not run.request.methods):
        reason = f"This link's run is not here: {missing}"
        if run is not None and not missing:
            reason = f"Run {run.id} has similarity indices only: nothing is stitched, so it has no activations to show."
        st.warning(ui.literal(reason), icon=":material/link_off:")
        runs.choice(list(runs_by_id.values()), PAGE)
        return None
    run = run or next(iter(runs_by_id.values()), None)
    if run is None:
        st.info(
            "Nothing is stitched yet: Compare does it, and a click on a cell there leads here.", icon=":material/info:"
        )
        st.page_link("pages/1_Compare.py", label="Compare two networks", icon=":material/compare_arrows:")
        return None
    runs_by_id = {run.id: run, **runs_by_id} if run.id not in runs_by_id else runs_by_id
    st.session_state["chosen_run"] = run.id
    st.selectbox(
        "Run",
        list(runs_by_id),
        key="chosen_run",
        format_func=lambda key: runs.name(runs_by_id[key]),
        on_change=lambda: address.write(runs_by_id[st.session_state["chosen_run"]], address.cell_of_address()),
    )
    return run


def choose_cell(run: Run, *, collapsed: bool = False) -> Cell:
    """Draw the select boxes of a cell, and return the cell that the address names.

    If the address names no cell, it is the paper's: the last front layer into the first end layer. If this run lacks
    its layers, the layers with the nearest names are shown instead, with a warning.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    cell = address.cell_of_address() or (rows[-1], columns[0])
    i = _nearest("front", cell[0], rows, rows[-1])
    j = _nearest("end", cell[1], columns, columns[0])
    for place, side, layers, layer in zip(st.columns(2), SIDES, (rows, columns), (i, j), strict=True):
        st.session_state[f"{side}_layer"] = layer
        place.selectbox(
            f"{side.capitalize()} layer of {run.record[side]['name']}",
            layers,
            key=f"{side}_layer",
            label_visibility="collapsed" if collapsed else "visible",
            on_change=_write_cell,
            args=(run,),
        )
    return i, j


def _write_cell(run: Run) -> None:
    i, j = (st.session_state[key] for key in address.CELL)
    address.write(run, (i, j))


def _nearest(side: Side, layer: str, layers: tuple[str, ...], default: str) -> str:
    if layer in layers:
        return layer
    near = (get_close_matches(layer, layers, 1, 0.0) or [default])[0]
    st.warning(
        f"This run has no {side} layer {ui.literal(layer)}; {ui.literal(near)} is shown instead.",
        icon=":material/link_off:",
    )
    return near
