"""Draws the interactive figure of the lesson: two ways to find a map between two planes, live in the browser.

Activations of 16 images at a layer of two features, of a front and of an end network. Direct matching is solved, and
task loss matching trained, whenever a point is moved, in the browser alone; the scripts that lie here are parts of one
module, joined in the order of `SCRIPTS`. Those of them that are arithmetic know no page, so that tests can run them.

All that the reader changes stands in the address, in one parameter (`state.js` says its form), which the browser
writes. Once it rests there it is told to this side, which has to know the address of the page: Streamlit would write
an old one back when a script adds to it. Only this figure is run again for it, and the history gets no entry, since
the address stands there already.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import streamlit as st

from stitchlab.catalog import toy
from stitchlab.ui import embedding

PARAMETER = "toy"
SCRIPTS = ("arithmetic.js", "state.js", "outcome.js", "plane.js", "view.js", "toy.js")
_KEY = "toy-figure"


@cache
def part(name: str) -> str:
    """Read a file that lies beside this one."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


_figure = st.components.v2.component(
    "stitchlab_toy", html=part("toy.html"), css=part("toy.css"), js="\n".join(map(part, SCRIPTS))
)


def draw() -> None:
    """Draw the figure in the state that the address says, or in its first one where it says none."""
    with embedding.seen():
        _alone()


def data() -> dict[str, object]:
    """Describe the figure's points and settings as JSON."""
    return {
        "tail": toy.TAIL,
        "native": toy.NATIVE,
        "labels": toy.LABELS,
        "situations": {
            name: {"label": one.label, "has": one.has, "see": one.see, "front": one.front, "swapped": one.swapped}
            for name, one in toy.SITUATIONS.items()
        },
    }


@st.fragment
def _alone() -> None:
    _figure(key=_KEY, data=data(), on_address_change=_follow)


def _follow() -> None:
    """Take over what the browser wrote into the address."""
    text = st.session_state[_KEY].get("address")
    if isinstance(text, str) and re.fullmatch(r"[0-9a-z.]{1,250}", text):
        st.query_params[PARAMETER] = text
