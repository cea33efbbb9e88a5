"""Draws the results of a suite: the table, and below it evidence, mean and spread, or rank curves."""

from __future__ import annotations

import contextlib
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.figures.checks import label
from stitchlab.results.checks.answers import SUITES, Answers
from stitchlab.results.checks.table import applies, rule
from stitchlab.ui import checks_evidence, checks_files, checks_table, checks_views, embedding
from stitchlab.ui.copying import copy_link

EVIDENCE, MEAN, RANKS = "Evidence", "Mean and spread over seeds", "Rank curves"
VIEWS = (EVIDENCE, MEAN, RANKS)
CELL = ("check", "subject")  # of the address


def draw(answers: Answers | None) -> None:
    """Draw the table and one of the views below it; explain the checks where nothing is computed yet."""
    if answers is None or not answers.kept:
        _checks(opened=True)
        return
    chosen = _said(answers) or checks_evidence.first(answers)
    view = st.query_params.get("view", EVIDENCE)
    view = view if view in VIEWS and answers.store.source is None else EVIDENCE  # a file has statistics alone
    alone = view == EVIDENCE and not any(st.query_params.get(key) for key in CELL)
    with embedding.seen() if alone else contextlib.nullcontext():
        checks_table.draw(answers, chosen if view == EVIDENCE else None, lambda *cell: _write(answers, *cell))
    if alone and embedding.embedded():
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
        _chosen(answers, *chosen)
    _checks(opened=False)


def _chosen(answers: Answers, name: str, subject: str) -> None:
    """Draw the select boxes of a check and a measure, which follow a click on the table, and their evidence."""
    subjects = [each for each in answers.suite.subjects if applies(CHECKS[name], each)]
    st.session_state.update(evidence_check=name, evidence_subject=subject)
    left, right = st.columns(2)
    box: Any = {"on_change": lambda: _write(answers, *(st.session_state[f"evidence_{key}"] for key in CELL))}
    left.selectbox(
        "Check",
        [each for each in CHECKS if each in answers.kept],
        key="evidence_check",
        format_func=lambda key: CHECKS[key].label,
        **box,
    )
    right.selectbox("Measure", subjects, key="evidence_subject", format_func=label, **box)
    checks_evidence.evidence(answers, name, subject)
    checks_files.evidence(answers, name, subject)


def _write(answers: Answers, name: str, subject: str) -> None:
    """Put a check and a measure that it is for into the address: one entry of the browser's history."""
    if name not in CHECKS or subject not in answers.suite.subjects:
        return
    if not applies(CHECKS[name], subject):
        subject = next((each for each in answers.suite.subjects if applies(CHECKS[name], each)), subject)
    kept = answers.store.has(SUITES, answers.suite.id)
    st.query_params.update(
        {
            "suite": answers.suite.id if kept else st.query_params.get("suite", ""),
            "check": name,
            "subject": subject,
            "view": "",
        }
    )


def _said(answers: Answers) -> tuple[str, str] | None:
    """Return the check and the measure in the address; None, with a message, where this suite does not have them."""
    name, subject = (st.query_params.get(key, "") for key in CELL)
    if not name and not subject:
        return None
    if answers.answer(name, subject) is not None:
        return name, subject
    st.warning(f"This link's evidence is not here: {ui.literal(f'{name}, {subject}')}", icon=":material/link_off:")
    return None


def _checks(*, opened: bool) -> None:
    """Explain what each check asks, by which rule a measure passes it, and where it comes from."""
    panel = st.expander(
        "What is checked, by which rules", expanded=opened, icon=":material/rule:", key="rules", on_change="rerun"
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
