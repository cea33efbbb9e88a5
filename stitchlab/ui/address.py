"""The address of a page: the run and the cell in it are read here, and written here when the visitor chose something.

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
    """Give what the address says of a run and a cell, every value of every key."""
    said = {key: st.query_params.get_all(key) for key in (*links.KEYS, *CELL)}
    return {key: texts for key, texts in said.items() if any(texts) or (texts and key in links.LISTS)}


def run(store: Store) -> tuple[Run | None, str]:
    """Find the run of the address; None where it names none, and why where it names one that is not here."""
    return links.find(store, said())


def said_cell() -> tuple[str, str] | None:
    """Give the front and end layer that the address says, which its run may not have; None where it says none."""
    i, j = (st.query_params.get(key) for key in CELL)
    return (i, j) if i and j else None


def write(to: Run, chosen: tuple[str, str] | None = None) -> None:
    """Make this run, with a cell of it, the address: one new entry in the browser's history."""
    pairs = [*links.query(to), *(zip(CELL, chosen, strict=True) if chosen else ())]
    before = [key for key in said() if key not in dict(pairs)]  # an update cannot remove a key
    st.query_params.update({key: [text for name, text in pairs if name == key] for key in dict(pairs)}
                           | dict.fromkeys(before, ""))


def clear() -> None:
    """Have the address say no run: one new entry in the browser's history."""
    st.query_params.update(dict.fromkeys(said(), ""))
