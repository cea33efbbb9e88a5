"""Handles addresses of pages that do not exist: Streamlit runs Home there, which says so and names the likely page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAPIException


def warn(on_home: bool, pages: Mapping[str, str]) -> None:
    """Say on Home, until another page is opened, which page was asked for and does not exist."""
    if not on_home:
        st.session_state.pop("unknown_page", None)
        return
    if asked := _path():
        st.session_state["unknown_page"] = asked  # Streamlit takes it out of the address as soon as Home is drawn
    if not (unknown := st.session_state.get("unknown_page")):
        return
    near = _nearest(unknown, list(pages))
    st.warning(
        "No page has the address that was opened. " + ("This is Home." if near is None else f"Did you mean {near}?"),
        icon=":material/link_off:",
    )
    if near is not None:
        query = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
        with contextlib.suppress(StreamlitAPIException):
            st.page_link(pages[near], label=near, icon=":material/arrow_forward:", query_params=query)


def _path() -> str:
    """Return the last part of an address that has no page; empty where there is a page."""
    path = unquote(urlsplit(st.context.url or "").path).strip("/")
    return path.removeprefix(str(st.get_option("server.baseUrlPath")).strip("/")).strip("/")


def _nearest(asked: str, names: list[str]) -> str | None:
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(asked.lower(), by_lower, 1)
    return by_lower[near[0]] if near else None
