"""Compares chosen runs: the difference of two as a heatmap and cell by cell, mean and spread of several."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.figures import together as figures
from stitchlab.results import recipe
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run
from stitchlab.results.together import Together, mirrored, together
from stitchlab.ui import run_table
from stitchlab.ui.charts import chart, side_by_side
from stitchlab.ui.checks_door import to_checks
from stitchlab.ui.figure_panel import figure_panel

WAYS = {"difference": "Difference", "spread": "Mean and spread"}


def draw(chosen: Sequence[Run]) -> None:
    """Draw the switches and figures of two runs or more. Each is read anew: it may have more cells than when listed."""
    runs = [Run(run.store, run.record) for run in chosen]
    left, middle, right = st.columns([4, 4, 4], vertical_alignment="center")
    turned = _turned(right, runs)
    try:
        both = together(runs, turned=turned)
    except StitchLabError as error:
        ui.say(error)
        return
    if not both.quantities:
        st.info(
            "These runs have no method and no index in common: there is nothing to compare.", icon=":material/info:"
        )
        return
    asked = _quantity(left, both)
    way = (
        "spread"
        if len(runs) > 2
        else middle.segmented_control(
            "As",
            list(WAYS),
            default="difference",
            key="as",
            format_func=WAYS.__getitem__,
            required=True,
            label_visibility="collapsed",
            bind="query-params",
        )
        or "difference"
    )
    _legend(both)
    _figures(both, asked, way)
    to_checks(runs)
    name = asked[0] if asked[0] in INDICES else "/".join(asked)
    sets = ["change"] if way == "difference" else ["mean", "spread"]
    if not turned:
        figure_panel(runs[0], [f"{of}:{name}" for of in sets], others=runs[1:])


def _figures(both: Together, asked: tuple[str, str], way: str) -> None:
    if way == "difference":
        _two(both, *asked)
    else:
        side_by_side(_of(both), figures.mean_and_spread(both, *asked), f"spread-{asked}")
        st.caption(
            "Grey: one of the runs lacks this number, or it is undefined. Whatever differs between these runs "
            "makes the spread: networks, seeds, recipes."
        )


def _two(both: Together, method: str, metric: str) -> None:
    left, right = st.columns(2)
    with left:
        side_by_side(_of(both), [figures.difference_of_two(both, method, metric)], f"difference-{method}-{metric}")
    with right:
        chart(
            _of(both),
            figures.cells_of_two(both, method, metric, dark=ui.dark()),
            f"cells-{method}-{metric}",
            f"cells {method} {metric}",
        )
    st.caption(
        "Layers are compared by their names. On the dashed line both runs have the same number. Spearman's ρ "
        "compares the order of the cells: 1 where both runs order them alike."
    )


def _quantity(place: st.delta_generator.DeltaGenerator, both: Together) -> tuple[str, str]:
    names = {f"{method}/{metric}": (method, metric) for method, metric in both.quantities}
    asked = place.selectbox(
        "Of",
        list(names),
        key="of",
        bind="query-params",
        label_visibility="collapsed",
        format_func=lambda key: Quantity(*names.get(key, both.quantities[0])).label,
    )
    return names[asked or next(iter(names))]


def _turned(place: st.delta_generator.DeltaGenerator, runs: Sequence[Run]) -> bool:
    """Tell whether the second of two runs has the same networks with front and end swapped, and is shown turned."""
    if len(runs) != 2 or not mirrored(*runs):
        return False
    return place.toggle(
        "Cell (i, j) beside (j, i)",
        value=True,
        key="turned",
        help="These runs have the same networks with front and end swapped. On: the same two layers are compared, "
        "stitched in both directions.",
        bind="query-params",
    )


def _legend(both: Together) -> None:
    """Say which letter is which run, and how many layers they share."""
    lines = [
        f"**{letter}** {ui.literal(_said(run))}"
        for letter, run in zip(figures.letters(len(both.runs)), both.runs, strict=True)
    ]
    most = max(len(run.request.front_layers) * len(run.request.end_layers) for run in both.runs)
    shared = len(both.front_layers) * len(both.end_layers)
    lines += [f"Common to all of them are {shared} of up to {most} cells."] if shared < most else []
    st.caption("  \n".join(lines))


def _said(run: Run) -> str:
    tlm = f"{recipe.words(run)}, " if "tlm" in run.request.methods else ""
    name = run_table.called(run)
    return f"{name}: {'' if name == run.title else f'{run.title}, '}{tlm}seed {run.request.seed}, {run.id[:8]}"


def _of(both: Together) -> str:
    """Return what files of these figures are named after."""
    return "-".join(run.id[:8] for run in both.runs[:3])
