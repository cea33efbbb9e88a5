"""Shows why a measure passes or fails a check: the question, every number with its rule, figures, and runs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.check_rules import Check
from stitchlab.catalog.checks import CHECKS
from stitchlab.errors import StitchLabError
from stitchlab.figures.checks import SIGNS, label, spread
from stitchlab.figures.checks_evidence import draw
from stitchlab.figures.grid import number
from stitchlab.results.checks.answers import Answer, Answers
from stitchlab.results.checks.table import CheckRow, rows, rule
from stitchlab.results.run import Run
from stitchlab.ui import links
from stitchlab.ui.charts import chart

WIDE = 2  # figures beside each other
RUNS, BESIDE = 12, 3  # runs that have a link of their own; links beside each other


def first(answers: Answers) -> tuple[str, str] | None:
    """Choose what is shown at first: the first check that TLM's accuracy fails, else the first answer that there is."""
    there = rows(answers)
    failed = [row for row in there if row.subject == "tlm/accuracy" and row.verdict == "fail"]
    return next(((row.check, row.subject) for row in (*failed, *there)), None)


def evidence(answers: Answers, name: str, subject: str) -> None:
    """Draw the question, numbers, figures and runs of a check; a message where it has no answer for this measure.

    Args:
        answers: what the checks of a suite found.
        name: of the check, a key of `CHECKS`.
        subject: the measure, such as ``tlm/accuracy`` or ``cka/similarity``.
    """
    check, answer = CHECKS[name], answers.answer(name, subject)
    st.header(f"{check.label}: {label(subject)}")
    st.markdown(f"**{check.question}** {check.about} ({check.reference})")
    if answer is None:
        st.info("This check is not computed yet, or not for this measure.", icon=":material/info:")
        return
    told = [row for row in rows(answers, [name]) if row.subject == subject]
    _numbers(check, told, answer)
    if (source := answers.store.source) is not None:
        st.info(
            f"{ui.literal(source.file)} holds no evidence, neither figures nor runs: import these networks and run "
            "the checks on them to see it.",
            icon=":material/inventory_2:",
        )
        return
    figures = answer.evidence.get("figures", [])
    for k in range(0, len(figures), WIDE):
        for column, (place, figure) in zip(st.columns(WIDE), enumerate(figures[k : k + WIDE], k), strict=False):
            with column:
                drawn = draw(figure, dark=ui.dark())
                more = {"width": drawn.layout.width} if drawn.layout.width else {}  # a heatmap's cells are square
                chart(
                    f"{answers.suite.id}-{name}-{subject.replace('/', '-')}",
                    drawn,
                    f"evidence-{name}-{subject}-{place}",
                    figure["title"],
                    **more,
                )
    _runs(answers, answer.evidence.get("runs", []))


def _numbers(check: Check, told: list[CheckRow], answer: Answer) -> None:
    labels = {statistic.name: statistic for statistic in check.statistics}
    lines = [
        {
            "Statistic": labels[row.statistic].label,
            "Value": "undefined" if row.value is None else f"{row.value:z.3f}".replace("-", "−"),
            "95 % interval": "" if row.low is None or row.high is None else spread(row._replace(p=None)),
            "p": "" if row.p is None else spread(row).removeprefix("p ").removeprefix("= "),
            "To pass": _rule(row, labels, answer),
            "Verdict": f"{SIGNS[row.verdict]} {row.verdict}",
            "Remark": ui.literal(row.reason),
        }
        for row in told
    ]
    shown = [name for name in lines[0] if any(line[name] for line in lines)]  # what none has would only take room
    st.table([{name: line[name] for name in shown} for line in lines])
    st.caption("  \n".join(f"**{labels[row.statistic].label}**: {labels[row.statistic].meaning}." for row in told))
    if any(statistic.tested for statistic in check.statistics):
        st.caption("p-values are corrected for the number of measures (Holm 1979).")


def _rule(row: CheckRow, labels: dict[str, Any], answer: Answer) -> str:
    bound = answer.statistics[row.statistic].bound if row.statistic in answer.statistics else None
    said = rule(labels[row.statistic])
    return f"{said} ({number(bound)})" if bound is not None and labels[row.statistic].rule == said else said


def _runs(answers: Answers, behind: list[dict[str, Any]]) -> None:
    """Link to the runs that the numbers come from, each with its own value, at its cell where there is one."""
    if not behind:
        return
    st.subheader("The runs behind it")
    there = [(each, run) for each in behind if (run := _run(answers, str(each["id"]))) is not None]
    for k in range(0, min(len(there), RUNS), BESIDE):
        for column, (each, run) in zip(st.columns(BESIDE), there[k : min(k + BESIDE, RUNS)], strict=False):
            value = "undefined" if each["value"] is None else number(float(each["value"]))
            with column:
                ui.door(
                    "pages/1_Compare.py",
                    ui.literal(f"{value} · {each['title']}"),
                    _query(run, each.get("cell")),
                    f"Open run {run.id} in Compare",
                )
    if len(there) > RUNS:
        st.caption(f"And {len(there) - RUNS} more.")
    if len(there) < len(behind):
        st.caption(f"{len(behind) - len(there)} of {len(behind)} runs are no longer in the store.")
    if len(there) > 1:
        ui.door(
            "pages/4_Runs.py",
            "All of them on the page Runs",
            [("runs", run.id) for _, run in there],
            "Together: their mean and spread, files of them",
        )


def _run(answers: Answers, name: str) -> Run | None:
    try:
        return Run.load(name, answers.store)
    except StitchLabError:
        return None


def _query(run: Run, cell: list[str] | None) -> list[tuple[str, str]]:
    return links.query(run) if cell is None else links.query(run, front_layer=cell[0], end_layer=cell[1])
