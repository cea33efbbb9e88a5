"""Draws the actions on chosen runs: open, rename, save as a file, delete, close."""

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

MAX_RUNS_NAMED = 4  # in the question before deleting


def one(store: Store, run: Run) -> None:
    """Draw a chosen run: its description, and the actions on it."""
    st.header(ui.literal(run_table.name_of(run)))
    st.caption(ui.literal(_about(run)))
    opened.differing(store, run)
    columns = st.columns(5, vertical_alignment="center")
    with columns[0]:
        ui.link_to_page("pages/1_Compare.py", "Open in Compare", links.query(run), "Its grid")
    with columns[1]:
        if run.request.methods:
            ui.link_to_page("pages/2_Activations.py", "Its activations", links.query(run), "Cell by cell")
    with columns[2]:
        copy_link([(run_table.CHOSEN, run.id)])
    if run.source is None:
        with columns[3].popover("Rename", icon=":material/edit:", width="stretch"):
            _rename(store, run)
    with columns[4]:
        _remove(store, [run])
    figure_panel(run, ["accuracy" if run.request.methods else "indices"])


def several(store: Store, runs: Sequence[Run]) -> None:
    """Offer to delete, or to close, several chosen runs together."""
    title, link, button = st.columns([5, 1, 1], vertical_alignment="center")
    title.header(f"{len(runs)} runs together")
    with link:
        copy_link([(run_table.CHOSEN, run.id) for run in runs])
    with button:
        _remove(store, runs)


def _about(run: Run) -> str:
    """Say when a run was requested, on which data and how; for a file, also who made it."""
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
    st.button("Rename it", type="primary", key="rename", on_click=_apply_rename, args=(store, run))
    if message := st.session_state.pop("rename_error", None):
        st.error(ui.literal(message), icon=":material/error:")


def _apply_rename(store: Store, run: Run) -> None:
    try:
        naming.rename(store, run.id, st.session_state[f"name-{run.id}"] or "")
    except StitchLabError as error:
        st.session_state["rename_error"] = str(error)


def _remove(store: Store, runs: Sequence[Run]) -> None:
    """Draw the button that deletes runs computed here, or closes opened ones; the gallery's stay."""
    own = [run for run in runs if run.source is None]
    closable = [run for run in runs if run_table.kind(run) == "opened"]
    runs_label = "" if len(runs) == 1 else f" {len(own)} runs"
    st.session_state.pop("answered", None)
    if own and st.button(f"Delete{runs_label}", icon=":material/delete:", key="delete", width="stretch"):
        _confirm_deletion(store, own)
    if closable and not own:
        st.button(
            "Close",
            icon=":material/close:",
            key="close",
            width="stretch",
            on_click=_close,
            args=(store, closable),
            help="It is no longer listed here. You can open its file again.",
        )


@st.dialog("Delete?", icon=":material/delete:")
def _confirm_deletion(store: Store, runs: Sequence[Run]) -> None:
    """Ask for confirmation, and say what deleting frees."""
    if st.session_state.pop("answered", False):
        st.rerun()  # closes the dialog
    names = [f"**{ui.literal(run_table.name_of(run))}** ({run.id[:8]})" for run in runs[:MAX_RUNS_NAMED]]
    more = f" and {len(runs) - MAX_RUNS_NAMED} more" if len(runs) > MAX_RUNS_NAMED else ""
    with st.spinner("Looking for files that nothing else uses …"):
        _, files, byte_count = freed(store, runs)
    st.markdown(
        f"{', '.join(names)}{more}: deleting frees **{_size(byte_count)}** in {files:,} files. Networks and data "
        "stay, and so does what other runs use. Computations for the deleted runs are stopped."
    )
    left, right = st.columns(2)
    left.button("Yes, delete", type="primary", key="delete_it", width="stretch", on_click=_delete, args=(store, runs))
    right.button("No, keep", key="keep_it", width="stretch", on_click=lambda: st.session_state.update(answered=True))


def _delete(store: Store, runs: Sequence[Run]) -> None:
    for run in runs:
        with contextlib.suppress(UnknownName):  # it was deleted meanwhile
            delete_run(store, run.id)
    run_table.choose([])
    st.session_state["answered"] = True


def _close(store: Store, runs: Sequence[Run]) -> None:
    for run in runs:
        shelf.close(store, run)
    run_table.choose([])


def _size(byte_count: int) -> str:
    return f"{byte_count / 1e6:.1f} MB" if byte_count >= 1e5 else f"{byte_count / 1e3:.0f} kB"
