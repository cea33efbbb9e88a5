"""Draws two views of a suite: mean and spread over pairs of networks, and rank curves layer by layer."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.figures import together as figures
from stitchlab.figures.checks import label as named
from stitchlab.figures.checks_evidence import draw
from stitchlab.results.checks.answers import Answers
from stitchlab.results.run import Run
from stitchlab.results.together import together
from stitchlab.ui.charts import chart, side_by_side

BOUND: Any = {"bind": "query-params"}
RANKS = "sensitivity"  # the check whose evidence the curves are


def mean_and_spread(answers: Answers) -> None:
    """Draw heatmaps over all ordered pairs of networks with the same layers, as papers print them."""
    checking = answers.checking
    names = {network.id: network.name for network in checking.networks}
    groups = {", ".join(names[n] for n in group): group for group in checking.alike if len(group) > 1}
    if not groups:
        st.info("A mean needs at least two networks with the same layers; here there are none.", icon=":material/info:")
        return
    left, right = st.columns(2)
    of = right.selectbox("Networks with the same layers", list(groups), key="check_group") if len(groups) > 1 else None
    group = groups[of or next(iter(groups))]
    runs = [Run(run.store, run.record) for (f, g), run in checking.same_layers.items() if {f, g} <= set(group)]
    both = together(runs)
    quantities = {
        f"{method}/{metric}": (method, metric)
        for method, metric in both.quantities
        if f"{method}/{metric}" in answers.suite.subjects
    }
    asked = left.selectbox("Of", list(quantities), key="mean_of", format_func=named, **BOUND) or next(iter(quantities))
    side_by_side(answers.suite.id, figures.mean_and_spread(both, *quantities[asked]), f"mean-{asked}")
    st.caption(
        f"Over {len(runs)} ordered pairs of {len(group)} networks, both directions. Grey: a pair lacks this "
        "number, or it is undefined."
    )
    kept = [run for run in runs if run.store.has("runs", run.id)]
    if len(kept) > 1:
        ui.door(
            "pages/4_Runs.py",
            "These runs together",
            [("runs", run.id) for run in kept],
            "On the page Runs: their mean and spread, files of them, each of them",
        )


def rank_curves(answers: Answers) -> None:
    """Draw the probe's accuracy and the measures by layer, over the number of directions that the front keeps."""
    found = {
        subject: {figure["title"]: figure for figure in answer.evidence.get("figures", ()) if figure["kind"] == "lines"}
        for subject in answers.suite.subjects
        if (answer := answers.answer(RANKS, subject)) is not None
    }
    layers = list(dict.fromkeys(layer for figures_of in found.values() for layer in figures_of))
    if not layers:
        st.info("There are no curves yet: the check Sensitivity computes them.", icon=":material/info:")
        return
    left, right = st.columns([2, 5])
    layer = left.selectbox("Layer", layers, key="rank_layer", **BOUND) or layers[0]
    there = [subject for subject in found if layer in found[subject]]
    usual = [subject for subject in there if subject.endswith("/accuracy") or subject == "cka/similarity"]
    st.session_state["rank_of"] = [s for s in st.session_state.get("rank_of", usual or there[:3]) if s in there]
    chosen = right.multiselect("Measures", there, key="rank_of", format_func=named, **BOUND)
    figure = merged([(subject, found[subject][layer]) for subject in chosen or there[:1]])
    chart(answers.suite.id, draw(figure, dark=ui.dark()), f"ranks-{layer}", f"rank curves {layer}")
    st.caption(
        "The front's activations keep only their r leading principal directions (one basis, from training images). "
        "The linear probe shows what that costs; a measure should fall with it. Distances rise instead."
    )


def merged(several: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Merge the curves of several measures on one layer into one figure: the probe once, each measure by its name."""
    lines: dict[str, dict[str, Any]] = {}
    for subject, figure in several:
        for line in figure["lines"]:
            name = named(subject) if line["role"] == "measure" else line["name"]
            if line["role"] != "level" or len(several) == 1:
                lines.setdefault(name, line | {"name": name})
    figure = several[0][1]
    return figure | {
        "y_label": figure["y_label"] if len(several) == 1 else "accuracy, or what the measure says",
        "lines": list(lines.values()),
    }
