"""Embeds figures into other pages: with ``?embed=true``, a page shows its figures alone, as its address describes them.

The presenter view (`stitchlab.ui.presenting`) does so too, with each figure as a slide. Streamlit removes its own frame
from an embedded page. StitchLab's switches still have to be drawn, since they read the address; they are drawn on one
pixel, which is then removed. Figures, and messages about awaited answers, are drawn in a container of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stitchlab.ui import presenting


class _FigurePlace:
    """Holds the container for the figures of a page, None to draw them in place, and whether there are any."""

    def __init__(self, container: DeltaGenerator | None) -> None:
        self.container, self.has_figure = container, False


_figure_place: ContextVar[_FigurePlace | None] = ContextVar("figure_place", default=None)


def embedded() -> bool:
    """Tell whether this page shows its figures alone: within another page, or in the presenter view."""
    return bool(st.context.is_embedded) or presenting.on()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hide everything drawn within but the figures in an embedded page; if there is no figure, say so."""
    figure_place = _FigurePlace(st.container() if embedded() else None)
    token = _figure_place.set(figure_place)
    try:
        with _hidden() if figure_place.container else contextlib.nullcontext():
            yield
    finally:
        _figure_place.reset(token)
        if figure_place.container and not figure_place.has_figure:
            with figure_place.container, presenting.slide():
                st.info(
                    "This link shows no figure: its run is not here, or has nothing of that kind.",
                    icon=":material/link_off:",
                )
    if figure_place.has_figure and not figure_place.container:
        with st.sidebar:
            presenting.offer()


@contextlib.contextmanager
def seen() -> Iterator[None]:
    """Show what is drawn within also in an embedded page; in other pages it is drawn in place."""
    figure_place = _figure_place.get()
    if figure_place is None:
        yield
        return
    figure_place.has_figure = True
    if figure_place.container is None:
        yield
        return
    token = _figure_place.set(None)  # a nested `seen` draws in place
    try:
        with figure_place.container, presenting.slide():
            yield
    finally:
        _figure_place.reset(token)


@contextlib.contextmanager
def _hidden() -> Iterator[None]:
    """Draw on one pixel, which is then removed."""
    hidden = st.empty()
    try:
        with hidden.container(width=1, height=1, border=False):
            yield
    finally:
        hidden.empty()
