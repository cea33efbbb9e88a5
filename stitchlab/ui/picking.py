"""Sets the values of the pickers of a comparison: those that a link or the visitor chose, else defaults."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import streamlit as st

from stitchlab.ui import links


def show(picks: dict[str, Any]) -> None:
    """When the pickers are next drawn, let them show these values, by key (`links.picked`), and else their defaults."""
    for key in links.KEYS:
        _forget(key)
    st.session_state["picks"] = picks


def changed() -> bool:
    """Tell whether the visitor has changed a picker since the last call."""
    return bool(st.session_state.pop("picked", False))


def note_change(*forget: str) -> None:
    """Note that a picker was changed, and forget the choices that depended on it, so that their defaults return."""
    st.session_state["picked"] = True
    for key in forget:
        st.session_state["picks"].pop(key, None)
        _forget(key)


def set_default(key: str, value: Any, choices: Container[str] | None = None) -> None:
    """Set a picker's value if it has none, or one that cannot be chosen.

    The widget must have no default of its own: Streamlit warns of two.

    Args:
        key: of the picker.
        value: the default.
        choices: the values that can be chosen; None: any value.
    """
    state, preferred = st.session_state, st.session_state["picks"].get(key, value)
    for candidate in (state.get(key, preferred), value):
        values = candidate if isinstance(candidate, list) else [candidate]
        if choices is None or all(item in choices for item in values):
            state[key] = candidate
            return


def _forget(key: str) -> None:
    """Forget the value of a picker, and the choice of its layers by a preset, if it has one."""
    for state_key in (key, f"{key}_by"):
        st.session_state.pop(state_key, None)
