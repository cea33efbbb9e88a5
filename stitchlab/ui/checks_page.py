"""Draws the results of a suite: the table, and below it evidence, mean and spread, or rank curves."""

from __future__ import annotations

import contextlib
from typing import Any, Literal, get_args

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.figures.checks import label
from stitchlab.results.checks.answers import SUITES, Answers
from stitchlab.results.checks.table import applies, rule
from stitchlab.ui import checks_evidence, checks_files, checks_table, checks_views, embedding
from stitchlab.ui.copying import copy_link

View = Literal["Evidence", "Mean and spread over seeds", "Rank curves"]  #: what stands below the table
EVIDENCE: View = "Evidence"
MEAN: View = "Mean and spread over seeds"
RANKS: View = "Rank curves"
VIEWS: tuple[View, ...] = get_args(View)
CELL = ("check", "subject")  # query parameters of a cell of the table


def draw(answers: Answers | None) -> None:
    """Draw the table and one of the views below it; if nothing is computed yet, explain the checks."""
    if answers is None or not answers.kept:
        _explain_checks(expanded=True)
        return
    chosen = _cell_of_address(answers) or checks_evidence.first(answers)
    view = st.query_params.get("view", EVIDENCE)
    view = view if view in VIEWS and answers.store.source is None else EVIDENCE  # a file has only statistics
    table_alone = view == EVIDENCE and not any(st.query_params.get(key) for key in CELL)
    with embedding.seen() if table_alone else contextlib.nullcontext():
        checks_table.draw(answers, chosen if view == EVIDENCE else None, lambda *cell: _write(answers, *cell))
    if table_alone and embedding.embedded():
        return
    checks_files.table(answers)
    left, right = st.columns([6, 1], vertical_alignment="center")
    st.session_state["checks_view"] = view
    if answers.store.source is None:
        left.segmented_control(
            "Show",
            VIEWS,
            key="checks_view",
            required=True,
            wrap=True,
            label_visibility="collapsed",
            on_change=lambda: st.query_params.update({"view": st.session_state["checks_view"]}),
        )
    with right:
        copy_link([("suite", answers.suite.id)])
    if view == MEAN:
        checks_views.mean_and_spread(answers)
    elif view == RANKS:
        checks_views.rank_curves(answers)
    elif chosen is not None:
        _draw_evidence(answers, *chosen)
    _explain_checks(expanded=False)


def _draw_evidence(answers: Answers, name: str, subject: str) -> None:
    """Draw the select boxes of a check and a measure, which follow a click on the table, and the evidence."""
    subjects = [measure for measure in answers.suite.subjects if applies(CHECKS[name], measure)]
    st.session_state.update(evidence_check=name, evidence_subject=subject)
    left, right = st.columns(2)
    callback: Any = {"on_change": lambda: _write(answers, *(st.session_state[f"evidence_{key}"] for key in CELL))}
    left.selectbox(
        "Check",
        [check for check in CHECKS if check in answers.kept],
        key="evidence_check",
        format_func=lambda key: CHECKS[key].label,
        **callback,
    )
    right.selectbox("Measure", subjects, key="evidence_subject", format_func=label, **callback)
    checks_evidence.evidence(answers, name, subject)
    checks_files.evidence(answers, name, subject)


def _write(answers: Answers, name: str, subject: str) -> None:
    """Put a check, and a measure that it applies to, into the address: one entry of the browser's history."""
    if name not in CHECKS or subject not in answers.suite.subjects:
        return
    if not applies(CHECKS[name], subject):
        subject = next((measure for measure in answers.suite.subjects if applies(CHECKS[name], measure)), subject)
    kept = answers.store.has(SUITES, answers.suite.id)
    st.query_params.update(
        {
            "suite": answers.suite.id if kept else st.query_params.get("suite", ""),
            "check": name,
            "subject": subject,
            "view": "",
        }
    )


def _cell_of_address(answers: Answers) -> tuple[str, str] | None:
    """Return the check and the measure in the address; None, with a message, if this suite does not have them."""
    name, subject = (st.query_params.get(key, "") for key in CELL)
    if not name and not subject:
        return None
    if answers.answer(name, subject) is not None:
        return name, subject
    st.warning(f"This link's evidence is not here: {ui.literal(f'{name}, {subject}')}", icon=":material/link_off:")
    return None


def _explain_checks(*, expanded: bool) -> None:
    """Explain what each check asks, what a measure needs to pass it, and where the check comes from."""
    panel = st.expander(
        "What is checked, and by which rules", expanded=expanded, icon=":material/rule:", key="rules", on_change="rerun"
    )
    if panel.open:
        panel.table(
            [
                {
                    "Check": check.label,
                    "Question": check.question,
                    "To pass": "; ".join(f"{statistic.label} {rule(statistic)}" for statistic in check.statistics),
                    "Reference": check.reference,
                }
                for check in CHECKS.values()
            ]
        )
