"""A cell under the pointer is marked in every heatmap of the same layers, in the browser: the server hears nothing."""

from __future__ import annotations

import streamlit as st

# Plots are replaced whenever the page runs, so none of them is listened to: the page is, once, and what a plot shows
# is asked of the public parts of the element that Plotly made, when the pointer is over it.
_SCRIPT = """
const LISTENER = Symbol.for('stitchlab.marking');

function place(plot) {  // the pixels of a grid and its layers; null for other plots
    const [x, y] = [plot.layout?.xaxis?.ticktext, plot.layout?.yaxis?.ticktext];
    const area = plot.querySelector('.nsewdrag');
    if (!area || !plot.data?.some(trace => trace.type === 'heatmap') || !x || !y) return null;
    return {box: area.getBoundingClientRect(), columns: x.length, rows: y.length, layers: [...x, ...y].join()};
}

function clear() {
    document.querySelectorAll('[data-stitchlab-mark]').forEach(mark => mark.remove());
}

function mark(plot, {box, columns, rows}, row, column) {
    const inside = plot.querySelector('.svg-container');
    if (!inside) return;
    const from = inside.getBoundingClientRect(), element = document.createElement('div');
    element.dataset.stitchlabMark = `${row},${column}`;
    element.setAttribute('aria-hidden', 'true');
    Object.assign(element.style, {
        position: 'absolute', pointerEvents: 'none', boxSizing: 'border-box', border: '2px solid #fff',
        outline: '1px solid #000', width: `${box.width / columns}px`, height: `${box.height / rows}px`,
        left: `${box.x - from.x + column * box.width / columns}px`,
        top: `${box.y - from.y + row * box.height / rows}px`,
    });
    inside.append(element);
}

function follow(event) {
    clear();
    const area = event.pointerType === 'touch' ? null : event.target.closest?.('.nsewdrag');
    const plot = area?.closest('.js-plotly-plot'), here = plot && place(plot);
    if (!here) return;
    const column = Math.floor((event.clientX - here.box.x) / here.box.width * here.columns);
    const row = Math.floor((event.clientY - here.box.y) / here.box.height * here.rows);
    if (row < 0 || column < 0 || row >= here.rows || column >= here.columns) return;
    for (const other of document.querySelectorAll('.js-plotly-plot')) {
        const there = place(other);
        if (there?.layers === here.layers) mark(other, there, row, column);
    }
}

export default function () {
    window[LISTENER]?.abort();  // one at a time, however many are mounted
    const listening = window[LISTENER] = new AbortController();
    document.addEventListener('pointermove', follow, {signal: listening.signal, passive: true});
    document.addEventListener('pointerleave', clear, {signal: listening.signal, passive: true});
    return () => { listening.abort(); clear(); };
}
"""

mark_same_cells = st.components.v2.component("stitchlab_marking", js=_SCRIPT)
