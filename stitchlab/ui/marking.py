"""Marks the cell under the pointer in every heatmap of the same layers, in the browser, without asking the server."""

from __future__ import annotations

import streamlit as st

# What a plot shows is read from the public attributes of Plotly's element.
MARKS = """
function place(plot) {  // the position of a heatmap on the screen, and its layers; null for other plots
    const [x, y] = [plot.layout?.xaxis?.ticktext, plot.layout?.yaxis?.ticktext];
    const area = plot.querySelector('.nsewdrag');
    if (!area || !plot.data?.some(trace => trace.type === 'heatmap') || !x || !y) return null;
    return {box: area.getBoundingClientRect(), columns: x.length, rows: y.length, layers: [...x, ...y].join()};
}

function clear() {
    document.querySelectorAll('[data-stitchlab-mark]').forEach(mark => mark.remove());
}

function mark(plot, {box, columns, rows}, row, column) {
    const container = plot.querySelector('.svg-container');
    if (!container) return;
    const frame = container.getBoundingClientRect(), element = document.createElement('div');
    element.dataset.stitchlabMark = `${row},${column}`;
    element.setAttribute('aria-hidden', 'true');
    // As shares of the plot's size, since the presenter view enlarges the plot together with its marks.
    const across = pixels => `${100 * pixels / frame.width}%`, down = pixels => `${100 * pixels / frame.height}%`;
    Object.assign(element.style, {
        position: 'absolute', pointerEvents: 'none', boxSizing: 'border-box', border: '2px solid white',
        outline: '1px solid black', width: across(box.width / columns), height: down(box.height / rows),
        left: across(box.x - frame.x + column * box.width / columns),
        top: down(box.y - frame.y + row * box.height / rows),
    });
    container.append(element);
}
"""

# The page's script replaces plots whenever it runs, so the listener is the document's, and there is only one.
_SCRIPT = (
    MARKS
    + """
const LISTENER = Symbol.for('stitchlab.marking');

function follow(event) {
    clear();
    const area = event.pointerType === 'touch' ? null : event.target.closest?.('.nsewdrag');
    const plot = area?.closest('.js-plotly-plot'), grid = plot && place(plot);
    if (!grid) return;
    const column = Math.floor((event.clientX - grid.box.x) / grid.box.width * grid.columns);
    const row = Math.floor((event.clientY - grid.box.y) / grid.box.height * grid.rows);
    if (row < 0 || column < 0 || row >= grid.rows || column >= grid.columns) return;
    for (const other of document.querySelectorAll('.js-plotly-plot')) {
        const same = place(other);
        if (same?.layers === grid.layers) mark(other, same, row, column);
    }
}

export default function () {
    window[LISTENER]?.abort();  // one listener, however many components are mounted
    const listening = window[LISTENER] = new AbortController();
    document.addEventListener('pointermove', follow, {signal: listening.signal, passive: true});
    document.addEventListener('pointerleave', clear, {signal: listening.signal, passive: true});
    return () => { listening.abort(); clear(); };
}
"""
)

mark_same_cells = st.components.v2.component("stitchlab_marking", js=_SCRIPT)
