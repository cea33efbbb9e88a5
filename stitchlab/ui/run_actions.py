"""Offers what can be done with chosen runs: open, rename, save as a file, delete, close."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results import naming, recipe, shelf
from stitchlab.results.cleaning import delete_run, freed
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links, opened, run_table
from stitchlab.ui.copying import copy_link
from stitchlab.ui.figure_panel import figure_panel

MOST = 4  # names of runs that a question says


def one(store: Store, run: Run) -> None:
    """Show a chosen run: what it is, and what can be done with it."""
    st.header(ui.literal(run_table.called(run)))
    st.caption(ui.literal(_about(run)))
    opened.differing(store, run)
    places = st.columns(5, vertical_alignment="center")
    with places[0]:
        ui.door("pages/1_Compare.py", "Open in Compare", links.query(run), "Its grid")
    with places[1]:
        if run.request.methods:
            ui.door("pages/2_Activations.py", "Its activations", links.query(run), "One cell after the other")
    with places[2]:
        copy_link([(run_table.CHOSEN, run.id)])
    if run.source is None:
        with places[3].popover("Rename", icon=":material/edit:", width="stretch"):
            _rename(store, run)
    with places[4]:
        _remove(store, [run])
    figure_panel(run, ["accuracy" if run.request.methods else "indices"])


def several(store: Store, runs: Sequence[Run]) -> None:
    """Offer to delete, or to close, several chosen runs together."""
    text, link, place = st.columns([5, 1, 1], vertical_alignment="center")
    text.header(f"{len(runs)} runs together")
    with link:
        copy_link([(run_table.CHOSEN, run.id) for run in runs])
    with place:
        _remove(store, runs)


def _about(run: Run) -> str:
    """Say when a run was asked for, on which data and how; for a file, also who made it."""
    request, source = run.request, run.source
    parts = [run.title, f"requested {run.record['created'][:16].replace('T', ' ')}"]
    parts += [recipe.words(run)] if "tlm" in request.methods else []
    parts += [f"{request.eval_images:,} test images", f"seed {request.seed}", f"id {run.id}"]
    parts += [f"from {source.file}, written by StitchLab {source.maker}"] if source else []
    parts += [f"made by {source.command}"] if source and source.command else []
    return " · ".join(parts)


def _rename(store: Store, run: Run) -> None:
    st.text_input(
        "Its own name",
        run.name,
        key=f"name-{run.id}",
        max_chars=naming.LONGEST,
        placeholder=run.title,
        help="Its id and its links stay. Empty: it is named after its networks.",
    )
    st.button("Rename it", type="primary", key="rename", on_click=_renamed, args=(store, run))
    if message := st.session_state.pop("rename_error", None):
        st.error(ui.literal(message), icon=":material/error:")


def _renamed(store: Store, run: Run) -> None:
    try:
        naming.rename(store, run.id, st.session_state[f"name-{run.id}"] or "")
    except StitchLabError as error:
        st.session_state["rename_error"] = str(error)


def _remove(store: Store, runs: Sequence[Run]) -> None:
    """Draw the button that deletes one's own runs, or closes opened ones; the gallery's stay."""
    own = [run for run in runs if run.source is None]
    closable = [run for run in runs if run_table.kind(run) == "opened"]
    which = "" if len(runs) == 1 else f" {len(own)} runs"
    st.session_state.pop("answered", None)
    if own and st.button(f"Delete{which}", icon=":material/delete:", key="delete", width="stretch"):
        _asked(store, own)
    if closable and not own:
        st.button(
            "Close",
            icon=":material/close:",
            key="close",
            width="stretch",
            on_click=_close,
            args=(store, closable),
            help="It is no longer listed here; its file is yours to open again.",
        )


@st.dialog("Delete?", icon=":material/delete:")
def _asked(store: Store, runs: Sequence[Run]) -> None:
    """Ask for confirmation, and say what deleting frees."""
    if st.session_state.pop("answered", False):
        st.rerun()  # which closes it
    names = [f"**{ui.literal(run_table.called(run))}** ({run.id[:8]})" for run in runs[:MOST]]
    more = f" and {len(runs) - MOST} more" if len(runs) > MOST else ""
    with st.spinner("Looking for what nothing else uses …"):
        _, files, count = freed(store, runs)
    st.markdown(
        f"{', '.join(names)}{more}: deleting frees **{_size(count)}** in {files:,} files. Networks and data "
        "stay, and so does what another run uses. Computations for it are stopped."
    )
    left, right = st.columns(2)
    left.button("Yes, delete", type="primary", key="delete_it", width="stretch", on_click=_delete, args=(store, runs))
    right.button("No, keep", key="keep_it", width="stretch", on_click=lambda: st.session_state.update(answered=True))


def _delete(store: Store, runs: Sequence[Run]) -> None:
    for run in runs:
        with contextlib.suppress(UnknownName):  # it went meanwhile
            delete_run(store, run.id)
    run_table.choose([])
    st.session_state["answered"] = True


def _close(store: Store, runs: Sequence[Run]) -> None:
    for run in runs:
        shelf.close(store, run)
    run_table.choose([])


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
