"""Which run and which cell: chosen by the URL keys of Compare; links that lead nowhere are led to what is nearest."""

from __future__ import annotations

import contextlib
from difflib import get_close_matches

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.results.keys import result_key
from stitchlab.results.recipe import words
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.ui import links


def choose_run(store: Store) -> Run | None:
    """The run of the link, or the newest that has stitched cells; None, with a word, where there is none."""
    runs = {run.id: run for run in list_runs(store) if _started(run)}
    name = st.query_params.get("run")
    linked = None
    if name:
        linked = links.read(store, {key: st.query_params.get_all(key) for key in st.query_params})
        if linked is None or linked.id != name:
            with contextlib.suppress(StitchLabError):
                linked = Run.load(name, store)
    if linked is not None and linked.request.methods:
        runs = {linked.id: linked, **runs}
    else:
        linked = None
    if not runs:
        st.info("Nothing is stitched yet: Compare does it, and a click on a cell there leads here.",
                icon=":material/info:")
        st.page_link("pages/1_Compare.py", label="Compare two networks", icon=":material/compare_arrows:")
        return None
    wanted = linked.id if linked else _nearest(list(runs.values()))
    if name and not linked:
        st.warning(f"This link's run {name} is not here, or has nothing stitched; this is the newest one with the same "
                   "layers, or the newest.", icon=":material/link_off:")
    chosen = st.selectbox("Run", list(runs), index=list(runs).index(wanted), key="chosen_run",
                          format_func=lambda key: _name(runs[key]))
    st.query_params["run"] = chosen
    return runs[chosen]


def choose_cell(run: Run) -> tuple[str, str]:
    """The front and end layer of the link; where this run has not got them, the nearest names, and a word about it."""
    rows, columns = run.request.front_layers, run.request.end_layers
    st.session_state["front_layer"] = _wanted("front_layer", rows, rows[-1])
    st.session_state["end_layer"] = _wanted("end_layer", columns, columns[0])
    left, right, door = st.columns([2, 2, 1], vertical_alignment="bottom")
    i = left.selectbox(f"Front layer of {run.record['front']['name']}", rows, key="front_layer")
    j = right.selectbox(f"End layer of {run.record['end']['name']}", columns, key="end_layer")
    st.query_params.update({"front_layer": i, "end_layer": j})
    st.session_state["linked"] = {"front_layer": i, "end_layer": j}
    with door:
        ui.door("pages/1_Compare.py", "Its grid", links.query(run, front_layer=i, end_layer=j),
                "This cell's grid in Compare")
    return i, j


def _wanted(key: str, layers: tuple[str, ...], default: str) -> str:
    """What the link says if it has changed, else what was chosen, here or on Compare.

    Bound by hand: Streamlit takes keys that two pages bind out of links from one page to the other.
    """
    linked = st.query_params.get(key)
    changed = linked and linked != st.session_state.get("linked", {}).get(key)
    asked = str(linked if changed else st.session_state.get(key, default))
    if asked in layers:
        return asked
    near = (get_close_matches(asked, layers, 1, 0.0) or [default])[0]
    st.warning(f"This run has no {key.replace('_', ' ')} {asked}; {near} is shown instead.", icon=":material/link_off:")
    return near


def _started(run: Run) -> bool:
    """Whether any cell is stitched: looked up one by one until one is there."""
    request = run.request
    return any(run.store.has("cells", result_key(request, method, i, j))
               for method in reversed(request.methods) for i, j in request.cells)


def _nearest(runs: list[Run]) -> str:
    """The newest run that has the layers of the link, else the newest."""
    i, j = st.query_params.get("front_layer"), st.query_params.get("end_layer")
    fits = [run for run in runs if i in (None, *run.request.front_layers) and j in (None, *run.request.end_layers)]
    return (fits or runs)[0].id


def _name(run: Run) -> str:
    size = f"{len(run.request.front_layers)}×{len(run.request.end_layers)}"
    tlm = f" · {words(run)}" if "tlm" in run.request.methods else ""
    return f"{run.title} · {size}{tlm} · {run.id[:8]}"
