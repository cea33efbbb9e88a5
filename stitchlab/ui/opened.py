"""Marks runs that were opened from a file: who made them, what a file does not hold, and what differs."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.results import shelf
from stitchlab.results.run import Run
from stitchlab.store import Source, Store


def mark(run: Run) -> None:
    """Say in one line, where a run is only one of several things on the page, that it was read from a file."""
    whose(run.source)


def whose(source: Source | None) -> None:
    """Say in one line which file something was read from, and who made it; nothing where it was computed here."""
    if source is not None:
        how = "From the gallery" if source.gallery else "Opened"
        st.caption(
            f":material/inventory_2: {how}: {ui.literal(source.file)}, made by StitchLab "
            f"{ui.literal(source.maker)} on {ui.literal(source.made[:10])}."
        )


def banner(run: Run) -> None:
    """Say which file a run was read from, who made it, and what they say of it."""
    if (source := run.source) is None:
        return
    title = f"**{ui.literal(source.title)}** · " if source.title else ""
    how = "From the gallery" if source.gallery else f"Opened from {ui.literal(source.file)}"
    made = f"made by StitchLab {ui.literal(source.maker)} on {ui.literal(source.made[:10])}"
    st.info(
        f"{title}{how}, {made}. It is shown as it was computed; New comparison computes with your networks.",
        icon=":material/inventory_2:",
    )
    if source.story:
        st.markdown(ui.literal(source.story))


def differing(store: Store, run: Run) -> None:
    """Say below one's own run that a file of the same run has other numbers, where it has."""
    for other in shelf.same(store, run) if run.source is None and not run.draft else ():
        if other.source is not None and shelf.differences(run, other):
            st.caption(
                f":material/difference: {ui.literal(other.source.file)} is a file of this same run. Your own "
                f"numbers are shown; {ui.literal(shelf.compared(run, other))}."
            )


def lacks(run: Run, what: str) -> None:
    """Say, where it would stand, that an opened file does not hold something and that it cannot be computed."""
    if run.source is not None:
        st.info(
            f"{ui.literal(run.source.file)} does not hold {what}, and its networks are not here.",
            icon=":material/inventory_2:",
        )
