"""Draws the interactive figure of the lesson: two ways to find a map between two planes, computed in the browser.

It shows the activations of 16 images at a layer of two features, in a front and in an end network. Whenever a point is
moved, the browser solves direct matching and trains task loss matching again. The scripts in this folder are joined
into one module in the order of `SCRIPTS`; `arithmetic.js` does not touch the page, so that tests can run it by itself.

The browser writes the reader's changes into one parameter of the address (`state.js` describes its form). After a pause
it sends that parameter to Python: otherwise Streamlit would restore an old address the next time it adds a parameter.
This reruns the figure alone and adds no entry to the browser's history, since the address is already the new one.
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
    """Read a file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


_figure = st.components.v2.component(
    "stitchlab_toy", html=part("toy.html"), css=part("toy.css"), js="\n".join(map(part, SCRIPTS))
)


def draw() -> None:
    """Draw the figure in the state that the address contains, else in its initial state."""
    with embedding.seen():
        _fragment()


def data() -> dict[str, object]:
    """Describe the figure's points and settings as JSON."""
    return {
        "tail": toy.TAIL,
        "native": toy.NATIVE,
        "labels": toy.LABELS,
        "situations": {
            name: {
                "label": situation.label,
                "has": situation.has,
                "see": situation.see,
                "front": situation.front,
                "swapped": situation.swapped,
            }
            for name, situation in toy.SITUATIONS.items()
        },
    }


@st.fragment
def _fragment() -> None:
    _figure(key=_KEY, data=data(), on_address_change=_take_address)


def _take_address() -> None:
    """Copy the parameter that the browser wrote into Streamlit's view of the address."""
    text = st.session_state[_KEY].get("address")
    if isinstance(text, str) and re.fullmatch(r"[0-9a-z.]{1,250}", text):
        st.query_params[PARAMETER] = text
