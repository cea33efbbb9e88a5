"""Draws the table of checks: measures down, checks across; every cell is a button that opens its evidence.

It is HTML, since a canvas has no text for screen readers: its headings name rows and columns, Tab reaches the
chosen cell and the arrow keys its neighbours, and it scrolls within itself where the page is narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    "✓ pass · ✗ fail · ? not enough data · – the check is not for this measure · … not computed yet. In a cell: "
    "the check's first statistic, below it its 95 % interval or its p-value; in a heading: what it takes to pass. A "
    "click on a cell, or the arrow keys and Enter, shows its evidence. p-values of tests are corrected for the "
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

function made(name, properties = {}, ...inside) {
    const element = document.createElement(name);
    Object.assign(element, properties);
    element.append(...inside);
    return element;
}

function filled(cell, column, chosen, choose) {
    const small = cell.small ? [made('small', {}, cell.small)] : [];
    if (!cell.choice) return made('td', {title: cell.title}, `${cell.sign} ${cell.word}`);
    const button = made('button', {type: 'button', title: cell.title}, `${cell.sign} ${cell.word}`,
                        ...(cell.value ? [' ', made('strong', {}, cell.value)] : []), ...small);
    const is = chosen && cell.choice[0] === chosen[0] && cell.choice[1] === chosen[1];
    button.setAttribute('aria-pressed', String(Boolean(is)));
    button.tabIndex = is ? 0 : -1;
    button.dataset.column = column;
    button.onclick = () => choose(cell.choice);
    return made('td', {className: cell.kind}, button);
}

function moved(event, buttons) {
    const at = event.target.closest?.('button'), step = STEPS[event.key];
    if (!at || !step) return;
    event.preventDefault();
    const place = button => [Number(button.dataset.row), Number(button.dataset.column)];
    const [row, column] = place(at);
    const next = buttons.map(button => [button, place(button)])
        .map(([button, [r, c]]) => [button, step[0] ? (r - row) * step[0] : (c - column) * step[1],
                                    step[0] ? c === column : r === row])
        .filter(([, far, same]) => same && far > 0).sort((a, b) => a[1] - b[1])[0]?.[0];
    if (!next) return;
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
}

export default function ({data, parentElement, setTriggerValue}) {
    const place = parentElement.querySelector('.place'), before = place.querySelector('.scroller');
    const scrolled = before?.scrollLeft ?? 0, had = parentElement.activeElement?.dataset;
    const held = had && `[data-row="${had.row}"][data-column="${had.column}"]`;
    const choose = choice => setTriggerValue('chosen', choice);
    const head = made('tr', {}, made('th', {scope: 'col'}, 'Measure'), ...data.checks.map(check => made(
        'th', {scope: 'col', title: check.title}, check.label, made('small', {}, check.rule))));
    const table = made('table', {}, made('thead', {}, head));
    table.setAttribute('aria-label', data.name);
    for (const group of data.groups) {
        const title = made('th', {scope: 'rowgroup', colSpan: data.checks.length + 1}, made('span', {}, group.title));
        table.append(made('tbody', {}, made('tr', {}, title), ...group.rows.map(measure => made('tr', {}, made(
            'th', {scope: 'row', title: measure.title}, measure.label), ...measure.cells.map(
                (cell, column) => filled(cell, column, data.chosen, choose))))));
    }
    const buttons = [];
    table.querySelectorAll('tr').forEach((line, k) => line.querySelectorAll('button').forEach(button => {
        button.dataset.row = k;
        buttons.push(button);
    }));
    if (buttons.length && !buttons.some(button => button.tabIndex === 0)) buttons[0].tabIndex = 0;
    table.onkeydown = event => moved(event, buttons);
    const scroller = made('div', {className: 'scroller'}, table);
    place.replaceChildren(scroller);
    scroller.scrollLeft = scrolled;
    const is = table.querySelector('[aria-pressed=true]'), names = table.querySelector('th').offsetWidth;
    if (is && !before) {  // a link's choice is in sight from the first
        const far = is.parentElement.offsetLeft + is.offsetWidth - scroller.clientWidth;
        scroller.scrollLeft = Math.max(0, Math.min(far + 8, is.parentElement.offsetLeft - names - 8));
    }
    if (held) place.querySelector(held)?.focus({preventScroll: true});
}
"""

_table = st.components.v2.component("stitchlab_checks", html="<div class='place'></div>", css=_CSS, js=_SCRIPT)


def draw(
    answers: Answers,
    chosen: tuple[str, str] | None,
    choose: Callable[[str, str], None],
    subjects: Sequence[str] | None = None,
) -> None:
    """Draw the table of checks, whose cells can be clicked.

    Args:
        answers: what the checks of a suite found.
        chosen: (check, measure) of the framed cell.
        choose: called with the check and the measure of a cell that is clicked.
        subjects: the measures that are shown; None: all.
    """
    key = "checks-table"
    _table(key=key, data=told(answers, chosen, subjects), on_chosen_change=lambda: _chosen(key, choose))
    st.caption(LEGEND)


def told(answers: Answers, chosen: tuple[str, str] | None, subjects: Sequence[str] | None = None) -> dict[str, Any]:
    """Describe the whole table as JSON: its texts, and the (check, measure) of each cell that can be chosen.

    Args:
        answers: what the checks of a suite found.
        chosen: (check, measure) of the framed cell; None: no frame.
        subjects: the measures that are shown; None: all.
    """
    found = first_rows(answers)
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
                        "cells": [_cell(name, subject, found) for name in CHECKS],
                    }
                    for subject in those
                ],
            }
            for title, those in _titled(answers, subjects)
        ],
    }


def groups(subjects: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """Group measures as the table does, each group with its title: by method, default indices, other indices."""
    of = {METHOD_LABELS[method]: [s for s in subjects if s.startswith(f"{method}/")] for method in METHODS}
    indices = [s for s in subjects if s.partition("/")[0] in INDICES]
    of["Similarity indices"] = [s for s in indices if INDICES[s.partition("/")[0]].default]
    of["Further indices"] = [s for s in indices if s not in of["Similarity indices"]]
    return [(title, those) for title, those in of.items() if those]


def _titled(answers: Answers, shown: Sequence[str] | None) -> list[tuple[str, list[str]]]:
    """Group the measures that are shown, with the recipe of task loss matching in the title of its group."""
    trained = {METHOD_LABELS["tlm"]: f"{METHOD_LABELS['tlm']}, recipe {answers.checking.recipe}"}
    return [
        (trained.get(title, title), subjects)
        for title, subjects in groups(
            tuple(subject for subject in answers.suite.subjects if shown is None or subject in shown)
        )
    ]


def _cell(name: str, subject: str, found: dict[tuple[str, str], CheckRow]) -> dict[str, Any]:
    row = found.get((name, subject))
    mark, word = sign(CHECKS[name], subject, row)
    if row is None:
        why = "The check is not for this measure" if mark == "–" else "Not computed yet"
        return {"sign": mark, "word": "" if mark == "…" else word, "title": why, "choice": None}
    decided = row.verdict in ("pass", "fail")
    return {
        "sign": mark,
        "word": word if decided else "",
        "kind": row.verdict if decided else "undecided",
        "value": "" if row.value is None else f"{row.value:z.2f}".replace("-", "−"),
        "title": row.reason,
        "small": spread(row) if decided else word,
        "choice": [name, subject],
    }


def _chosen(key: str, choose: Callable[[str, str], None]) -> None:
    if picked := st.session_state[key].get("chosen"):
        choose(*map(str, picked[:2]))
