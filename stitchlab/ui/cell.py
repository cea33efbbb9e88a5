"""Chooses the run and the cell that a page shows: those in its address, and the select boxes that change it."""

from __future__ import annotations

from difflib import get_close_matches

import streamlit as st

from stitchlab import ui
from stitchlab.results import shelf
from stitchlab.results.records import SIDES
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.ui import address, runs

PAGE = "pages/2_Activations.py"


def choose_run(store: Store) -> Run | None:
    """Return the run of the address, else the newest with stitched cells; None, with a choice, where there is none."""
    known = {run.id: run for run in [*list_runs(store), *shelf.others(store)] if runs.started(run)}
    run, missing = address.run(store)
    if missing or (run is not None and not run.request.methods):
        why = f"This link's run is not here: {missing}"
        if run is not None and not missing:
            why = f"Run {run.id} has similarity indices only: nothing is stitched, so it has no activations to show."
        st.warning(ui.literal(why), icon=":material/link_off:")
        runs.choice(list(known.values()), PAGE)
        return None
    run = run or next(iter(known.values()), None)
    if run is None:
        st.info(
            "Nothing is stitched yet: Compare does it, and a click on a cell there leads here.", icon=":material/info:"
        )
        st.page_link("pages/1_Compare.py", label="Compare two networks", icon=":material/compare_arrows:")
        return None
    known = {run.id: run, **known} if run.id not in known else known
    st.session_state["chosen_run"] = run.id
    st.selectbox(
        "Run",
        list(known),
        key="chosen_run",
        format_func=lambda key: runs.name(known[key]),
        on_change=lambda: address.write(known[st.session_state["chosen_run"]], address.said_cell()),
    )
    return run


def choose_cell(run: Run, *, collapsed: bool = False) -> tuple[str, str]:
    """Draw the select boxes of a cell, and return the cell that the address names.

    Where the address says none, that is the paper's, the last front layer into the first end layer; where this run
    has not got its layers, the nearest names, and a word about it.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    asked = address.said_cell() or (rows[-1], columns[0])
    i = _nearest("front", asked[0], rows, rows[-1])
    j = _nearest("end", asked[1], columns, columns[0])
    for place, of, layers, layer in zip(st.columns(2), SIDES, (rows, columns), (i, j), strict=True):
        st.session_state[f"{of}_layer"] = layer
        place.selectbox(
            f"{of.capitalize()} layer of {run.record[of]['name']}",
            layers,
            key=f"{of}_layer",
            label_visibility="collapsed" if collapsed else "visible",
            on_change=_chosen,
            args=(run,),
        )
    return i, j


def _chosen(run: Run) -> None:
    i, j = (st.session_state[key] for key in address.CELL)
    address.write(run, (i, j))


def _nearest(of: str, asked: str, layers: tuple[str, ...], default: str) -> str:
    if asked in layers:
        return asked
    near = (get_close_matches(asked, layers, 1, 0.0) or [default])[0]
    st.warning(
        f"This run has no {of} layer {ui.literal(asked)}; {ui.literal(near)} is shown instead.",
        icon=":material/link_off:",
    )
    return near
