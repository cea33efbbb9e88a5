"""Decide which measures pass which checks: statistics by the catalog's rules, with corrected tests (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from stitchlab.catalog.check_rules import ALPHA, Check, Statistic
from stitchlab.catalog.checks import CHECKS
from stitchlab.results.chance import holm
from stitchlab.results.checks.answers import Answers, Number
from stitchlab.results.checks.suite import Checking
from stitchlab.results.quantity import Quantity

Verdict = Literal["pass", "fail", "not enough data"]

ROUNDING = 1e-9  # tolerance for shares, which are means and so have rounding errors


class CheckRow(NamedTuple):
    """Hold a row of `check`'s table; ``p`` is corrected over the measures of its statistic; numbers may be None."""

    check: str
    subject: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: Verdict
    reason: str


def applies(check: Check, subject: str) -> bool:
    """Tell whether a check applies to a measure.

    >>> applies(CHECKS["chance"], "cka/similarity"), applies(CHECKS["in-distribution"], "tlm/distance")
    (True, False)
    """
    quantity = Quantity.of(subject)
    return check.of == "all" or (quantity.metric == "accuracy" if check.of == "accuracy" else not quantity.stitched)


def has(statistic: Statistic, subject: str) -> bool:
    """Tell whether a measure has this statistic, given that its check applies to the measure."""
    return statistic.only in ("", Quantity.of(subject).name)


def lacks(check: Check, checking: Checking) -> str:
    """Say what a check needs and a suite does not have; empty if the suite has everything."""
    largest_group = max(len(group) for group in checking.alike)
    if check.same_layers and largest_group < 2:
        return "needs two networks with the same layers; these have different ones, or there is only one"
    if len(checking.networks) < check.networks:
        return f"needs {check.networks} networks; got {len(checking.networks)}"
    layers = min(len(run.request.end_layers) for run in checking.within.values())
    if layers < check.layers:
        return f"needs {check.layers} layers; got {layers}"
    if checking.suite.eval_images < check.images:
        return f"needs {check.images} evaluation images; got {checking.suite.eval_images}"
    return ""


def rows(answers: Answers, names: Sequence[str] = tuple(CHECKS)) -> list[CheckRow]:
    """List the computed statistics of these checks, for every measure that each check applies to."""
    table = []
    for check in (CHECKS[name] for name in CHECKS if name in names and name in answers.kept):
        numbers = {
            (subject, statistic): answer.statistics[statistic.name]
            for subject in answers.suite.subjects
            if applies(check, subject)
            if (answer := answers.answer(check.name, subject)) is not None
            for statistic in check.statistics
            if statistic.name in answer.statistics
        }
        adjusted = _adjusted(check, numbers)
        for (subject, statistic), number in numbers.items():
            p = adjusted[subject, statistic]
            tests = sum(tested is statistic and each.p is not None for (_, tested), each in numbers.items())
            decision, why = verdict(statistic, number, p, tests)
            reason = "; ".join(filter(None, (why, number.reason)))
            table.append(CheckRow(check.name, subject, statistic.name, *number[:3], p, decision, reason))
    return table


def verdict(statistic: Statistic, number: Number, p: float | None, tests: int = 1) -> tuple[Verdict, str]:
    """Decide whether a statistic, with its corrected p-value, passes its rule.

    Args:
        statistic: has the rule.
        number: the statistic's value.
        p: its p-value, corrected over the measures.
        tests: the number of measures in the correction: where even the smallest possible p-value would not pass it, the
            verdict is ``not enough data``.

    Returns:
        the verdict, and why it is ``not enough data`` if the number has no reason of its own.
    """
    bound = number.bound if statistic.rule == "at most the probe's" else statistic.bound
    if number.value is None or bound is None or (statistic.tested and p is None):
        return "not enough data", ""
    holds = number.value >= bound - ROUNDING if statistic.rule == "at least" else number.value <= bound + ROUNDING
    if not (statistic.tested and p is not None and p >= ALPHA):
        return ("pass" if holds else "fail"), ""
    if holds and number.least_p is not None and number.least_p * tests >= ALPHA:
        return "not enough data", (
            "so few layers or ranks cannot give a p-value that passes the correction: take more networks"
        )
    return "fail", ""


def rule(statistic: Statistic) -> str:
    """Describe the rule of a statistic, for people.

    >>> rule(CHECKS["self"].statistics[0]), rule(CHECKS["sensitivity"].statistics[0])
    ('at least 0.95', 'above 0, p < 0.05')
    """
    if statistic.tested:
        return f"above {statistic.bound:g}, p < {ALPHA:g}"
    return statistic.rule if statistic.rule == "at most the probe's" else f"{statistic.rule} {statistic.bound:g}"


def _adjusted(check: Check, numbers: dict[tuple[str, Statistic], Number]) -> dict[tuple[str, Statistic], float | None]:
    """Return the p-values of a check; those of tested statistics are corrected over the measures that have one."""
    p_values = {place: number.p for place, number in numbers.items()}
    for statistic in (statistic for statistic in check.statistics if statistic.tested):
        uncorrected = {place: p for place, p in p_values.items() if place[1] is statistic and p is not None}
        p_values.update(zip(uncorrected, holm(list(uncorrected.values())), strict=True))
    return p_values
