"""Marks a cell under the pointer in every heatmap of the same layers, in the browser: the server hears nothing."""

from __future__ import annotations

import streamlit as st

# What a plot shows is asked of the public parts of the element that Plotly made.
MARKS = """
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
    // Shares of the plot, since it may be enlarged, and what is put into it with it.
    const across = pixels => `${100 * pixels / from.width}%`, down = pixels => `${100 * pixels / from.height}%`;
    Object.assign(element.style, {
        position: 'absolute', pointerEvents: 'none', boxSizing: 'border-box', border: '2px solid white',
        outline: '1px solid black', width: across(box.width / columns), height: down(box.height / rows),
        left: across(box.x - from.x + column * box.width / columns),
        top: down(box.y - from.y + row * box.height / rows),
    });
    inside.append(element);
}
"""

# Plots are replaced whenever the page runs, so none of them is listened to: the page is, once.
_SCRIPT = (
    MARKS
    + """
const LISTENER = Symbol.for('stitchlab.marking');

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
)

mark_same_cells = st.components.v2.component("stitchlab_marking", js=_SCRIPT)
