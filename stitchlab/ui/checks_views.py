"""Draws two views of a suite: mean and spread over pairs of networks, and rank curves layer by layer."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.figures import together as figures
from stitchlab.figures.checks import label as measure_label
from stitchlab.figures.checks_evidence import draw
from stitchlab.results.checks.answers import Answers
from stitchlab.results.run import Run
from stitchlab.results.together import together
from stitchlab.ui.charts import chart, side_by_side

BOUND: Any = {"bind": "query-params"}
RANKS_CHECK = "sensitivity"  # the check whose evidence holds the rank curves


def mean_and_spread(answers: Answers) -> None:
    """Draw heatmaps over all ordered pairs of networks with the same layers, as papers print them."""
    checking = answers.checking
    names = {network.id: network.name for network in checking.networks}
    groups = {", ".join(names[n] for n in group): group for group in checking.alike if len(group) > 1}
    if not groups:
        st.info("A mean needs at least two networks with the same layers; here there are none.", icon=":material/info:")
        return
    left, right = st.columns(2)
    names_of_group = next(iter(groups))
    if len(groups) > 1:
        names_of_group = right.selectbox("Networks with the same layers", list(groups), key="check_group")
    group = groups[names_of_group]
    runs = [Run(run.store, run.record) for (f, g), run in checking.same_layers.items() if {f, g} <= set(group)]
    runs_together = together(runs)
    quantities = {
        f"{method}/{metric}": (method, metric)
        for method, metric in runs_together.quantities
        if f"{method}/{metric}" in answers.suite.subjects
    }
    first = next(iter(quantities))
    measure = left.selectbox("Of", list(quantities), key="mean_of", format_func=measure_label, **BOUND) or first
    side_by_side(answers.suite.id, figures.mean_and_spread(runs_together, *quantities[measure]), f"mean-{measure}")
    st.caption(
        f"Over {len(runs)} ordered pairs of {len(group)} networks, both directions. Grey: a pair lacks this "
        "number, or it is undefined."
    )
    stored = [run for run in runs if run.store.has("runs", run.id)]
    if len(stored) > 1:
        ui.link_to_page(
            "pages/4_Runs.py",
            "These runs together",
            [("runs", run.id) for run in stored],
            "On the page Runs: their mean and spread, files, and each run",
        )


def rank_curves(answers: Answers) -> None:
    """Draw the probe's accuracy and the measures by layer, over the number of directions that the front keeps."""
    figures_by_subject = {
        subject: {figure["title"]: figure for figure in answer.evidence.get("figures", ()) if figure["kind"] == "lines"}
        for subject in answers.suite.subjects
        if (answer := answers.answer(RANKS_CHECK, subject)) is not None
    }
    layers = list(dict.fromkeys(layer for by_layer in figures_by_subject.values() for layer in by_layer))
    if not layers:
        st.info("There are no curves yet: the check Sensitivity computes them.", icon=":material/info:")
        return
    left, right = st.columns([2, 5])
    layer = left.selectbox("Layer", layers, key="rank_layer", **BOUND) or layers[0]
    available = [subject for subject in figures_by_subject if layer in figures_by_subject[subject]]
    defaults = [subject for subject in available if subject.endswith("/accuracy") or subject == "cka/similarity"]
    selected = st.session_state.get("rank_of", defaults or available[:3])
    st.session_state["rank_of"] = [subject for subject in selected if subject in available]
    chosen = right.multiselect("Measures", available, key="rank_of", format_func=measure_label, **BOUND)
    figure = _merged([(subject, figures_by_subject[subject][layer]) for subject in chosen or available[:1]])
    chart(answers.suite.id, draw(figure, dark=ui.dark()), f"ranks-{layer}", f"rank curves {layer}")
    st.caption(
        "The front's activations keep only their r leading principal directions (one basis, from training images). "
        "The linear probe shows the accuracy that is lost; a similarity should fall with it, and a distance rise."
    )


def _merged(figures_by_measure: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Merge the curves of several measures on one layer into one figure, with each measure's name and one probe."""
    lines: dict[str, dict[str, Any]] = {}
    for subject, figure in figures_by_measure:
        for line in figure["lines"]:
            name = measure_label(subject) if line["role"] == "measure" else line["name"]
            if line["role"] != "level" or len(figures_by_measure) == 1:
                lines.setdefault(name, line | {"name": name})
    figure = figures_by_measure[0][1]
    return figure | {
        "y_label": figure["y_label"] if len(figures_by_measure) == 1 else "accuracy, or what the measure says",
        "lines": list(lines.values()),
    }
