"""Adds keys: arrow keys select the neighbouring cell, and ``?`` shows a card of all keys.

Streamlit offers shortcuts of buttons, but not these two. While arrow keys are pressed in quick succession, cells are
marked in the browser only. Once the keys rest, the marked cell goes into the address, as by a click: one entry of the
browser's history, however many keys led there.
"""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.keys import KEYS
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.ui import address
from stitchlab.ui.marking import MARKS

REST_MS = 400  # without a key, after which the marked cell is chosen
_CARD = "keys_shown"  # key in the session's state: whether the card is shown

# Elements that use keys themselves keep them, and so do all elements of a dialog.
_FREE = """
const TAKEN = `input:not([type=checkbox]), textarea, select, canvas, table, dialog, [contenteditable=true],
    ${['combobox', 'dialog', 'grid', 'listbox', 'menu', 'radiogroup', 'slider', 'tablist', 'toolbar', 'tree'].map(
        role => `[role=${role}]`)}, [data-testid=stTable]`;

function free(event) {  // whether no element uses this key itself
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return false;
    return !event.composedPath().some(element => element.matches?.(TAKEN)) && !document.querySelector('[aria-modal]');
}

function listen(name, answer) {  // at most one listener of this name, however often the component is mounted
    const symbol = Symbol.for(name);
    window[symbol]?.abort();
    const listening = window[symbol] = new AbortController();
    document.addEventListener('keydown', answer, {signal: listening.signal});
    return () => listening.abort();
}
"""

_STEPS = (
    MARKS
    + _FREE
    + """
const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
let at, timer;  // the cell that the keys have reached, and the timer that waits until they rest

function show(status, {rows, columns}) {
    clear();
    status.textContent = `${rows[at[0]]} → ${columns[at[1]]}`;
    for (const plot of document.querySelectorAll('.js-plotly-plot')) {
        const grid = place(plot);
        if (grid?.rows === rows.length && grid.columns === columns.length) mark(plot, grid, ...at);
    }
}

export default function ({data, parentElement, setTriggerValue}) {
    const status = parentElement.querySelector('span');
    if (timer === undefined) {
        at = data.cell;
        clear();
    }
    const stop = listen('stitchlab.arrows', event => {
        const step = STEPS[event.key];
        if (!step || event.shiftKey || !free(event)) return;
        event.preventDefault();  // the page does not scroll
        const clamped = (k, count) => Math.min(Math.max(at[k] + step[k], 0), count - 1);
        at = [clamped(0, data.rows.length), clamped(1, data.columns.length)];
        show(status, data);
        clearTimeout(timer);
        timer = setTimeout(() => {
            timer = undefined;
            if (String(at) === String(data.cell)) clear();
            else setTriggerValue('moved', at);
        }, data.rest);
    });
    return () => { stop(); clearTimeout(timer); timer = undefined; clear(); };
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
        run: the run on the page.
        cell: front and end layer of the cell from which the keys move.
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
        data={"rows": rows, "columns": columns, "cell": [rows.index(cell[0]), columns.index(cell[1])], "rest": REST_MS},
    )


def offer() -> None:
    """Draw the button that shows the card of keys, let ``?`` show it too, and draw the card once one of them has."""
    clicked = st.button(
        "Keyboard", icon=":material/keyboard:", key="keys", type="tertiary", help="Show all keys, as ? does"
    )
    pressed = _question(key="question", on_asked_change=lambda: None).asked
    st.session_state[_CARD] = bool(clicked or pressed or (st.session_state.get(_CARD) and not ui.just_arrived()))
    if st.session_state[_CARD]:  # also while the page is drawn again and again during a computation
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
