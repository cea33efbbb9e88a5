"""Draws a run: heatmaps that fill as cells are computed, the selected cell, and how the run was computed."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.methods import FUNCTIONAL, METRICS
from stitchlab.figures import run_grids
from stitchlab.request import Cell
from stitchlab.results import recipe
from stitchlab.results.chance import IN_TABLES
from stitchlab.results.detection import DetectionResults
from stitchlab.results.duration import seconds
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.results.why_empty import BEFORE
from stitchlab.ui import address, indices, keyboard, links, opened, views
from stitchlab.ui.charts import cells_scatter, heatmaps
from stitchlab.ui.checks_link import link_to_checks
from stitchlab.ui.copying import copy_link
from stitchlab.ui.figure_panel import figure_panel
from stitchlab.ui.numbers import label, selected_cell, tlm_recipe

#: The labels of what can be shown: metrics of stitched networks, metrics of their predictions, similarity indices.
SHOWN = {
    **{
        metric.name: f"Functional: {metric.label.lower()}" if metric.name in FUNCTIONAL else metric.label
        for metric in METRICS.values()
    },
    run_grids.SHOWN_INDICES: indices.LABEL,
}
View = Literal["maps", "difference", "cells", "table"]
VIEWS: dict[View, str] = {"maps": "Side by side", "difference": "Difference", "cells": "All cells", "table": "Table"}


def explore(run: Run) -> None:
    """Draw the switches, the heatmaps or the table, and the selected cell."""
    shown, view = _switches(run)
    above, below = st.container(), st.container()
    with below:
        selected = selected_cell(run, shown)
    with above:
        if view == "table":
            _table(run)
        elif view == "cells":
            _all_cells(run, selected)
        else:
            figures(run, shown, view, key="grid", selected=selected)
    st.caption(_about(run, shown, view))
    figure_panel(run, _panels(run, shown, view), selected)
    keyboard.arrows(run, selected)
    link_to_checks([run])
    _provenance_panel(run)


def _panels(run: Run, shown: str, view: View) -> list[str]:
    """Return the names that exported figures use for what is on the screen."""
    if shown == run_grids.SHOWN_INDICES:
        return [indices.shown(run)]
    return [f"difference/{shown}" if view == "difference" and shown in METRICS else shown]


def figures(run: Run, shown: str, view: View = "maps", *, key: str, selected: Cell | None = None) -> None:
    """Draw the heatmaps of a metric, or of the indices, side by side on wide screens.

    Args:
        run: the run to draw.
        shown: a metric, or ``indices``: a key of `SHOWN`.
        view: ``maps``, or ``difference`` for TLM − DM.
        key: beginning of the widgets' keys.
        selected: front and end layer of the framed cell; None: no frame, and no clicks.
    """
    if shown == run_grids.SHOWN_INDICES and run.request.indices:
        indices.draw(run, selected, key)
        return
    grids = (
        []
        if shown == run_grids.SHOWN_INDICES
        else (run_grids.difference_grids(run, shown) if view == "difference" else run_grids.metric_grids(run, shown))
    )
    if not grids:
        st.info(
            "This run has nothing of that kind: choose something else to show, or add the method and compute.",
            icon=":material/info:",
        )
        return
    heatmaps(run, grids, f"{key}-{shown}-{view}", selected)


def _all_cells(run: Run, selected: Cell) -> None:
    """Draw every cell with a Fréchet ratio as a point: accuracy against the ratio."""
    results = DetectionResults(run)
    with_ratio = sum(results.entry(SET_DETECTOR, *cell) is not None for cell in results.cells)
    if run.source and not with_ratio:
        opened.show_missing(run, "Fréchet ratios")
    elif not run.source and (with_ratio < len(results.cells) or not with_ratio):
        i, j = selected
        place, link_place = st.columns([4, 2], vertical_alignment="center")
        place.info(
            f"{with_ratio} of {len(results.cells)} cells have a Fréchet ratio: the page Activations computes it.",
            icon=":material/info:",
        )
        with link_place:
            link = [*links.query(run, front_layer=i, end_layer=j), ("look", views.VIEWS["cells"][0])]
            ui.link_to_page("pages/2_Activations.py", "Look at all cells", link, "The same figure on Activations")
    if with_ratio:
        cells_scatter(results, "grid-cells", selected)


def _switches(run: Run) -> tuple[str, View]:
    """Draw a row with the pickers of quantity and view, and the link to them; return both choices."""
    bound: Any = {"bind": "query-params", "required": True, "label_visibility": "collapsed"}
    left, middle, right = st.columns([4, 7, 2], vertical_alignment="center")
    shown = left.selectbox("Show", list(SHOWN), key="show", format_func=SHOWN.__getitem__, **bound)
    view: View = (
        middle.segmented_control("As", list(VIEWS), default="maps", key="view", format_func=VIEWS.__getitem__, **bound)
        or "maps"
    )
    with right:
        copy_link([*links.query(run), *zip(address.CELL, address.cell_of_address() or (), strict=False)])
    return shown, view


def _about(run: Run, shown: str, view: View) -> str:
    """Explain the colours, the star and grey."""
    if view == "table":
        about = "A row for each cell, a column for each quantity; a click on a column's heading sorts."
        return about + tlm_recipe(run)
    if view == "cells":
        return (
            "A point for every cell and method, whatever is shown above. Fréchet ratio: how far the stitched "
            "activations are, as a set, from the end network's own; 0 is native." + tlm_recipe(run)
        )
    if shown in METRICS:
        about = f"**{METRICS[shown].label}**: {METRICS[shown].meaning}; {METRICS[shown].better} = more similar."
    else:
        about = indices.about(run)
    star = "★ best of its column. " if view == "maps" or shown == run_grids.SHOWN_INDICES else ""
    older = (
        f", or {BEFORE}, as {len(run.without_functional)} cells are"
        if shown in FUNCTIONAL and run.without_functional
        else ""
    )
    return f"{about} {star}Grey: not computed yet, or undefined{older}. Click a cell to select it."


def _table(run: Run) -> None:
    """Draw a row for each cell and a column for each quantity; a click sorts. cells.csv has the long format."""
    names = {
        (method, metric): f"{method.upper()} {METRICS[metric].label.lower()}"
        if method in run.request.methods
        else label(run, method) + (f" {metric}" if metric in IN_TABLES else "")
        for method, metric in run.quantities()
    }
    st.dataframe(
        [
            {"Front layer": i, "End layer": j, **{name: run.value(*quantity, i, j) for quantity, name in names.items()}}
            for i in run.request.front_layers
            for j in run.request.end_layers
        ],
        column_config={name: st.column_config.NumberColumn(format="%.4f") for name in names.values()},
        hide_index=True,
        width="stretch",
        alt="Every number of every cell",
    )


def _provenance_panel(run: Run) -> None:
    panel = st.expander("How it was computed", icon=":material/info:", key="how", on_change="rerun")
    if panel.open:  # a closed panel would collect the provenance each time the page is drawn
        with panel:
            _provenance(run)


def _provenance(run: Run) -> None:
    provenance, request = run.provenance(), run.request
    durations = ", ".join(f"{name.upper()} {seconds(count)}" for name, count in provenance["seconds"].items() if count)
    versions = [", ".join(f"{name} {number}" for name, number in each.items()) for each in provenance["versions"]]
    lines = {
        "Run": f"`{run.id}`: {ui.literal(run.title)}, requested {provenance['created']}",
        "Task loss matching": recipe.words(run),
        "Direct matching": f"least squares on {request.dm.images:,} training images",
        "Seed": str(request.seed),
        "Evaluation": f"{request.eval_images:,} test images",
        "Chance": f"{request.null} permutations of the images" if request.null else "",
        "Device": ", ".join(provenance["devices"]),
        "Threads": ", ".join(map(str, provenance["threads"])),
        "Versions": "; ".join(versions),
        "Time": durations,
    }
    st.markdown("\n".join(f"- **{name}:** {value}" for name, value in lines.items() if value))
    st.json(provenance, expanded=False)
