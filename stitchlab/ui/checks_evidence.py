"""Shows why a measure passes or fails a check: the question, every number with its rule, figures, and runs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.check_rules import Check, Statistic
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

FIGURES_PER_ROW = 2
MAX_LINKED_RUNS = 12  # runs that have a link of their own
LINKS_PER_ROW = 3


def first(answers: Answers) -> tuple[str, str] | None:
    """Choose what is shown at first: the first check that TLM's accuracy fails, else the first computed answer."""
    computed = rows(answers)
    failed = [row for row in computed if row.subject == "tlm/accuracy" and row.verdict == "fail"]
    return next(((row.check, row.subject) for row in (*failed, *computed)), None)


def evidence(answers: Answers, name: str, subject: str) -> None:
    """Draw the question, numbers, figures and runs of a check; a message if it has no answer for this measure.

    Args:
        answers: results of a suite's checks.
        name: of the check, a key of `CHECKS`.
        subject: the measure, such as ``tlm/accuracy`` or ``cka/similarity``.
    """
    check, answer = CHECKS[name], answers.answer(name, subject)
    st.header(f"{check.label}: {label(subject)}")
    st.markdown(f"**{check.question}** {check.about} ({check.reference})")
    if answer is None:
        st.info("This check is not computed yet, or does not apply to this measure.", icon=":material/info:")
        return
    statistics = [row for row in rows(answers, [name]) if row.subject == subject]
    _numbers(check, statistics, answer)
    if (source := answers.store.source) is not None:
        st.info(
            f"{ui.literal(source.file)} holds no evidence, neither figures nor runs. To see it, import these networks "
            "and run the checks on them.",
            icon=":material/inventory_2:",
        )
        return
    figures = answer.evidence.get("figures", [])
    for start in range(0, len(figures), FIGURES_PER_ROW):
        row = enumerate(figures[start : start + FIGURES_PER_ROW], start)
        for column, (position, figure) in zip(st.columns(FIGURES_PER_ROW), row, strict=False):
            with column:
                chart_figure = draw(figure, dark=ui.dark())
                width = chart_figure.layout.width  # set for heatmaps alone, whose cells are square
                chart(
                    f"{answers.suite.id}-{name}-{subject.replace('/', '-')}",
                    chart_figure,
                    f"evidence-{name}-{subject}-{position}",
                    figure["title"],
                    **({"width": width} if width else {}),
                )
    _runs(answers, answer.evidence.get("runs", []))


def _numbers(check: Check, rows_of_check: list[CheckRow], answer: Answer) -> None:
    statistics = {statistic.name: statistic for statistic in check.statistics}
    lines = [
        {
            "Statistic": statistics[row.statistic].label,
            "Value": "undefined" if row.value is None else f"{row.value:z.3f}".replace("-", "−"),
            "95 % interval": "" if row.low is None or row.high is None else spread(row._replace(p=None)),
            "p": "" if row.p is None else spread(row).removeprefix("p ").removeprefix("= "),
            "To pass": _rule(row, statistics, answer),
            "Verdict": f"{SIGNS[row.verdict]} {row.verdict}",
            "Remark": ui.literal(row.reason),
        }
        for row in rows_of_check
    ]
    columns = [name for name in lines[0] if any(line[name] for line in lines)]  # without those that are always empty
    st.table([{name: line[name] for name in columns} for line in lines])
    listed = [statistics[row.statistic] for row in rows_of_check]
    st.caption("  \n".join(f"**{statistic.label}**: {statistic.meaning}." for statistic in listed))
    if any(statistic.tested for statistic in check.statistics):
        st.caption("p-values are corrected for the number of measures (Holm 1979).")


def _rule(row: CheckRow, statistics: dict[str, Statistic], answer: Answer) -> str:
    bound = answer.statistics[row.statistic].bound if row.statistic in answer.statistics else None
    text = rule(statistics[row.statistic])
    return f"{text} ({number(bound)})" if bound is not None and statistics[row.statistic].rule == text else text


def _runs(answers: Answers, sources: list[dict[str, Any]]) -> None:
    """Link to the runs that the numbers come from. Each link shows the run's value and leads to its cell, if any."""
    if not sources:
        return
    st.subheader("The runs behind it")
    linked = [(source, run) for source in sources if (run := _load_run(answers, str(source["id"]))) is not None]
    shown = linked[:MAX_LINKED_RUNS]
    for start in range(0, len(shown), LINKS_PER_ROW):
        row = shown[start : start + LINKS_PER_ROW]
        for column, (source, run) in zip(st.columns(LINKS_PER_ROW), row, strict=False):
            value = "undefined" if source["value"] is None else number(float(source["value"]))
            with column:
                ui.link_to_page(
                    "pages/1_Compare.py",
                    ui.literal(f"{value} · {source['title']}"),
                    _query(run, source.get("cell")),
                    f"Open run {run.id} in Compare",
                )
    if len(linked) > MAX_LINKED_RUNS:
        st.caption(f"And {len(linked) - MAX_LINKED_RUNS} more.")
    if len(linked) < len(sources):
        st.caption(f"{len(sources) - len(linked)} of {len(sources)} runs are no longer in the store.")
    if len(linked) > 1:
        ui.link_to_page(
            "pages/4_Runs.py",
            "All of them on the page Runs",
            [("runs", run.id) for _, run in linked],
            "All of them together: mean and spread, and files",
        )


def _load_run(answers: Answers, run_id: str) -> Run | None:
    try:
        return Run.load(run_id, answers.store)
    except StitchLabError:
        return None


def _query(run: Run, cell: list[str] | None) -> list[tuple[str, str]]:
    return links.query(run) if cell is None else links.query(run, front_layer=cell[0], end_layer=cell[1])
