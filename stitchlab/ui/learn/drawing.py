"""Draws a stitched network: both networks as rows of layers to click, and below them what is stitched.

It is HTML that wraps where the page is narrow; what it says is text in the order in which an image runs through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from stitchlab.figures.template import BLUE, GREEN, ORANGE

_RULES = """
:host { display: block; }
.place { display: grid; gap: .75rem; color: var(--st-text-color); font-size: .875rem; line-height: 1.25; }
p { margin: 0 0 .25rem; }
.row { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; }
.chip { font: inherit; color: inherit; text-align: center; border-radius: .4rem; padding: .25rem .45rem;
  min-height: 2.75rem; box-sizing: border-box; display: grid; align-content: center;
  border: 1px solid var(--st-border-color); background: transparent; }
button.chip { cursor: pointer; }
.chip small { display: block; font-size: .75rem; }
.front { background: color-mix(in srgb, BLUE 20%, transparent); border-color: BLUE; }
.end { background: color-mix(in srgb, GREEN 20%, transparent); border-color: GREEN; }
.stitch { background: color-mix(in srgb, ORANGE 25%, transparent); border: 2px solid ORANGE; font-weight: 600; }
.out { border-style: dashed; }
button[aria-pressed=true] { font-weight: 700; box-shadow: 0 0 0 2px var(--st-text-color); }
button:hover { box-shadow: 0 0 0 1px var(--st-text-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 3px; }
.below { border-top: 1px solid var(--st-border-color); padding-top: .75rem; }
.map { gap: .75rem; align-items: flex-start; }
.vector { display: grid; gap: 2px; }
.vector i { display: block; width: 1.5rem; height: .45rem; border-radius: 1px; background: currentColor; }
.a i { color: BLUE; } .b i { color: GREEN; } .c i { color: ORANGE; }
.matrix { display: grid; gap: 2px; } .matrix i { background: ORANGE; border-radius: 1px; height: .45rem; }
figure { margin: 0; display: grid; justify-items: center; gap: .35rem; }
figcaption { text-align: center; max-width: 11rem; }
.sign { font-size: 1.25rem; margin-top: 1.6rem; }
"""
_CSS = _RULES.replace("BLUE", BLUE).replace("GREEN", GREEN).replace("ORANGE", ORANGE)

_SCRIPT = """
function made(name, properties = {}, ...inside) {
    const element = document.createElement(name);
    Object.assign(element, properties);
    element.append(...inside);
    return element;
}
const layer = (of, kind, name = 'span') => made(
    name, {className: `chip ${kind}`}, of.name, ...(of.channels ? [made('small', {}, of.channels)] : []));
const arrow = () => { const it = made('span', {}, '→'); it.setAttribute('aria-hidden', 'true'); return it; };
const joined = parts => parts.flatMap((part, k) => k ? [arrow(), part] : [part]);

function network(of, side, used, choose) {
    const row = made('div', {className: 'row'}, ...joined(of.layers.map((one, k) => {
        const button = layer(one, used(k) ? side : 'out', 'button');
        button.type = 'button';
        button.setAttribute('aria-pressed', String(k === of.at));
        button.dataset.place = `${side}-${k}`;
        button.onclick = () => choose(k);
        return button;
    })));
    row.setAttribute('role', 'group');
    row.setAttribute('aria-label', of.label);
    return made('div', {}, made('p', {}, made('strong', {}, of.title), ' ', of.text), row);
}

function stitched(data) {
    const {front, end} = data;
    const parts = [made('span', {className: 'chip'}, data.image),
        ...front.layers.slice(0, front.at + 1).map(one => layer(one, 'front')),
        made('span', {className: 'chip stitch'}, data.stitch, made('small', {}, data.channels)),
        ...end.layers.slice(end.at + 1).map(one => layer(one, 'end')),
        made('span', {className: 'chip end'}, data.head)];
    return [made('p', {}, data.said), made('div', {className: 'row'}, ...joined(parts))];
}

const cells = (count, className) => made('span', {className}, ...Array.from({length: count}, () => made('i')));
function figure(drawn, caption) {
    drawn.setAttribute('aria-hidden', 'true');
    return made('figure', {}, drawn, made('figcaption', {}, caption));
}

function position(data) {
    const {from, to} = data.drawn, matrix = cells(from * to, 'matrix');
    matrix.style.gridTemplateColumns = `repeat(${from}, .8rem)`;
    const sign = text => made('span', {className: 'sign'}, text);
    return [made('p', {}, data.formula), made('div', {className: 'row map'},
        figure(cells(to, 'vector b'), data.captions.out), sign('='), figure(matrix, data.captions.matrix), sign('·'),
        figure(cells(from, 'vector a'), data.captions.into), sign('+'),
        figure(cells(to, 'vector c'), data.captions.bias))];
}

export default function ({data, parentElement, setTriggerValue}) {
    const place = parentElement.querySelector('.place'), had = parentElement.activeElement?.dataset.place;
    const choose = (front, end) => setTriggerValue('cell', [front, end]);
    const {front, end} = data;
    const below = data.level === 1 ? stitched(data) : data.level === 2 ? position(data) : [];
    place.replaceChildren(
        network(front, 'front', k => k <= front.at, k => choose(k, end.at)),
        network(end, 'end', k => k > end.at, k => choose(front.at, k)),
        ...(below.length ? [made('div', {className: 'below'}, ...below)] : []));
    if (had) place.querySelector(`[data-place="${had}"]`)?.focus({preventScroll: true});
}
"""

_drawing = st.components.v2.component("stitchlab_stitched", html="<div class='place'></div>", css=_CSS, js=_SCRIPT)


def draw(data: dict[str, Any], choose: Callable[[int, int], None], key: str) -> None:
    """Draw both networks as rows of layers, which can be clicked, and the stitch between them.

    Args:
        data: names, shapes and the chosen layers, as the script beside this takes them (`stitchlab.ui.learn.halves`).
        choose: called with the places of the front and the end layer when one is clicked.
        key: of the widget.
    """

    def clicked() -> None:
        if picked := st.session_state[key].get("cell"):
            choose(*map(int, picked[:2]))

    _drawing(key=key, data=data, on_cell_change=clicked)
