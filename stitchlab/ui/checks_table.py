"""Draws the table of checks: measures down, checks across; every cell is a button that opens its evidence.

It is HTML, since the canvas of Streamlit's tables has no text for screen readers. Its headings name rows and columns,
Tab reaches the chosen cell, the arrow keys reach its neighbours, and on a narrow page the table scrolls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

import streamlit as st

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.checks import first_rows, short, sign, spread
from stitchlab.figures.template import VERDICTS
from stitchlab.request import METHODS
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.table import CheckRow, rule

LEGEND = (
    "✓ pass · ✗ fail · ? not enough data · – the check does not apply to this measure · … not computed yet. In a cell: "
    "the check's first statistic, and below it its 95 % interval or its p-value; in a heading: what it takes to pass. "
    "A click on a cell, or the arrow keys and Enter, shows its evidence. p-values of tests are corrected for the "
    "number of measures (Holm 1979)."
)

_CSS = """
:host { display: block; }
.scroller { overflow-x: auto; border: 1px solid var(--st-border-color); border-radius: .5rem; }
table { border-collapse: separate; border-spacing: 2px; width: 100%; font-size: .875rem; line-height: 1.2;
  color: var(--st-text-color); }
th { font-weight: 600; text-align: left; padding: .3rem .4rem; background: var(--st-background-color); }
thead th { vertical-align: bottom; min-width: 4.9rem; text-align: center; }
tbody th[scope=row], thead th:first-child { position: sticky; left: 0; z-index: 1; min-width: 7.5rem; }
tbody th[scope=row] { font-weight: 400; }
thead th:first-child { text-align: left; }
th[scope=rowgroup] { padding-top: .7rem; }
th[scope=rowgroup] span { position: sticky; left: .5rem; }
small { display: block; font-size: .75rem; font-weight: 400; }
td { padding: 0; height: 1px; text-align: center; border-radius: .25rem; }
td.undecided { background: var(--st-secondary-background-color); }
button { font: inherit; color: inherit; background: none; border: 0; border-radius: .25rem; cursor: pointer;
  width: 100%; height: 100%; min-height: 2.6rem; padding: .2rem .1rem; white-space: nowrap; }
button:hover { box-shadow: inset 0 0 0 1px var(--st-text-color); }
button[aria-pressed=true] { box-shadow: inset 0 0 0 2px var(--st-text-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
""" + "".join(
    f"td.{verdict} {{ background: color-mix(in srgb, {colour} {share:.0%}, transparent); }}\n"
    for verdict, (colour, share) in VERDICTS.items()
)

_SCRIPT = """
const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function make(name, properties = {}, ...inside) {
    const created = Object.assign(document.createElement(name), properties);
    created.append(...inside);
    return created;
}

function tableCell(cell, column, chosen, choose) {
    const small = cell.small ? [make('small', {}, cell.small)] : [];
    if (!cell.choice) return make('td', {title: cell.title}, `${cell.sign} ${cell.word}`);
    const button = make('button', {type: 'button', title: cell.title}, `${cell.sign} ${cell.word}`,
                        ...(cell.value ? [' ', make('strong', {}, cell.value)] : []), ...small);
    const isChosen = chosen && cell.choice[0] === chosen[0] && cell.choice[1] === chosen[1];
    button.setAttribute('aria-pressed', String(Boolean(isChosen)));
    button.tabIndex = isChosen ? 0 : -1;
    button.dataset.column = column;
    button.onclick = () => choose(cell.choice);
    return make('td', {className: cell.kind}, button);
}

function moveFocus(event, buttons) {
    const current = event.target.closest?.('button'), step = STEPS[event.key];
    if (!current || !step) return;
    event.preventDefault();
    const place = button => [Number(button.dataset.row), Number(button.dataset.column)];
    const [row, column] = place(current);
    const next = buttons.map(button => [button, place(button)])
        .map(([button, [r, c]]) => [button, step[0] ? (r - row) * step[0] : (c - column) * step[1],
                                    step[0] ? c === column : r === row])
        .filter(([, distance, aligned]) => aligned && distance > 0).sort((a, b) => a[1] - b[1])[0]?.[0];
    if (!next) return;
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
}

export default function ({data, parentElement, setTriggerValue}) {
    const place = parentElement.querySelector('.place'), before = place.querySelector('.scroller');
    const scrollLeft = before?.scrollLeft ?? 0, focus = parentElement.activeElement?.dataset;
    const focused = focus && `[data-row="${focus.row}"][data-column="${focus.column}"]`;
    const choose = choice => setTriggerValue('chosen', choice);
    const head = make('tr', {}, make('th', {scope: 'col'}, 'Measure'), ...data.checks.map(check => make(
        'th', {scope: 'col', title: check.title}, check.label, make('small', {}, check.rule))));
    const table = make('table', {}, make('thead', {}, head));
    table.setAttribute('aria-label', data.name);
    for (const group of data.groups) {
        const title = make('th', {scope: 'rowgroup', colSpan: data.checks.length + 1}, make('span', {}, group.title));
        table.append(make('tbody', {}, make('tr', {}, title), ...group.rows.map(measure => make('tr', {}, make(
            'th', {scope: 'row', title: measure.title}, measure.label), ...measure.cells.map(
                (cell, column) => tableCell(cell, column, data.chosen, choose))))));
    }
    const buttons = [];
    table.querySelectorAll('tr').forEach((line, k) => line.querySelectorAll('button').forEach(button => {
        button.dataset.row = k;
        buttons.push(button);
    }));
    if (buttons.length && !buttons.some(button => button.tabIndex === 0)) buttons[0].tabIndex = 0;
    table.onkeydown = event => moveFocus(event, buttons);
    const scroller = make('div', {className: 'scroller'}, table);
    place.replaceChildren(scroller);
    scroller.scrollLeft = scrollLeft;
    const pressed = table.querySelector('[aria-pressed=true]'), headingWidth = table.querySelector('th').offsetWidth;
    if (pressed && !before) {  // the cell that a link chose is visible at once
        const left = pressed.parentElement.offsetLeft, hidden = left + pressed.offsetWidth - scroller.clientWidth;
        scroller.scrollLeft = Math.max(0, Math.min(hidden + 8, left - headingWidth - 8));
    }
    if (focused) place.querySelector(focused)?.focus({preventScroll: true});
}
"""

_table = st.components.v2.component("stitchlab_checks", html="<div class='place'></div>", css=_CSS, js=_SCRIPT)


class HeadingData(TypedDict):
    """Describes the heading of a check's column: its label, below it what it takes to pass, and a tooltip."""

    label: str
    rule: str
    title: str


class CellData(TypedDict):
    """Describes a cell: its texts, and the (check, measure) whose evidence a click shows; None: no evidence."""

    sign: str
    word: str
    title: str
    choice: list[str] | None
    kind: NotRequired[str]
    value: NotRequired[str]
    small: NotRequired[str]


class RowData(TypedDict):
    """Describes the row of a measure."""

    label: str
    title: str
    cells: list[CellData]


class GroupData(TypedDict):
    """Describes measures that share a heading."""

    title: str
    rows: list[RowData]


class TableData(TypedDict):
    """Describes the whole table as the script in the browser reads it."""

    name: str
    chosen: list[str] | None
    checks: list[HeadingData]
    groups: list[GroupData]


def draw(
    answers: Answers,
    chosen: tuple[str, str] | None,
    choose: Callable[[str, str], None],
    subjects: Sequence[str] | None = None,
) -> None:
    """Draw the table of checks, whose cells can be clicked.

    Args:
        answers: results of a suite's checks.
        chosen: (check, measure) of the framed cell; None: no frame.
        choose: called with the check and the measure of a cell that is clicked.
        subjects: the measures to show; default is all.
    """
    key = "checks-table"
    _table(key=key, data=described(answers, chosen, subjects), on_chosen_change=lambda: _report_choice(key, choose))
    st.caption(LEGEND)


def described(answers: Answers, chosen: tuple[str, str] | None, subjects: Sequence[str] | None = None) -> TableData:
    """Describe the whole table as JSON: its texts, and the (check, measure) of each cell that can be chosen.

    Args:
        answers: results of a suite's checks.
        chosen: (check, measure) of the framed cell; None: no frame.
        subjects: the measures to show; default is all.
    """
    rows_by_cell = first_rows(answers)
    return {
        "name": f"Checks of similarity measures on {answers.checking.title}",
        "chosen": chosen and list(chosen),
        "checks": [
            {
                "label": check.label,
                "rule": rule(check.statistics[0]),
                "title": f"{check.question} {check.statistics[0].label}: {check.statistics[0].meaning}. It has to "
                f"be {rule(check.statistics[0])}.",
            }
            for check in CHECKS.values()
        ],
        "groups": [
            {
                "title": title,
                "rows": [
                    {
                        "label": short(subject),
                        "title": subject,
                        "cells": [_cell(name, subject, rows_by_cell) for name in CHECKS],
                    }
                    for subject in group
                ],
            }
            for title, group in _titled(answers, subjects)
        ],
    }


def groups(subjects: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """Group measures as the table does, each group with its title: by method, default indices, other indices."""
    titled = {METHOD_LABELS[method]: [s for s in subjects if s.startswith(f"{method}/")] for method in METHODS}
    indices = [s for s in subjects if s.partition("/")[0] in INDICES]
    titled["Similarity indices"] = [s for s in indices if INDICES[s.partition("/")[0]].default]
    titled["Further indices"] = [s for s in indices if s not in titled["Similarity indices"]]
    return [(title, group) for title, group in titled.items() if group]


def _titled(answers: Answers, subjects: Sequence[str] | None) -> list[tuple[str, list[str]]]:
    """Group the measures that are shown, with the recipe of task loss matching in the title of its group."""
    titles = {METHOD_LABELS["tlm"]: f"{METHOD_LABELS['tlm']}, recipe {answers.checking.recipe}"}
    return [
        (titles.get(title, title), group)
        for title, group in groups(tuple(s for s in answers.suite.subjects if subjects is None or s in subjects))
    ]


def _cell(check: str, subject: str, rows_by_cell: dict[tuple[str, str], CheckRow]) -> CellData:
    row = rows_by_cell.get((check, subject))
    symbol, word = sign(CHECKS[check], subject, row)
    if row is None:
        reason = "The check does not apply to this measure" if symbol == "–" else "Not computed yet"
        return {"sign": symbol, "word": "" if symbol == "…" else word, "title": reason, "choice": None}
    decided = row.verdict in ("pass", "fail")
    return {
        "sign": symbol,
        "word": word if decided else "",
        "kind": row.verdict if decided else "undecided",
        "value": "" if row.value is None else f"{row.value:z.2f}".replace("-", "−"),
        "title": row.reason,
        "small": spread(row) if decided else word,
        "choice": [check, subject],
    }


def _report_choice(key: str, choose: Callable[[str, str], None]) -> None:
    if choice := st.session_state[key].get("chosen"):
        choose(*map(str, choice[:2]))
