"""Draws the page Learn: the steps to choose from, the current step, the buttons Previous and Next.

The texts of the lesson are in `stitchlab.catalog.lesson`.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.glossary import meaning
from stitchlab.catalog.lesson import STEPS, Step
from stitchlab.jobs import JobQueue
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui.learn import checks, distribution, halves, heatmaps, place, runs, seeing, two_ways
from stitchlab.ui.learn.lesson import Lesson
from stitchlab.ui.opened import show_origin
from stitchlab.ui.run_table import name_of

STEP_FIGURES: tuple[Callable[[Lesson], None], ...] = (
    seeing.draw,
    halves.draw,
    two_ways.draw,
    heatmaps.distant_layers,
    heatmaps.itself,
    distribution.draw,
    checks.draw,
)

#: Questions beside the heading, by step: the figures of these steps fill the screen.
QUESTIONS_BESIDE_HEADING: dict[int, Callable[[Lesson], None]] = {3: two_ways.ask}


def draw(store: Store, jobs: JobQueue) -> None:
    """Draw the step of the lesson that the address names."""
    number, answered = place.step(), place.answered_steps()
    lesson = Lesson(store, jobs, runs.choose(store), number, place.last_answer(), number in answered)
    _navigation(number, answered)
    heading, beside = st.columns([3, 2], gap="large") if number in QUESTIONS_BESIDE_HEADING else (st.container(), None)
    with heading:
        _head(lesson)
    if beside is not None:
        with beside:
            QUESTIONS_BESIDE_HEADING[number](lesson)
    STEP_FIGURES[number - 1](lesson)


def _head(lesson: Lesson) -> None:
    """Draw the heading, the choice of the run that serves as the example, and the claim."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(f"{lesson.number}. {lesson.step.title}", help=_terms(lesson.step), width="content")
        if lesson.run is not None:
            _example_run(lesson, lesson.run)
    st.markdown(lesson.step.claim)


def _navigation(number: int, answered: list[int]) -> None:
    """Draw the steps to choose from, with the current one and the answered ones marked, and the two buttons."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        _steps(number, answered)
        with st.container(horizontal=True, width="content"):
            st.button(
                "Previous",
                key="learn-previous",
                icon=":material/arrow_back:",
                disabled=number == 1,
                on_click=lambda: place.go(number - 1),
            )
            st.button(
                "Next",
                key="learn-next",
                icon=":material/arrow_forward:",
                type="primary",
                disabled=number == len(STEPS),
                on_click=lambda: place.go(number + 1),
            )


def _steps(number: int, answered: list[int]) -> None:
    st.session_state["learn-step"] = number
    st.segmented_control(
        "Steps of the lesson",
        range(1, len(STEPS) + 1),
        key="learn-step",
        required=True,
        wrap=True,
        label_visibility="collapsed",
        on_change=lambda: place.go(int(st.session_state["learn-step"])),
        format_func=lambda k: f"{'✓ ' if k in answered else ''}{k} {STEPS[k - 1].short}",
    )


def _terms(step: Step) -> str:
    return "\n\n".join(f"**{term}**: {meaning(term)}" for term in step.terms)


def _example_run(lesson: Lesson, run: Run) -> None:
    """Name the run that serves as the example, and offer others."""
    panel = st.popover(
        "Run",
        icon=":material/dataset:",
        key="learn-with",
        on_change="rerun",
        type="tertiary",
        help=f"Example run: {ui.literal(name_of(run))}",
    )
    if panel.open:
        with panel:
            runs.pick(lesson.store, run)
            show_origin(run)
