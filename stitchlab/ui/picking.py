"""Sets what the pickers of a comparison show: what a link or the visitor chose, and otherwise their defaults."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import streamlit as st

from stitchlab.ui import links


def show(picks: dict[str, Any]) -> None:
    """Let the pickers show these values, by key (`links.picked`), and else their defaults, when next drawn."""
    for key in links.KEYS:
        _forget(key)
    st.session_state["picks"] = picks


def changed() -> bool:
    """Tell whether the visitor has changed a picker since this was asked last."""
    return bool(st.session_state.pop("picked", False))


def note_change(*forget: str) -> None:
    """Note that a picker was changed; forget choices that belong to another network, so that the defaults return."""
    st.session_state["picked"] = True
    for key in forget:
        st.session_state["picks"].pop(key, None)
        _forget(key)


def set_default(key: str, value: Any, choices: Container[str] | None = None) -> None:
    """Set a picker's value where none is set, or none that can be chosen.

    A widget that had a default of its own, too, would have Streamlit warn of two.

    Args:
        key: of the picker.
        value: the default.
        choices: what can be chosen; None: anything.
    """
    state, wanted = st.session_state, st.session_state["picks"].get(key, value)
    for fits in (state.get(key, wanted), value):
        each = fits if isinstance(fits, list) else [fits]
        if choices is None or all(item in choices for item in each):
            state[key] = fits
            return


def _forget(key: str) -> None:
    """Forget what a picker shows, and the preset that a picker of layers has."""
    for own in (key, f"{key}_by"):
        st.session_state.pop(own, None)
