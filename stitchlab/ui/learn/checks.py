"""Draws step 7: which measure passes which check, and what a paper should report."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.lesson import ASKS_FOR_DISTANT, CHOICES_OF_CHECKS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.checks import first_rows
from stitchlab.results import shelf
from stitchlab.results.checks.answers import Answers, answers_of, suites
from stitchlab.results.reporting import report
from stitchlab.results.run import Run
from stitchlab.ui import checks_table
from stitchlab.ui.learn.lesson import Lesson, Reply, choose

PAGE = "pages/3_Checks.py"
#: The measures of the lesson's table: both methods, and the indices that are default.
MEASURES = (
    "tlm/accuracy",
    "dm/accuracy",
    *(f"{index.name}/{index.metric}" for index in INDICES.values() if index.default),
)


def draw(lesson: Lesson) -> None:
    """Draw the table of checks, or what each check asks where nobody has computed one; the question; what to report."""
    answers = _answers(lesson)
    if answers is None:
        left, right = st.columns(2, gap="large")
        named = list(CHECKS.values())
        half = (len(named) + 1) // 2
        for column, some in ((left, named[:half]), (right, named[half:])):
            column.table([{"Check": check.label, "What it asks": check.question} for check in some])
        ui.door(PAGE, "Compute the checks", {}, "On the demo's networks, or your own: verdicts for every measure")
    else:
        checks_table.draw(answers, None, lambda check, subject: _open(answers, check, subject), MEASURES)
        _follow()
        st.caption(f"On {ui.literal(answers.checking.title)}.")
    choose(
        lesson,
        {name: CHECKS[name].label for name in CHOICES_OF_CHECKS},
        ASKS_FOR_DISTANT,
        lambda said: _reply(answers, said),
    )
    _report(lesson, answers)


def _answers(lesson: Lesson) -> Answers | None:
    """Return a table of checks, one's own or a file's: of the run's networks if possible, else the newest, if any."""
    own = (answers_of(lesson.store, record) for record in suites(lesson.store))
    there = [found for found in (*own, *shelf.tables(lesson.store)) if found is not None and found.kept]
    return next((found for found in there if _of_run(found, lesson.run)), next(iter(there), None))


def _of_run(answers: Answers, run: Run | None) -> bool:
    """Tell whether a table is of a run's networks, on its data."""
    return (
        run is not None
        and run.request.data == answers.suite.data
        and ({run.request.front, run.request.end} <= set(answers.suite.networks))
    )


def _open(answers: Answers, check: str, subject: str) -> None:
    st.session_state["evidence"] = {"suite": answers.suite.id, "check": check, "subject": subject}


def _follow() -> None:
    """Go to the evidence of a cell that was clicked: a click's callback cannot switch pages, so it leaves a note."""
    if asked := st.session_state.pop("evidence", None):
        st.switch_page(PAGE, query_params=asked)


def _reply(answers: Answers | None, said: str) -> Reply:
    check = CHECKS[said]
    if said != ASKS_FOR_DISTANT:
        return Reply(False, f"*{check.label}* asks something else: {check.question}")
    return Reply(
        True,
        f"*{check.label}*: {check.question}{_verdicts(answers)} What step 5 found is asked by "
        f"*{CHECKS['self'].label}*, and step 6 by *{CHECKS['in-distribution'].label}*.",
    )


def _verdicts(answers: Answers | None) -> str:
    """Say how both methods did in the check, where it was computed."""
    found = {} if answers is None else first_rows(answers)
    said = [
        f"{label}: {row.verdict}" + ("" if row.value is None else f" ({row.value:.2f})")
        for method, label in METHOD_LABELS.items()
        if (row := found.get((ASKS_FOR_DISTANT, f"{method}/accuracy"))) is not None
    ]
    return f" {', '.join(said)}." if said else ""


def _report(lesson: Lesson, answers: Answers | None) -> None:
    if lesson.run is None:
        return
    of_run = answers if answers is not None and _of_run(answers, lesson.run) else None
    with st.expander(
        "What to report in a paper, as this run has it", expanded=answers is None, icon=":material/article:"
    ):
        st.code(report(lesson.run, of_run), language=None, wrap_lines=True)
