"""Describes the state of the lesson for its steps; asks their questions, takes answers and shows the replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.lesson import STEPS, Step
from stitchlab.jobs import JobQueue
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui.learn import place


class Reply(NamedTuple):
    """Holds the reply to an answer: whether it is right, and why, in numbers of the run."""

    right: bool
    text: str


@dataclass(frozen=True)
class Lesson:
    """Holds what a step needs: the example run, the last answer, and whether the step was answered correctly before."""

    store: Store
    jobs: JobQueue
    run: Run | None
    number: int
    last_answer: str
    answered: bool

    @property
    def step(self) -> Step:
        """Return the texts of the step."""
        return STEPS[self.number - 1]


def choose(
    lesson: Lesson, options: Mapping[str, str], right: str, reply: Callable[[str], Reply], *, beside: bool = True
) -> None:
    """Ask the question of a step whose answer is one of several options.

    Args:
        lesson: the state of the lesson.
        options: the possible answers, each with its label.
        right: the right answer.
        reply: returns the reply to an answer.
        beside: whether the reply appears beside the question instead of below it.
    """
    answer = lesson.last_answer if lesson.last_answer in options else right if lesson.answered else None
    key = f"learn-answer-{lesson.number}"
    st.session_state[key] = answer

    def take_answer() -> None:
        if (chosen := st.session_state[key]) is not None:
            place.answer(chosen, right=chosen == right)

    left, reply_column = st.columns(2, gap="large") if beside else (st.container(), st.container())
    with left:
        st.markdown(f"**Question.** {lesson.step.question}")
        st.radio(
            "Answer",
            list(options),
            key=key,
            format_func=options.__getitem__,
            on_change=take_answer,
            index=None,
            label_visibility="collapsed",
            horizontal=True,
        )
    with reply_column:
        _show(None if answer is None else reply(answer))


def ask_in_figure(lesson: Lesson, reply: Reply | None) -> None:
    """Ask the question of a step that is answered in its figure, and show the reply."""
    left, reply_column = st.columns(2, gap="large")
    left.markdown(f"**Question.** {lesson.step.question}")
    with reply_column:
        _show(reply)


def ask_for_cell(lesson: Lesson, run: Run, right: Sequence[Cell], reply: Callable[[Cell], Reply], none: str) -> None:
    """Ask the question of a step that is answered by a click on a cell, or by a button that says that there is none.

    Args:
        lesson: the state of the lesson.
        run: the run that the cells belong to.
        right: the right cells, the most telling one first; may be empty.
        reply: returns the reply to a cell.
        none: the reply, in numbers of the run, if there is no right cell.
    """
    none_exists = not right and run.complete  # a cell that is not computed yet may be a right one
    left, reply_column = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Question.** {lesson.step.question}")
        _answer_buttons(right, none_exists=none_exists)
    cell = shown_cell(lesson, run, right)
    with reply_column:
        if cell is not None:
            _show(reply(cell))
        elif lesson.last_answer != "none" and (right or not lesson.answered):
            _show(None)
        elif right:
            _show(Reply(False, "There is one: look again, or choose Show it."))
        elif none_exists:
            _show(Reply(True, none))
        else:
            missing = run.total - len(run.cells)
            _show(Reply(False, f"None so far; {missing:,} results of this run are not computed yet."))


def _answer_buttons(right: Sequence[Cell], *, none_exists: bool) -> None:
    """Draw two buttons: one answers that there is no such cell, the other shows the right answer."""
    answer = place.words(right[0]) if right else "none"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "There is no such cell",
            key="learn-none",
            icon=":material/block:",
            on_click=lambda: place.answer("none", right=none_exists),
        )
        st.button(
            "Show it",
            key="learn-show",
            icon=":material/lightbulb:",
            type="tertiary",
            on_click=lambda: place.answer(answer, right=bool(right) or none_exists),
        )


def shown_cell(lesson: Lesson, run: Run, right: Sequence[Cell]) -> Cell | None:
    """Return the answered cell; if the step was answered earlier, the most telling right cell; else None.

    Args:
        lesson: the state of the lesson.
        run: the run that the cells belong to.
        right: the right cells, the most telling one first.
    """
    cell = place.cell(lesson.last_answer, list(run.request.cells))
    return cell or (right[0] if lesson.answered and right and not lesson.last_answer else None)


def answer_by_click(run: Run, key: str, right: Sequence[Cell]) -> None:
    """Take a click on a heatmap as an answer.

    Args:
        run: the run that the heatmap shows.
        key: of the heatmap's widget.
        right: the right cells.
    """
    for point in st.session_state[key].selection.points[:1]:
        cell = run.request.front_layers[round(point["y"])], run.request.end_layers[round(point["x"])]
        place.answer(place.words(cell), right=cell in right)


def _show(reply: Reply | None) -> None:
    if reply is None:
        st.caption("The reply will appear here, in numbers of the figure.")
    elif reply.right:
        st.success(reply.text, icon=":material/check_circle:")
    else:
        st.warning(reply.text, icon=":material/replay:")


def no_run(text: str) -> None:
    """Say that a step has no run to show, and how to get one."""
    st.info(
        f"{text} Home computes the demo in about a minute; any run with both methods will do.",
        icon=":material/info:",
    )
    ui.link_to_page("app.py", "Compute the demo on Home", {}, "Two small networks on scikit-learn's digits")
