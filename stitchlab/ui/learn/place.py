"""Keeps the state of the lesson in the page's address: the step, the steps that were answered, the last answer.

Each change of the step, the answer or the cell is one new entry in the browser's history.
"""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import STEPS
from stitchlab.request import Cell
from stitchlab.ui import address

STEP = "step"
ANSWERED = "answered"
LAST_ANSWER = "said"
LAYER_SEPARATOR = "~"  # between a front and an end layer: no name of a layer contains it


def step() -> int:
    """Read the step, from 1; if the address names none that exists, return the first and warn about it."""
    number, text = _number(), st.query_params.get(STEP, "")
    if text and text != str(number):
        st.warning(
            f"The lesson has steps 1 to {len(STEPS)} and no step {ui.literal(text[:40])}: this is the first.",
            icon=":material/link_off:",
        )
    return number


def _number() -> int:
    """Read the step; the first if the address names none that exists."""
    text = st.query_params.get(STEP, "")
    return next((number for number in range(1, len(STEPS) + 1) if text == str(number)), 1)


def answered_steps() -> list[int]:
    """Read which steps were answered, in order; anything else in the address is ignored."""
    parts = st.query_params.get(ANSWERED, "").split("-")
    return [k for k in range(1, len(STEPS) + 1) if str(k) in parts]


def last_answer() -> str:
    """Read the last answer in this step."""
    return st.query_params.get(LAST_ANSWER, "")


def go(number: int) -> None:
    """Go to a step; the address loses the answer of this one, and the cell that was shown."""
    _write({STEP: str(number)}, without=(LAST_ANSWER, *address.CELL))


def answer(text: str, *, right: bool) -> None:
    """Record the answer in this step and, if it is right, that the step was answered."""
    number = _number()
    answered = sorted({*answered_steps(), *([number] if right else [])})
    _write({STEP: str(number), LAST_ANSWER: text} | ({ANSWERED: "-".join(map(str, answered))} if answered else {}))


def look(front_layer: str, end_layer: str) -> None:
    """Record which cell is shown."""
    _write(dict(zip(address.CELL, (front_layer, end_layer), strict=True)))


def words(cell: Cell) -> str:
    """Write a cell as an answer, which `cell` reads."""
    return LAYER_SEPARATOR.join(cell)


def cell(text: str, cells: list[Cell]) -> Cell | None:
    """Read a cell from an answer; None if it is none of these."""
    front, _, end = text.partition(LAYER_SEPARATOR)
    return (front, end) if (front, end) in cells else None


def _write(new: dict[str, str], without: tuple[str, ...] = ()) -> None:
    """Add these parameters to the address, in one call, so that the history gets one entry."""
    emptied = {key: "" for key in without if st.query_params.get(key)}  # an update cannot remove a key
    st.query_params.update(emptied | new)
