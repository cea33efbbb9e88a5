"""Draws the numbers of the selected cell: some in one line, and on demand every quantity with its meaning."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES, ROWS, Change, Index
from stitchlab.catalog.methods import GROUPS, METHOD_LABELS, METRICS
from stitchlab.figures.words import IMAGES_AND_SETS, disagreements
from stitchlab.request import METHODS, Cell
from stitchlab.results import recipe
from stitchlab.results.chance import IN_TABLES
from stitchlab.results.definitions import remark
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.why_empty import BEFORE
from stitchlab.ui import indices, links
from stitchlab.ui.cell import choose_cell

MAX_INDICES_IN_LINE = 4  # whose numbers are shown in the line beside the cell


def selected_cell(run: Run, shown: str) -> Cell:
    """Draw the select boxes of the cell, its numbers in one line, and all of them on demand; return the cell."""
    boxes, line, link_place = st.columns([5, 7, 3], vertical_alignment="center")
    with boxes:
        i, j = choose_cell(run, collapsed=True)
    line.markdown(_line(run, shown, i, j))
    if run.request.methods and not run.draft:
        with link_place:
            ui.link_to_page(
                "pages/2_Activations.py",
                "Its activations",
                links.query(run, front_layer=i, end_layer=j),
                "In or out of distribution? What detectors say about this cell.",
            )
    panel = st.expander("All numbers of this cell", icon=":material/table:", key="numbers", on_change="rerun")
    if panel.open:  # a closed panel would build its tables each time the page is drawn
        with panel:
            _every_number(run, i, j)
    return i, j


def _line(run: Run, shown: str, i: str, j: str) -> str:
    """Write the numbers of the shown quantity, one for each method or index, and the end network's own accuracy."""
    quantities = (
        [(m, shown) for m in run.request.methods]
        if shown in METRICS
        else [(n, INDICES[n].metric) for n in run.request.indices[:MAX_INDICES_IN_LINE]]
    )
    parts = [
        f"{name.upper() if name in METHODS else INDICES[name].label} **{number(run.value(name, metric, i, j))}**"
        for name, metric in quantities
    ]
    if shown not in METRICS and len(run.request.indices) > MAX_INDICES_IN_LINE:
        parts.append(f"{len(run.request.indices) - MAX_INDICES_IN_LINE} more below")
    if shown == "accuracy" and run.own_accuracy is not None:
        parts.append(f"end network alone {number(run.own_accuracy)}")
    return " · ".join(parts)


def _every_number(run: Run, i: str, j: str) -> None:
    own_accuracy = run.own_accuracy
    if own_accuracy is not None:
        st.markdown(
            f"For scale: the end network **{ui.literal(run.record['end']['name'])}** alone has accuracy "
            f"**{own_accuracy:.4f}** on the same {run.request.eval_images:,} test images; {_front_accuracy(run)}."
            f"{tlm_recipe(run)}"
        )
    if run.request.methods:
        for group, title in GROUPS.items():
            st.markdown(f"**{title}**")
            st.table(
                [
                    {
                        "": metric.label,
                        **{label(run, m): number(run.value(m, metric.name, i, j)) for m in run.request.methods},
                        "What it is": f"{metric.meaning}; {metric.better} = more similar",
                    }
                    for metric in METRICS.values()
                    if metric.group == group
                ],
                border="horizontal",
            )
        st.caption(" ".join(disagreements(DetectionResults(run), i, j)) or IMAGES_AND_SETS)
    if run.request.indices:
        st.markdown("**Representations, without a stitch**")
        st.table(
            [
                {
                    "": label(run, n),
                    "Value": number(run.value(n, INDICES[n].metric, i, j)),
                    **{column: number(value) for column, value in indices.numbers(run, n, i, j).items()},
                    "What it is": _about_index(run, n),
                }
                for n in run.request.indices
            ],
            border="horizontal",
        )
    for reason, names in _undefined(run, i, j).items():
        problem = "Not there" if reason == BEFORE else "Undefined"
        st.caption(f":material/info: {problem}, {', '.join(names)}: {ui.literal(reason)}.")


def label(run: Run, name: str) -> str:
    """Return the label of a method or an index, with a remark if the run used an earlier definition of it."""
    label, earlier = METHOD_LABELS.get(name) or INDICES[name].label, remark(run.request, name)
    return f"{label} ({earlier})" if earlier else label


def _about_index(run: Run, name: str) -> str:
    index = INDICES[name]
    rows = "" if remark(run.request, name) else f". Of {ROWS[index.needs]}"  # an earlier definition had other rows
    return (
        f"{index.meaning}; {index.metric}, {index.low:g} to {index.high:g}; {index.better} = more similar{rows} "
        f"({index.reference}){_invariances(index)}{_undefined_where(index)}"
    ).replace("-1", "−1")


def _invariances(index: Index) -> str:
    """Say which changes of either layer leave an index unchanged, without changes that follow from others."""
    front, end = (_largest(changes) for changes in (index.front, index.end))
    return (
        f". Unchanged by {front} of either layer"
        if front == end
        else (f". Unchanged by {front} of the front layer, by {end} of the end layer")
    )


def _largest(changes: Sequence[Change]) -> str:
    if "invertible map" in changes:
        return "any invertible map and shift"
    return ", ".join(change for change in reversed(changes) if change != "permutation" or "rotation" not in changes)


def _undefined_where(index: Index) -> str:
    return f". Undefined {index.undefined}" if index.undefined else ""


def _undefined(run: Run, i: str, j: str) -> dict[str, list[str]]:
    """List the undefined numbers of a cell, by reason."""
    labels_by_reason: dict[str, list[str]] = {}
    for name, metric in run.quantities():
        if reason := run.reason(name, metric, i, j):
            label = f"{name.upper()} {METRICS[metric].label.lower()}" if metric in METRICS else INDICES[name].label
            label += f" ({metric})" if metric in IN_TABLES else ""
            labels_by_reason.setdefault(reason, []).append(label)
    return labels_by_reason


def _front_accuracy(run: Run) -> str:
    """Say how accurate the front network is by itself on these images."""
    name = ui.literal(run.record["front"]["name"])
    if not run.front_scored:
        return f"that of the front network {name} is not defined: it was trained on other classes"
    return f"the front network {name}: {number(run.front_accuracy)}"


def tlm_recipe(run: Run) -> str:
    """Say by which recipe TLM was trained, since its numbers depend on it, and warn if it is not the paper's."""
    if "tlm" not in run.request.methods:
        return ""
    differs = not recipe.is_the_papers(run)
    warning = " Its distances, and what detectors say, are not those of the paper's recipe." if differs else ""
    return f" Task loss matching: {recipe.words(run)}.{warning}"


def number(value: float | None) -> str:
    """Write a number with four decimals; a dash if it is undefined or not computed yet."""
    return "–" if value is None else f"{value:.4f}".replace("-", "−")
