"""Adds keys: arrow keys select the neighbouring cell, and ``?`` shows a card of all keys.

Buttons have shortcuts by Streamlit; these two it lacks. A cell that the keys pass is marked in the browser alone. The
one on which they rest goes into the address, as by a click: one entry of the browser's history a rest, however many
keys led there.
"""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.keys import KEYS
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.ui import address
from stitchlab.ui.marking import MARKS

REST = 400  # milliseconds without a key after which a cell is chosen
_CARD = "keys_shown"  # in the session's state

# Whatever answers keys itself keeps them; so does all that lies in a dialog.
_FREE = """
const TAKEN = `input:not([type=checkbox]), textarea, select, canvas, table, dialog, [contenteditable=true],
    ${['combobox', 'dialog', 'grid', 'listbox', 'menu', 'radiogroup', 'slider', 'tablist', 'toolbar', 'tree'].map(
        role => `[role=${role}]`)}, [data-testid=stTable]`;

function free(event) {  // whether a key is meant for nothing else
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return false;
    return !event.composedPath().some(element => element.matches?.(TAKEN)) && !document.querySelector('[aria-modal]');
}

function listen(name, answer) {  // one listener of a name at a time, however often it is mounted
    const known = Symbol.for(name);
    window[known]?.abort();
    const listening = window[known] = new AbortController();
    document.addEventListener('keydown', answer, {signal: listening.signal});
    return () => listening.abort();
}
"""

_STEPS = (
    MARKS
    + _FREE
    + """
const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
let at, rest;  // the cell that the keys have reached, and what waits until they rest

function show(said, {rows, columns}) {
    clear();
    said.textContent = `${rows[at[0]]} → ${columns[at[1]]}`;
    for (const plot of document.querySelectorAll('.js-plotly-plot')) {
        const there = place(plot);
        if (there?.rows === rows.length && there.columns === columns.length) mark(plot, there, ...at);
    }
}

export default function ({data, parentElement, setTriggerValue}) {
    const said = parentElement.querySelector('span');
    if (rest === undefined) {
        at = data.cell;
        clear();
    }
    const stop = listen('stitchlab.arrows', event => {
        const step = STEPS[event.key];
        if (!step || event.shiftKey || !free(event)) return;
        event.preventDefault();  // the page does not scroll
        const within = (k, count) => Math.min(Math.max(at[k] + step[k], 0), count - 1);
        at = [within(0, data.rows.length), within(1, data.columns.length)];
        show(said, data);
        clearTimeout(rest);
        rest = setTimeout(() => {
            rest = undefined;
            if (String(at) === String(data.cell)) clear();
            else setTriggerValue('moved', at);
        }, data.rest);
    });
    return () => { stop(); clearTimeout(rest); rest = undefined; clear(); };
}
"""
)

_QUESTION = (
    _FREE
    + """
export default function ({setTriggerValue}) {
    return listen('stitchlab.question', event => {
        if (event.key === '?' && !event.repeat && free(event)) setTriggerValue('asked', true);
    });
}
"""
)

_HIDDEN = "span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }"
_arrows = st.components.v2.component("stitchlab_arrows", html="<span role='status'></span>", css=_HIDDEN, js=_STEPS)
_question = st.components.v2.component("stitchlab_question", js=_QUESTION)


def arrows(run: Run, cell: Cell, key: str = "arrows") -> None:
    """Let the arrow keys move the selected cell of a run.

    Args:
        run: whose grid it is.
        cell: front and end layer of the cell where they begin.
        key: of the widget.
    """
    rows, columns = run.request.front_layers, run.request.end_layers

    def moved() -> None:
        row, column = (int(place) for place in st.session_state[key].get("moved") or (-1, -1))
        if row in range(len(rows)) and column in range(len(columns)):
            address.write(run, (rows[row], columns[column]))

    _arrows(
        key=key,
        on_moved_change=moved,
        data={"rows": rows, "columns": columns, "cell": [rows.index(cell[0]), columns.index(cell[1])], "rest": REST},
    )


def offer() -> None:
    """Draw the button that shows the card of keys, let ``?`` show it too, and draw the card where it is asked for."""
    clicked = st.button(
        "Keyboard", icon=":material/keyboard:", key="keys", type="tertiary", help="Show all keys, as ? does"
    )
    asked = _question(key="question", on_asked_change=lambda: None).asked
    st.session_state[_CARD] = bool(clicked or asked or (st.session_state.get(_CARD) and not ui.arrived()))
    if st.session_state[_CARD]:  # it stays while the page is drawn again, as it is while something is computed
        _card()


@st.dialog(
    "Keyboard", width="medium", icon=":material/keyboard:", on_dismiss=lambda: st.session_state.update({_CARD: False})
)
def _card() -> None:
    st.table(
        [
            {"Key": " ".join(f"`{name}`" for name in key.keys), "What it does": key.does, "Where": key.where}
            for key in KEYS
        ],
        border="horizontal",
    )
    st.caption("Ctrl is ⌘ and Alt is ⌥ on a Mac. Arrow keys and ? leave text fields, select boxes and tables alone.")
