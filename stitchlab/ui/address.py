"""Reads the run and the cell from a page's address, and writes them there when the visitor has chosen something.

Streamlit replaces the address where a visitor changes a bound widget, and adds an entry to the browser's history for
whatever a script writes. So what the back button shall return to, the run and its cell, is bound to no widget: it is
written by one update for one choice, always whole, and a page that is only opened writes nothing. What is looked at
(metric, view, detector) is bound.
"""

from __future__ import annotations

import streamlit as st

from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links

CELL = ("front_layer", "end_layer")


def said() -> dict[str, list[str]]:
    """Return what the address says about a run and a cell: all values of each key."""
    said = {key: st.query_params.get_all(key) for key in (*links.KEYS, *CELL)}
    return {key: texts for key, texts in said.items() if any(texts) or (texts and key in links.LISTS)}


def run(store: Store) -> tuple[Run | None, str]:
    """Find the run that the address names; None where it names none, and the reason where that run is not here."""
    return links.find(store, said())


def said_cell() -> tuple[str, str] | None:
    """Return the front and end layer in the address, which its run may not have; None where it names no cell."""
    i, j = (st.query_params.get(key) for key in CELL)
    return (i, j) if i and j else None


def write(to: Run, chosen: tuple[str, str] | None = None) -> None:
    """Put this run, and a cell of it, into the address: one new entry in the browser's history."""
    pairs = [*links.query(to), *(zip(CELL, chosen, strict=True) if chosen else ())]
    before = [key for key in said() if key not in dict(pairs)]  # an update cannot remove a key
    st.query_params.update(
        {key: [text for name, text in pairs if name == key] for key in dict(pairs)} | dict.fromkeys(before, "")
    )


def clear() -> None:
    """Remove the run from the address: one new entry in the browser's history."""
    st.query_params.update(dict.fromkeys(said(), ""))
