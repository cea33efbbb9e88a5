"""The numbers of one selected cell: every quantity that a run has, with what it means and why it may be undefined."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES, ROWS
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.results import recipe
from stitchlab.results.definitions import remark
from stitchlab.results.run import Run
from stitchlab.ui import links


def selected_cell(run: Run) -> tuple[str, str]:
    """The selected cell, with its numbers; by default the paper's: the last front layer into the first end layer."""
    rows, columns = run.request.front_layers, run.request.end_layers
    for key, layers in (("front_layer", rows), ("end_layer", columns)):
        if st.session_state.get(key, layers[0]) not in layers:
            del st.session_state[key]  # a layer of another grid
    st.header("One cell")
    left, right, door = st.columns([2, 2, 1], vertical_alignment="bottom")
    i = left.selectbox("Front layer", rows, index=len(rows) - 1, key="front_layer", bind="query-params")
    j = right.selectbox("End layer", columns, key="end_layer", bind="query-params")
    if run.request.methods and not run.draft:
        with door:
            ui.door("pages/2_Activations.py", "Its activations", links.query(run, front_layer=i, end_layer=j),
                    "In or out of distribution? What detectors say of this cell.")
    own = run.own_accuracy
    if own is not None:
        st.markdown(f"For scale: the end network **{run.record['end']['name']}** alone has accuracy **{own:.4f}** on "
                    f"the same {run.request.eval_images:,} test images; {_front(run)}.{tlm_recipe(run)}")
    if run.request.methods:
        st.table([
            {"": metric.label,
             **{label(run, m): _number(run.value(m, metric.name, i, j)) for m in run.request.methods},
             "What it is": f"{metric.meaning}; {metric.better} = more similar"} for metric in METRICS.values()
        ], border="horizontal")
    if run.request.indices:
        st.table([
            {"": label(run, n), "Value": _number(run.value(n, INDICES[n].metric, i, j)),
             "What it is": _about_index(run, n)}
            for n in run.request.indices
        ], border="horizontal")
    for reason, names in _undefined(run, i, j).items():
        st.caption(f":material/info: Undefined, {', '.join(names)}: {reason}.")
    return i, j


def label(run: Run, name: str) -> str:
    """Of a method or an index, for people, with a word where its definition is an earlier one."""
    label, said = METHOD_LABELS.get(name) or INDICES[name].label, remark(run.request, name)
    return f"{label} ({said})" if said else label


def _about_index(run: Run, name: str) -> str:
    index = INDICES[name]
    better = "higher" if index.metric == "similarity" else "lower"
    rows = "" if remark(run.request, name) else f". Of {ROWS[index.needs]}"  # an earlier definition's were others
    return (f"{index.metric}, {index.low:g} to {index.high:g}; {better} = more similar{rows} "
            f"({index.reference})").replace("-1", "−1")


def _undefined(run: Run, i: str, j: str) -> dict[str, list[str]]:
    """Which numbers of a cell are undefined, by the reason."""
    found: dict[str, list[str]] = {}
    for name, metric in run.quantities():
        if reason := run.reason(name, metric, i, j):
            label = f"{name.upper()} {METRICS[metric].label.lower()}" if metric in METRICS else INDICES[name].label
            found.setdefault(reason, []).append(label)
    return found


def _front(run: Run) -> str:
    """What the front network itself makes of the images."""
    name = run.record["front"]["name"]
    if not run.front_scored:
        return f"that of the front network {name} is not defined, since it tells other classes"
    return f"the front network {name}: {_number(run.front_accuracy)}"


def tlm_recipe(run: Run) -> str:
    """No TLM number without its recipe, nor another than the paper's without a word of warning."""
    if "tlm" not in run.request.methods:
        return ""
    other = not recipe.is_the_papers(run)
    warning = " Its distances, and what detectors say, are not the paper's recipe's." if other else ""
    return f" Task loss matching: {recipe.words(run)}.{warning}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
