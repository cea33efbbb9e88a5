"""Compares chosen runs: the difference of two as a heatmap and cell by cell, mean and spread of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

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
from stitchlab.ui.checks_link import link_to_checks
from stitchlab.ui.figure_panel import figure_panel

Way = Literal["difference", "spread"]  #: how runs are compared: the difference of two, or mean and spread
WAYS: dict[Way, str] = {"difference": "Difference", "spread": "Mean and spread"}


def draw(chosen: Sequence[Run]) -> None:
    """Draw the switches and figures of two or more runs. Each is read again: cells may have been added since."""
    runs = [Run(run.store, run.record) for run in chosen]
    left, middle, right = st.columns([4, 4, 4], vertical_alignment="center")
    transposed = _is_transposed(right, runs)
    try:
        combined = together(runs, turned=transposed)
    except StitchLabError as error:
        ui.show_error(error)
        return
    if not combined.quantities:
        st.info(
            "These runs have no method and no index in common: there is nothing to compare.", icon=":material/info:"
        )
        return
    quantity = _quantity(left, combined)
    way: Way = (
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
    _legend(combined)
    _figures(combined, quantity, way)
    link_to_checks(runs)
    name = quantity[0] if quantity[0] in INDICES else "/".join(quantity)
    panel_kinds = ["change"] if way == "difference" else ["mean", "spread"]
    if not transposed:
        figure_panel(runs[0], [f"{kind}:{name}" for kind in panel_kinds], others=runs[1:])


def _figures(combined: Together, quantity: tuple[str, str], way: Way) -> None:
    if way == "difference":
        _two(combined, *quantity)
    else:
        side_by_side(_file_name(combined), figures.mean_and_spread(combined, *quantity), f"spread-{quantity}")
        st.caption(
            "Grey: one of the runs lacks this number, or it is undefined. The spread comes from whatever "
            "differs between these runs: networks, seeds, recipes."
        )


def _two(combined: Together, method: str, metric: str) -> None:
    left, right = st.columns(2)
    with left:
        side_by_side(
            _file_name(combined), [figures.difference_of_two(combined, method, metric)], f"difference-{method}-{metric}"
        )
    with right:
        chart(
            _file_name(combined),
            figures.cells_of_two(combined, method, metric, dark=ui.dark()),
            f"cells-{method}-{metric}",
            f"cells {method} {metric}",
        )
    st.caption(
        "Layers are compared by their names. On the dashed line both runs have the same number. Spearman's ρ "
        "compares the order of the cells: 1 where both runs order them alike."
    )


def _quantity(place: st.delta_generator.DeltaGenerator, combined: Together) -> tuple[str, str]:
    names = {f"{method}/{metric}": (method, metric) for method, metric in combined.quantities}
    quantity = place.selectbox(
        "Of",
        list(names),
        key="of",
        bind="query-params",
        label_visibility="collapsed",
        format_func=lambda key: Quantity(*names.get(key, combined.quantities[0])).label,
    )
    return names[quantity or next(iter(names))]


def _is_transposed(place: st.delta_generator.DeltaGenerator, runs: Sequence[Run]) -> bool:
    """Tell whether the second of two runs swaps the networks of the first, and is shown transposed."""
    if len(runs) != 2 or not mirrored(*runs):
        return False
    return place.toggle(
        "Cell (i, j) beside (j, i)",
        value=True,
        key="turned",
        help="These runs have the same networks with front and end swapped. On: each cell compares the same two "
        "layers, stitched in both directions.",
        bind="query-params",
    )


def _legend(combined: Together) -> None:
    """Say which letter stands for which run, and how many cells the runs share."""
    lines = [
        f"**{letter}** {ui.literal(_describe_run(run))}"
        for letter, run in zip(figures.letters(len(combined.runs)), combined.runs, strict=True)
    ]
    largest = max(len(run.request.front_layers) * len(run.request.end_layers) for run in combined.runs)
    shared = len(combined.front_layers) * len(combined.end_layers)
    lines += [f"All of them share {shared} of up to {largest} cells."] if shared < largest else []
    st.caption("  \n".join(lines))


def _describe_run(run: Run) -> str:
    tlm = f"{recipe.words(run)}, " if "tlm" in run.request.methods else ""
    name = run_table.name_of(run)
    return f"{name}: {'' if name == run.title else f'{run.title}, '}{tlm}seed {run.request.seed}, {run.id[:8]}"


def _file_name(combined: Together) -> str:
    """Return the beginning of the names of these figures' files: the runs' ids."""
    return "-".join(run.id[:8] for run in combined.runs[:3])
