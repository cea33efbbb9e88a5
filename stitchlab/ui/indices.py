"""Draws the similarity indices: in groups, raw or calibrated, and compared with chance."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Literal

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.figures import run_grids
from stitchlab.figures.grid import Grid
from stitchlab.request import Cell
from stitchlab.results import chance
from stitchlab.results.run import Run
from stitchlab.ui import links, opened
from stitchlab.ui.charts import heatmaps

LABEL = "Similarity indices"  # in the picker of what is shown, and in links
Scale = Literal["raw", "calibrated"]
SCALES: dict[Scale, str] = {"raw": "Raw", "calibrated": "Calibrated"}
DEFAULT_GROUP = "Default"
#: The headings of the other indices, by what an index needs.
GROUPS: dict[Needs, str] = {
    "grams": "Images by images",
    "averages": "Channels, averaged over positions",
    "positions": "Channels at positions",
    "paper": "By the rows of the paper's code",
}


def draw(run: Run, selected: Cell | None, key: str) -> None:
    """Draw the switch and the heatmaps of all indices of a run; if permutations are missing, offer them.

    Args:
        run: the run that has the indices.
        selected: front and end layer of the framed cell; None: no frame, and no clicks.
        key: beginning of the widgets' keys.
    """
    calibrated = (
        st.segmented_control(
            "Scale of the indices",
            list(SCALES),
            key="scale",
            default="raw",
            required=True,
            format_func=SCALES.__getitem__,
            label_visibility="collapsed",
            bind="query-params",
        )
        == "calibrated"
    )
    if calibrated and not run_grids.indices_with_null(run):
        _offer(run)
        return
    names = run_grids.indices_with_null(run) if calibrated else list(run.request.indices)
    grids_by_index = dict(
        zip(names, run_grids.calibrated_grids(run) if calibrated else run_grids.index_grids(run), strict=True)
    )
    groups = _grouped(grids_by_index)
    for title, grids in groups.items():
        if len(groups) > 1:
            st.markdown(f"**{title}**")
        heatmaps(run, grids, f"{key}-{title}-{'calibrated' if calibrated else 'raw'}", selected)
    if run.request.null:
        st.caption(_beyond_chance(run))


def shown(run: Run) -> str:
    """Return the name that exported figures use for what is on the screen: raw or calibrated indices."""
    return run_grids.CALIBRATED if _calibrated() and run_grids.indices_with_null(run) else run_grids.SHOWN_INDICES


def about(run: Run) -> str:
    """Explain the numbers on the heatmaps."""
    if shown(run) == run_grids.CALIBRATED:
        return run_grids.ABOUT_CALIBRATED.format(run.request.null)
    return run_grids.ABOUT_INDICES


def numbers(run: Run, name: str, i: str, j: str) -> dict[str, Any]:
    """Compare an index with chance in a cell, by column of a table; empty if no permutations were asked for.

    Args:
        run: the run that has the cell.
        name: of the index.
        i, j: front layer and end layer of the cell.
    """
    if not run_grids.indices_with_null(run):
        return {}
    columns = {"null95": "95 % of chance", "calibrated": "Calibrated", "p": "p"}
    return {label: run.value(name, metric, i, j) for metric, label in columns.items()}


def _calibrated() -> bool:
    return bool(st.session_state.get("scale") == "calibrated")


def _grouped(grids_by_index: dict[str, Grid]) -> dict[str, list[Grid]]:
    """Group heatmaps of indices: the default ones first, the others by what they need."""
    groups: dict[str, list[Grid]] = {}
    for name, grid in grids_by_index.items():
        index = INDICES[name]
        groups.setdefault(DEFAULT_GROUP if index.default else GROUPS[index.needs], []).append(grid)
    return groups


def _offer(run: Run) -> None:
    """Say that no permutations were computed yet, and link to the same run with them."""
    if not any(INDICES[name].permutable for name in run.request.indices):
        st.info(
            "This run has no index that can be calibrated: only sums over positions are kept, so images cannot be "
            "permuted.",
            icon=":material/info:",
        )
        return
    if run.source:
        opened.show_missing(run, "permutations of images")
        return
    count = chance.default_permutations(len(run.request.end_layers))
    place, link_place = st.columns([4, 2], vertical_alignment="center")
    place.info(
        f"What the indices give by chance is not computed yet: {count} permutations of the images, for all cells "
        "at once.",
        icon=":material/info:",
    )
    permuted_run = Run(run.store, run.record | {"request": asdict(replace(run.request, null=count))})
    with link_place:
        ui.link_to_page(
            "pages/1_Compare.py",
            "Permute images",
            [*links.query(permuted_run), ("show", LABEL), ("scale", SCALES["calibrated"])],
            "The same run with permuted images",
        )


def _beyond_chance(run: Run) -> str:
    """Say for each index in how many columns the best cell (★) is beyond chance."""
    tests = {name: chance.columns(run, name) for name in run_grids.indices_with_null(run)}
    tests = {name: of_columns for name, of_columns in tests.items() if of_columns}
    if not tests:
        return "Permutations are not computed yet."
    if not all(test.decided for of_columns in tests.values() for test in of_columns):
        columns = max(map(len, tests.values()))
        return (
            f"{run.request.null} permutations cannot decide about {columns} columns at once (Holm's correction): "
            f"{chance.default_permutations(columns)} can, so no ★ is hollow here."
        )
    counts = " · ".join(
        f"{INDICES[name].label} {sum(not test.by_chance for test in of_columns)} of {len(of_columns)}"
        for name, of_columns in tests.items()
    )
    return (
        f"Columns whose ★ is beyond the best of {run.request.null} permutations (p < .05, Holm's correction over "
        f"the columns; hollow where it is not): {counts}."
    )
