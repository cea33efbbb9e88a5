"""Holds what a step of the lesson gets: its runs and where the reader is; asks questions and replies to answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import STEPS, Step
from stitchlab.jobs import Jobs
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui.learn import place


class Reply(NamedTuple):
    """Holds the reply to an answer: whether it is right, and why, in the run's own numbers."""

    right: bool
    text: str


@dataclass(frozen=True)
class Lesson:
    """Holds what a step draws from: its run, the last answer (``said``), and whether it was answered (``done``)."""

    store: Store
    jobs: Jobs
    run: Run | None
    number: int
    said: str
    done: bool

    @property
    def step(self) -> Step:
        """Return the step, with its texts."""
        return STEPS[self.number - 1]


def choose(
    lesson: Lesson, options: Mapping[str, str], right: str, reply: Callable[[str], Reply], *, beside: bool = True
) -> None:
    """Ask the question of a step that is answered by choosing one of its options.

    Args:
        lesson: where the reader is.
        options: what may be answered, and how it reads.
        right: the right one of the options.
        reply: gives the reply to each option.
        beside: whether the reply stands beside the question, and not below it.
    """
    said = lesson.said if lesson.said in options else right if lesson.done else None
    key = f"learn-answer-{lesson.number}"
    st.session_state[key] = said

    def chosen() -> None:
        if (words := st.session_state[key]) is not None:
            place.answer(words, right=words == right)

    left, answer = st.columns(2, gap="large") if beside else (st.container(), st.container())
    with left:
        st.markdown(f"**Question.** {lesson.step.question}")
        st.radio(
            "Answer",
            list(options),
            key=key,
            format_func=options.__getitem__,
            on_change=chosen,
            index=None,
            label_visibility="collapsed",
            horizontal=True,
        )
    with answer:
        _reply(None if said is None else reply(said))


def put(lesson: Lesson, reply: Reply | None) -> None:
    """Ask the question of a step whose figure takes the answer itself, and show the reply to that."""
    left, answer = st.columns(2, gap="large")
    left.markdown(f"**Question.** {lesson.step.question}")
    with answer:
        _reply(reply)


def find(lesson: Lesson, run: Run, right: Sequence[Cell], reply: Callable[[Cell], Reply], none: str) -> None:
    """Ask the question of a step that is answered by a click on a cell, or by saying that there is none.

    Args:
        lesson: where the reader is.
        run: whose cells they are.
        right: the right cells, the most telling one first; empty: there is none.
        reply: gives the reply to a cell.
        none: the reply, in the run's numbers, where there is none.
    """
    settled = not right and run.complete  # cells that are not computed yet may be what is asked for
    left, answer = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Question.** {lesson.step.question}")
        _without_click(right, settled=settled)
    cell = shown_cell(lesson, run, right)
    with answer:
        if cell is not None:
            _reply(reply(cell))
        elif lesson.said != "none" and (right or not lesson.done):
            _reply(None)
        elif right:
            _reply(Reply(False, "There is one: look again, or choose Show it."))
        elif settled:
            _reply(Reply(True, none))
        else:
            to_come = run.total - len(run.cells)
            _reply(Reply(False, f"None so far; {to_come:,} results of this run are not computed yet."))


def _without_click(right: Sequence[Cell], *, settled: bool) -> None:
    """Draw two buttons that answer in place of a click: that there is no such cell, and to have the answer shown."""
    answer = place.words(right[0]) if right else "none"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "There is no such cell",
            key="learn-none",
            icon=":material/block:",
            on_click=lambda: place.answer("none", right=settled),
        )
        st.button(
            "Show it",
            key="learn-show",
            icon=":material/lightbulb:",
            type="tertiary",
            on_click=lambda: place.answer(answer, right=bool(right) or settled),
        )


def shown_cell(lesson: Lesson, run: Run, right: Sequence[Cell]) -> Cell | None:
    """Return the cell that was answered; where the step was answered earlier, the most telling one; else None.

    Args:
        lesson: where the reader is.
        run: whose cells they are.
        right: the right cells, the most telling one first.
    """
    said = place.cell(lesson.said, list(run.request.cells))
    return said or (right[0] if lesson.done and right and not lesson.said else None)


def clicked(run: Run, key: str, right: Sequence[Cell]) -> None:
    """Take a click on a heatmap as an answer.

    Args:
        run: whose heatmap it is.
        key: of the heatmap's widget.
        right: (front layer, end layer) of the right cells.
    """
    for point in st.session_state[key].selection.points[:1]:
        cell = run.request.front_layers[round(point["y"])], run.request.end_layers[round(point["x"])]
        place.answer(place.words(cell), right=cell in right)


def _reply(reply: Reply | None) -> None:
    if reply is None:
        st.caption("The reply stands here, in the numbers of the figure.")
    elif reply.right:
        st.success(reply.text, icon=":material/check_circle:")
    else:
        st.warning(reply.text, icon=":material/replay:")


def lacking(what: str) -> None:
    """Say that a step has no run to show, and how to get one."""
    st.info(
        f"{what} Home computes the demo in about a minute; any run that has both methods will do.",
        icon=":material/info:",
    )
    ui.door("app.py", "Compute the demo on Home", {}, "Two small networks on scikit-learn's digits")
