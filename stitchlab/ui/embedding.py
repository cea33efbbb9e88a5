"""``?embed=true``: a page shows its figures alone, as its address says them, to be put into another page.

Streamlit takes its own frame away there. Of ours, everything is drawn as ever, so that every switch reads its address,
but on one pixel, which then goes; figures, and what is waited for, have a place of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


class _Place:
    """Where figures go in an embedded page, and whether any did."""

    def __init__(self, container: DeltaGenerator) -> None:
        self.container, self.used = container, False


_place: ContextVar[_Place | None] = ContextVar("place", default=None)


def embedded() -> bool:
    """Tell whether this page is shown in another one."""
    return bool(st.context.is_embedded)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Have a page that is embedded show nothing of what is drawn in here but figures; a line where there is none."""
    if not embedded():
        yield
        return
    place, hidden = _Place(st.container()), st.empty()
    token = _place.set(place)
    try:
        with hidden.container(width=1, height=1, border=False):
            yield
    finally:
        _place.reset(token)
        hidden.empty()
        if not place.used:
            place.container.info("This link shows no figure: its run is not here, or has nothing of that kind.",
                                 icon=":material/link_off:")


@contextlib.contextmanager
def seen() -> Iterator[None]:
    """Have what is drawn in here be seen in an embedded page too; elsewhere it is drawn where it stands."""
    place = _place.get()
    if place is None:
        yield
        return
    place.used = True
    token = _place.set(None)  # within it, things stand where they are put
    try:
        with place.container:
            yield
    finally:
        _place.reset(token)
