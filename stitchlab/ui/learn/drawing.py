"""Draws a stitched network: both networks as rows of layers to click, and below them the stitch between the two.

The drawing is HTML, which wraps on a narrow page; its texts follow the path of an image through the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

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
function element(name, properties = {}, ...children) {
    const created = document.createElement(name);
    Object.assign(created, properties);
    created.append(...children);
    return created;
}
const layer = ({name, channels}, kind, tag = 'span') => element(
    tag, {className: `chip ${kind}`}, name, ...(channels ? [element('small', {}, channels)] : []));
function arrow() {
    const sign = element('span', {}, '→');
    sign.setAttribute('aria-hidden', 'true');
    return sign;
}
const joinedByArrows = parts => parts.flatMap((part, k) => k ? [arrow(), part] : [part]);

function network(data, side, used, choose) {
    const row = element('div', {className: 'row'}, ...joinedByArrows(data.layers.map((each, k) => {
        const button = layer(each, used(k) ? side : 'out', 'button');
        button.type = 'button';
        button.setAttribute('aria-pressed', String(k === data.at));
        button.dataset.place = `${side}-${k}`;
        button.onclick = () => choose(k);
        return button;
    })));
    row.setAttribute('role', 'group');
    row.setAttribute('aria-label', data.label);
    return element('div', {}, element('p', {}, element('strong', {}, data.title), ' ', data.text), row);
}

function stitched(data) {
    const {front, end} = data;
    const parts = [element('span', {className: 'chip'}, data.image),
        ...front.layers.slice(0, front.at + 1).map(each => layer(each, 'front')),
        element('span', {className: 'chip stitch'}, data.stitch, element('small', {}, data.channels)),
        ...end.layers.slice(end.at + 1).map(each => layer(each, 'end')),
        element('span', {className: 'chip end'}, data.head)];
    return [element('p', {}, data.summary), element('div', {className: 'row'}, ...joinedByArrows(parts))];
}

const cells = (count, className) => element('span', {className}, ...Array.from({length: count}, () => element('i')));
function figure(content, caption) {
    content.setAttribute('aria-hidden', 'true');
    return element('figure', {}, content, element('figcaption', {}, caption));
}

function position(data) {
    const {map, formula} = data, matrix = cells(map.input_length * map.output_length, 'matrix');
    matrix.style.gridTemplateColumns = `repeat(${map.input_length}, .8rem)`;
    const sign = text => element('span', {className: 'sign'}, text);
    return [element('p', {}, formula), element('div', {className: 'row map'},
        figure(cells(map.output_length, 'vector b'), map.output), sign('='), figure(matrix, map.matrix), sign('·'),
        figure(cells(map.input_length, 'vector a'), map.input), sign('+'),
        figure(cells(map.output_length, 'vector c'), map.bias))];
}

export default function ({data, parentElement, setTriggerValue}) {
    const place = parentElement.querySelector('.place'), focused = parentElement.activeElement?.dataset.place;
    const choose = (front, end) => setTriggerValue('cell', [front, end]);
    const {front, end} = data;
    const below = data.level === 1 ? stitched(data) : data.level === 2 ? position(data) : [];
    place.replaceChildren(
        network(front, 'front', k => k <= front.at, k => choose(k, end.at)),
        network(end, 'end', k => k > end.at, k => choose(front.at, k)),
        ...(below.length ? [element('div', {className: 'below'}, ...below)] : []));
    if (focused) place.querySelector(`[data-place="${focused}"]`)?.focus({preventScroll: true});
}
"""

_drawing = st.components.v2.component("stitchlab_stitched", html="<div class='place'></div>", css=_CSS, js=_SCRIPT)


class DrawnLayer(TypedDict):
    """Describes a layer: its name, and its number of channels in words (empty if it is not known)."""

    name: str
    channels: str


class DrawnNetwork(TypedDict):
    """Describes a network; ``at`` is the position of the chosen layer, ``label`` names the row for screen readers."""

    title: str
    text: str
    at: int
    label: str
    layers: list[DrawnLayer]


class DrawnMap(TypedDict):
    """Describes the map at one position: the lengths of the two drawn vectors, and captions of its parts."""

    input_length: int
    output_length: int
    input: str
    output: str
    matrix: str
    bias: str


class Drawing(TypedDict):
    """Describes all that the script above draws; ``level`` says how much of it, as a position in `LEVELS`."""

    level: int
    front: DrawnNetwork
    end: DrawnNetwork
    image: str
    stitch: str
    channels: str
    head: str
    summary: str
    formula: str
    map: DrawnMap


def draw(data: Drawing, choose: Callable[[int, int], None], key: str) -> None:
    """Draw both networks as rows of layers that can be clicked, and the stitch between them.

    Args:
        data: what is drawn, as the script above reads it.
        choose: called with the positions of the chosen front and end layer after a click.
        key: of the widget.
    """

    def clicked() -> None:
        if picked := st.session_state[key].get("cell"):
            choose(*map(int, picked[:2]))

    _drawing(key=key, data=data, on_cell_change=clicked)
