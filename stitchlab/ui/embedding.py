"""Embeds figures into other pages: with ``?embed=true``, a page shows its figures alone, as its address describes them.

The presenter view (`stitchlab.ui.presenting`) does so too, each figure a slide. Streamlit removes its own frame
in an embedded page. What StitchLab adds is still drawn, so that every switch reads its address, but on one pixel,
which is then removed; figures, and what is waited for, have a place of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stitchlab.ui import presenting


class _Place:
    """Holds where the figures of a page go, None for where they stand, and whether there are any."""

    def __init__(self, container: DeltaGenerator | None) -> None:
        self.container, self.used = container, False


_place: ContextVar[_Place | None] = ContextVar("place", default=None)


def embedded() -> bool:
    """Tell whether this page shows its figures alone: within another page, or in the presenter view."""
    return bool(st.context.is_embedded) or presenting.on()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hide all but the figures of what is drawn within, in an embedded page; say so where there is none."""
    place = _Place(st.container() if embedded() else None)
    token = _place.set(place)
    try:
        with _hidden() if place.container else contextlib.nullcontext():
            yield
    finally:
        _place.reset(token)
        if place.container and not place.used:
            with place.container, presenting.slide():
                st.info(
                    "This link shows no figure: its run is not here, or has nothing of that kind.",
                    icon=":material/link_off:",
                )
    if place.used and not place.container:
        with st.sidebar:
            presenting.offer()


@contextlib.contextmanager
def seen() -> Iterator[None]:
    """Show what is drawn within in an embedded page too; elsewhere it is drawn where it stands."""
    place = _place.get()
    if place is None:
        yield
        return
    place.used = True
    if place.container is None:
        yield
        return
    token = _place.set(None)  # within it, things stand where they are put
    try:
        with place.container, presenting.slide():
            yield
    finally:
        _place.reset(token)


@contextlib.contextmanager
def _hidden() -> Iterator[None]:
    """Draw on one pixel, which is then removed."""
    hidden = st.empty()
    try:
        with hidden.container(width=1, height=1, border=False):
            yield
    finally:
        hidden.empty()
