"""Describes runs that were opened from a file: who made them, what the file lacks, and how its numbers differ."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.results import shelf
from stitchlab.results.run import Run
from stitchlab.store import Source, Store


def show_origin(run: Run) -> None:
    """Say in one line that a run was read from a file, on pages that show more than the run."""
    whose(run.source)


def whose(source: Source | None) -> None:
    """Say in one line which file a result was read from, and who made it; nothing if it was computed here."""
    if source is not None:
        origin = "From the gallery" if source.gallery else "Opened"
        st.caption(
            f":material/inventory_2: {origin}: {ui.literal(source.file)}, made by StitchLab "
            f"{ui.literal(source.maker)} on {ui.literal(source.made[:10])}."
        )


def banner(run: Run) -> None:
    """Say which file a run was read from, who made it, and what its authors say about it."""
    if (source := run.source) is None:
        return
    title = f"**{ui.literal(source.title)}** · " if source.title else ""
    origin = "From the gallery" if source.gallery else f"Opened from {ui.literal(source.file)}"
    maker = f"made by StitchLab {ui.literal(source.maker)} on {ui.literal(source.made[:10])}"
    st.info(
        f"{title}{origin}, {maker}. It is shown as it was computed. To compute with your own networks, choose "
        "New comparison.",
        icon=":material/inventory_2:",
    )
    if source.story:
        st.markdown(ui.literal(source.story))


def differing(store: Store, run: Run) -> None:
    """If a file of the same run has other numbers than the run computed here, say so."""
    for run_of_file in shelf.same(store, run) if run.source is None and not run.draft else ():
        if run_of_file.source is not None and shelf.differences(run, run_of_file):
            st.caption(
                f":material/difference: {ui.literal(run_of_file.source.file)} is a file of this same run. Your own "
                f"numbers are shown; {ui.literal(shelf.compared(run, run_of_file))}."
            )


def show_missing(run: Run, what: str) -> None:
    """Say that an opened file does not hold ``what``, and that it cannot be computed here."""
    if run.source is not None:
        st.info(
            f"{ui.literal(run.source.file)} does not hold {what}, and its networks are not here.",
            icon=":material/inventory_2:",
        )
