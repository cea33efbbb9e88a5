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
    """Draw the table of checks, or what each check asks if none is computed; the question; what to report."""
    answers = _answers(lesson)
    if answers is None:
        left, right = st.columns(2, gap="large")
        all_checks = list(CHECKS.values())
        half = (len(all_checks) + 1) // 2
        for column, checks in ((left, all_checks[:half]), (right, all_checks[half:])):
            column.table([{"Check": check.label, "What it asks": check.question} for check in checks])
        ui.link_to_page(
            PAGE, "Compute the checks", {}, "On the demo's networks, or your own: verdicts for every measure"
        )
    else:
        checks_table.draw(answers, None, lambda check, subject: _open_evidence(answers, check, subject), MEASURES)
        _go_to_evidence()
        st.caption(f"On {ui.literal(answers.checking.title)}.")
    choose(
        lesson,
        {name: CHECKS[name].label for name in CHOICES_OF_CHECKS},
        ASKS_FOR_DISTANT,
        lambda answer: _reply(answers, answer),
    )
    _report(lesson, answers)


def _answers(lesson: Lesson) -> Answers | None:
    """Return a table of checks, computed here or opened: of the run's networks if possible, else the newest one."""
    own = (answers_of(lesson.store, record) for record in suites(lesson.store))
    tables = [table for table in (*own, *shelf.tables(lesson.store)) if table is not None and table.kept]
    return next((table for table in tables if _is_of_run(table, lesson.run)), next(iter(tables), None))


def _is_of_run(answers: Answers, run: Run | None) -> bool:
    """Tell whether a table is about a run's networks, on the run's data."""
    return (
        run is not None
        and run.request.data == answers.suite.data
        and ({run.request.front, run.request.end} <= set(answers.suite.networks))
    )


def _open_evidence(answers: Answers, check: str, subject: str) -> None:
    st.session_state["evidence"] = {"suite": answers.suite.id, "check": check, "subject": subject}


def _go_to_evidence() -> None:
    """Go to the evidence of the clicked cell; the click only stored it, as a callback cannot switch pages."""
    if parameters := st.session_state.pop("evidence", None):
        st.switch_page(PAGE, query_params=parameters)


def _reply(answers: Answers | None, answer: str) -> Reply:
    check = CHECKS[answer]
    if answer != ASKS_FOR_DISTANT:
        return Reply(False, f"*{check.label}* asks something else: {check.question}")
    return Reply(
        True,
        f"*{check.label}*: {check.question}{_verdicts(answers)} The finding of step 5 is tested by "
        f"*{CHECKS['self'].label}*, that of step 6 by *{CHECKS['in-distribution'].label}*.",
    )


def _verdicts(answers: Answers | None) -> str:
    """Say how both methods did in the check; empty if it is not computed."""
    rows = {} if answers is None else first_rows(answers)
    verdicts = [
        f"{label}: {row.verdict}" + ("" if row.value is None else f" ({row.value:.2f})")
        for method, label in METHOD_LABELS.items()
        if (row := rows.get((ASKS_FOR_DISTANT, f"{method}/accuracy"))) is not None
    ]
    return f" {', '.join(verdicts)}." if verdicts else ""


def _report(lesson: Lesson, answers: Answers | None) -> None:
    if lesson.run is None:
        return
    table = answers if answers is not None and _is_of_run(answers, lesson.run) else None
    with st.expander("What to report in a paper about this run", expanded=answers is None, icon=":material/article:"):
        st.code(report(lesson.run, table), language=None, wrap_lines=True)
