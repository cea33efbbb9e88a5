"""Reads the run and the cell from a page's address, and writes them there when the visitor has chosen something.

When a visitor changes a bound widget, Streamlit replaces the address; when a script writes to the address, it adds an
entry to the browser's history. The back button has to return to the previous run and cell, so these are bound to no
widget: a choice writes all of them in one update, and a page that is only opened writes nothing. The metric, the view
and the detector are bound.
"""

from __future__ import annotations

import streamlit as st

from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import links

CELL = ("front_layer", "end_layer")


def run_parameters() -> dict[str, list[str]]:
    """Return the query parameters that describe a run and a cell: all values of each key."""
    parameters = {key: st.query_params.get_all(key) for key in (*links.KEYS, *CELL)}
    return {key: texts for key, texts in parameters.items() if any(texts) or (texts and key in links.LISTS)}


def run(store: Store) -> tuple[Run | None, str]:
    """Find the run that the address names: None if it names none, and the reason if that run is not here."""
    return links.find(store, run_parameters())


def cell_of_address() -> Cell | None:
    """Return the front and end layer in the address, which its run may lack; None if the address names no cell."""
    i, j = (st.query_params.get(key) for key in CELL)
    return (i, j) if i and j else None


def write(run: Run, cell: Cell | None = None) -> None:
    """Put a run, and a cell of it, into the address: one new entry in the browser's history."""
    pairs = [*links.query(run), *(zip(CELL, cell, strict=True) if cell else ())]
    removed = [key for key in run_parameters() if key not in dict(pairs)]  # an update cannot remove a key
    st.query_params.update(
        {key: [text for name, text in pairs if name == key] for key in dict(pairs)} | dict.fromkeys(removed, "")
    )


def clear() -> None:
    """Remove the run from the address: one new entry in the browser's history."""
    st.query_params.update(dict.fromkeys(run_parameters(), ""))
