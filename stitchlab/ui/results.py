"""A run on the screen: heatmaps that fill as cells come, the selected cell, and how it was all computed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.methods import METRICS
from stitchlab.export.tables import cells_csv, run_json
from stitchlab.figures import grids
from stitchlab.results import recipe
from stitchlab.results.run import Run
from stitchlab.ui.charts import heatmaps
from stitchlab.ui.numbers import label, selected_cell, tlm_recipe

SHOWN = {**{metric.name: metric.label for metric in METRICS.values()}, grids.SHOWN_INDICES: "Similarity indices"}
VIEWS = {"maps": "Side by side", "difference": "Difference", "table": "Table"}


def explore(run: Run) -> None:
    """The switches, the heatmaps or the table, and the selected cell."""
    shown, view = _switches(run)
    above, below = st.container(), st.container()
    with below:
        selected = selected_cell(run)
    with above:
        if view == "table":
            _table(run)
        else:
            figures(run, shown, view, key="grid", selected=selected)
    _how(run)


def figures(
    run: Run, shown: str, view: str = "maps", *, key: str, selected: tuple[str, str] | None = None
) -> None:
    """The heatmaps of what is shown, side by side on wide screens; with a key, their cells answer clicks."""
    made = grids.indices(run) if shown == grids.SHOWN_INDICES else (
        grids.difference(run, shown) if view == "difference" else grids.stitched(run, shown)
    )
    if not made:
        st.info("This run has nothing of that kind: choose something else to show, or add the method and compute.",
                icon=":material/info:")
        return
    heatmaps(run, made, f"{key}-{shown}-{view}", selected)


def _switches(run: Run) -> tuple[str, str]:
    bound: Any = {"bind": "query-params", "required": True}
    shown = st.segmented_control("Show", list(SHOWN), default="accuracy", key="show", format_func=SHOWN.__getitem__,
                                 wrap=True, **bound)
    left, right = st.columns([3, 1])
    view = left.segmented_control("As", list(VIEWS), default="maps", key="view", format_func=VIEWS.__getitem__, **bound)
    right.segmented_control("Picture", ["png", "svg"], default="png", key="picture", required=True,
                            format_func=str.upper, help="What the camera above a heatmap saves.")
    shown, view = shown or "accuracy", view or "maps"
    if view == "table":
        about = "A line a cell, every quantity a column; a click on a column's head sorts." + tlm_recipe(run)
    elif shown in METRICS:
        about = f"**{METRICS[shown].label}**: {METRICS[shown].meaning}; {METRICS[shown].better} = more similar."
    else:
        about = ("Each index on its own scale. CKA compares images by images, all positions flattened; PWCCA and "
                 "Procrustes compare channels, averaged over positions. They see different things. Of unrelated layers "
                 "debiased CKA is about 0; CKA is not.")
    star = "★ best of its column. " if view == "maps" or shown == grids.SHOWN_INDICES else ""
    key = "" if view == "table" else f" {star}Grey: not computed yet, or undefined. Click a cell to select it."
    st.caption(about + key)
    return shown, view


def _table(run: Run) -> None:
    """A line a cell, a column a quantity: sorted by a click, copied as it stands. cells.csv is the long form."""
    names = {(method, metric): f"{method.upper()} {METRICS[metric].label.lower()}" if method in run.request.methods
             else label(run, method) for method, metric in run.quantities()}
    st.dataframe(
        [{"Front layer": i, "End layer": j, **{name: run.value(*q, i, j) for q, name in names.items()}}
         for i in run.request.front_layers for j in run.request.end_layers],
        column_config={name: st.column_config.NumberColumn(format="%.4f") for name in names.values()},
        hide_index=True, width="stretch",
    )


def _how(run: Run) -> None:
    left, right = st.columns(2)
    left.download_button("Cells as CSV", cells_csv(run), f"stitchlab-{run.id}-cells.csv", "text/csv",
                         icon=":material/download:", width="stretch", on_click="ignore")
    right.download_button("How it was computed (run.json)", run_json(run), f"stitchlab-{run.id}.json",
                          "application/json", icon=":material/download:", width="stretch", on_click="ignore")
    how = st.expander("How it was computed", icon=":material/info:", key="how", on_change="rerun")
    if how.open:  # else it would be gathered on every look
        with how:
            _provenance(run)


def _provenance(run: Run) -> None:
    made, request = run.provenance(), run.request
    spent = ", ".join(f"{name.upper()} {ui.seconds(count)}" for name, count in made["seconds"].items() if count)
    versions = "; ".join(", ".join(f"{name} {number}" for name, number in v.items()) for v in made["versions"])
    lines = {
        "Run": f"`{run.id}`: {run.title}, asked for {made['created']}", "Task loss matching": recipe.words(run),
        "Direct matching": f"least squares on {request.dm.images:,} training images", "Seed": str(request.seed),
        "Evaluation": f"{request.eval_images:,} test images", "Device": ", ".join(made["devices"]),
        "Threads": ", ".join(map(str, made["threads"])),
        "Versions": versions, "Time": spent,
    }
    st.markdown("\n".join(f"- **{name}:** {value}" for name, value in lines.items() if value))
    st.json(made, expanded=False)
