"""Handles addresses of pages that do not exist: Streamlit runs Home, which says so and suggests a page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAPIException


def warn(on_home: bool, pages: Mapping[str, str]) -> None:
    """Warn on Home, until another page is opened, that the address names no page, and suggest the nearest."""
    if not on_home:
        st.session_state.pop("unknown_page", None)
        return
    if unknown_path := _unknown_path():
        st.session_state["unknown_page"] = unknown_path  # Streamlit removes it from the address once Home is drawn
    if not (path := st.session_state.get("unknown_page")):
        return
    suggestion = _nearest(path, list(pages))
    st.warning(
        "No page has the address that was opened. "
        + ("This is Home." if suggestion is None else f"Did you mean {suggestion}?"),
        icon=":material/link_off:",
    )
    if suggestion is not None:
        query = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
        with contextlib.suppress(StreamlitAPIException):
            st.page_link(pages[suggestion], label=suggestion, icon=":material/arrow_forward:", query_params=query)


def _unknown_path() -> str:
    """Return the path of an address that names no page; empty if it names a page."""
    path = unquote(urlsplit(st.context.url or "").path).strip("/")
    return path.removeprefix(str(st.get_option("server.baseUrlPath")).strip("/")).strip("/")


def _nearest(path: str, names: list[str]) -> str | None:
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(path.lower(), by_lower, 1)
    return by_lower[near[0]] if near else None
