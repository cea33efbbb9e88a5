"""Keeps in the address where a reader is in the lesson: the step, which steps were answered, the last answer.

Whatever a reader does, a step, an answer, a cell, is one new entry of the browser's history.
"""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import STEPS
from stitchlab.request import Cell
from stitchlab.ui import address

STEP, ANSWERED, SAID = "step", "answered", "said"
BETWEEN = "~"  # a front layer and an end layer: no layer has it in its name


def step() -> int:
    """Read the step, 1 or more; where the address names none that exists, it is the first, and a remark says so."""
    number, said = _number(), st.query_params.get(STEP, "")
    if said and said != str(number):
        st.warning(
            f"The lesson has steps 1 to {len(STEPS)}, and no step {ui.literal(said[:40])}: this is the first.",
            icon=":material/link_off:",
        )
    return number


def _number() -> int:
    """Read the step; it is the first where the address names none that exists."""
    said = st.query_params.get(STEP, "")
    return next((number for number in range(1, len(STEPS) + 1) if said == str(number)), 1)


def answered() -> list[int]:
    """Read which steps were answered, in their order; what is no step is left out."""
    parts = st.query_params.get(ANSWERED, "").split("-")
    return [k for k in range(1, len(STEPS) + 1) if str(k) in parts]


def said() -> str:
    """Read the last answer in this step."""
    return st.query_params.get(SAID, "")


def go(to: int) -> None:
    """Go to a step: the answer of this one, and the cell that was looked at, are left behind."""
    _write({STEP: str(to)}, without=(SAID, *address.CELL))


def answer(words: str, *, right: bool) -> None:
    """Write down the answer in this step, and, where it is right, that the step was answered."""
    here = _number()
    done = sorted({*answered(), *([here] if right else [])})
    _write({STEP: str(here), SAID: words} | ({ANSWERED: "-".join(map(str, done))} if done else {}))


def look(front_layer: str, end_layer: str) -> None:
    """Write down which cell is looked at."""
    _write(dict(zip(address.CELL, (front_layer, end_layer), strict=True)))


def words(cell: Cell) -> str:
    """Write a cell as `said` returns it."""
    return BETWEEN.join(cell)


def cell(of: str, cells: list[Cell]) -> Cell | None:
    """Read a cell; None where the text is none of these."""
    front, _, end = of.partition(BETWEEN)
    return (front, end) if (front, end) in cells else None


def _write(new: dict[str, str], without: tuple[str, ...] = ()) -> None:
    """Make these keys the address, beside all that it says already: by one call, which is one entry."""
    left = {key: "" for key in without if st.query_params.get(key)}  # an update cannot remove a key
    st.query_params.update(left | new)
