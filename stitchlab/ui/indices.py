"""The similarity indices on the screen: in groups, as they are or calibrated, and what chance says of each."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.figures import grids
from stitchlab.figures.heatmap import Grid
from stitchlab.results import chance
from stitchlab.results.run import Run
from stitchlab.ui import links, opened
from stitchlab.ui.charts import heatmaps

LABEL = "Similarity indices"  # of what is shown, in the picker and in links
SCALES = {"raw": "Raw", "calibrated": "Calibrated"}
DEFAULT = "Default"
#: The headings of all others, by what they look at.
GROUPS: dict[Needs, str] = {
    "grams": "Images by images", "averages": "Channels, averaged over positions", "positions": "Channels at positions",
    "paper": "By the rows of the paper's code",
}


def draw(run: Run, selected: tuple[str, str] | None, key: str) -> None:
    """Draw the switch and the heatmaps of all indices of a run, or how to get what is missing of them."""
    calibrated = st.segmented_control(
        "Scale of the indices", list(SCALES), key="scale", default="raw", required=True,
        format_func=SCALES.__getitem__, label_visibility="collapsed", bind="query-params") == "calibrated"
    if calibrated and not grids.with_null(run):
        _offer(run)
        return
    names = grids.with_null(run) if calibrated else list(run.request.indices)
    made = dict(zip(names, grids.calibrated(run) if calibrated else grids.indices(run), strict=True))
    groups = _grouped(made)
    for title, drawn in groups.items():
        if len(groups) > 1:
            st.markdown(f"**{title}**")
        heatmaps(run, drawn, f"{key}-{title}-{'calibrated' if calibrated else 'raw'}", selected)
    if run.request.null:
        st.caption(_beyond_chance(run))


def shown(run: Run) -> str:
    """Name what is on the screen as exported figures do."""
    return grids.CALIBRATED if _calibrated() and grids.with_null(run) else grids.SHOWN_INDICES


def about(run: Run) -> str:
    """Say what the numbers on the heatmaps are."""
    if shown(run) == grids.CALIBRATED:
        return grids.ABOUT_CALIBRATED.format(run.request.null)
    return grids.ABOUT_INDICES


def numbers(run: Run, name: str, i: str, j: str) -> dict[str, Any]:
    """Give what chance says of an index in a cell, by column of a table; nothing where no null was asked for."""
    if not grids.with_null(run):
        return {}
    called = {"null95": "95 % of chance", "calibrated": "Calibrated", "p": "p"}
    return {label: run.value(name, metric, i, j) for metric, label in called.items()}


def _calibrated() -> bool:
    return bool(st.session_state.get("scale") == "calibrated")


def _grouped(made: dict[str, Grid]) -> dict[str, list[Grid]]:
    """The default indices first, all others by what they look at."""
    groups: dict[str, list[Grid]] = {}
    for name, grid in made.items():
        index = INDICES[name]
        groups.setdefault(DEFAULT if index.default else GROUPS[index.needs], []).append(grid)
    return groups


def _offer(run: Run) -> None:
    """Say that nothing was permuted yet, and lead to the same run with a null."""
    if not any(INDICES[name].permutable for name in run.request.indices):
        st.info("This run has no index that is calibrated: of positions only sums are kept, so that images cannot be "
                "permuted.", icon=":material/info:")
        return
    if run.source:
        opened.lacks(run, "permutations of images")
        return
    count = chance.usual(len(run.request.end_layers))
    text, door = st.columns([4, 2], vertical_alignment="center")
    text.info(f"What the indices say by chance is not computed yet: {count} permutations of the images, for all cells "
              "at once.", icon=":material/info:")
    asked = Run(run.store, run.record | {"request": asdict(replace(run.request, null=count))})
    with door:
        ui.door("pages/1_Compare.py", "Permute images", [*links.query(asked), ("show", LABEL),
                                                         ("scale", SCALES["calibrated"])], "The same run with a null")


def _beyond_chance(run: Run) -> str:
    """Say of how many columns ★ is beyond chance, by index."""
    tests = {name: chance.columns(run, name) for name in grids.with_null(run)}
    known = {name: of for name, of in tests.items() if of}
    if not known:
        return "Permutations are not computed yet."
    if not all(test.decided for of in known.values() for test in of):
        columns = max(map(len, known.values()))
        return (f"{run.request.null} permutations cannot decide about {columns} columns at once (Holm's correction): "
                f"{chance.usual(columns)} can, so no ★ is hollow here.")
    counts = " · ".join(f"{INDICES[name].label} {sum(not test.by_chance for test in of)} of {len(of)}"
                        for name, of in known.items())
    return (f"Columns whose ★ is beyond the best of {run.request.null} permutations (p < .05, Holm's correction over "
            f"the columns; hollow where it is not): {counts}.")
