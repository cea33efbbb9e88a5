"""Draws the choice of a run: links to the newest, and a picker for older ones."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from stitchlab import ui
from stitchlab.results import recipe
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run
from stitchlab.ui import address, links

MAX_LINKED_RUNS = 8  # the newest runs, which have a link of their own


def choice(runs: Sequence[Run], page: str) -> None:
    """Draw links that open these runs, newest first, on a page; older ones are in a picker."""
    for run in runs[:MAX_LINKED_RUNS]:
        ui.link_to_page(
            page, ui.literal(name(run)), links.query(run), f"Requested {run.record['created'][:16]}, id {run.id}"
        )
    if older := {run.id: run for run in runs[MAX_LINKED_RUNS:]}:
        st.selectbox(
            f"{len(older)} older runs",
            list(older),
            index=None,
            key="older_run",
            placeholder="Choose a run",
            format_func=lambda key: name(older[key]),
            on_change=_open,
            args=(older,),
        )


def name(run: Run) -> str:
    """Name a run for people: its networks and data, the size of its grid, its recipe, its id."""
    request = run.request
    size = f"{len(request.front_layers)}×{len(request.end_layers)}"
    tlm = f" · {recipe.name(run)} recipe" if "tlm" in request.methods else ""
    return f"{run.title} · {size}{tlm} · {run.id[:8]}"


def about(run: Run) -> str:
    """Describe a run in one line: its grid, recipe, images, permutations, and how much of it is computed."""
    request = run.request
    parts = [f"{len(request.front_layers)}×{len(request.end_layers)} layers"]
    parts += [recipe.words(run)] if "tlm" in request.methods else []
    parts += [f"{request.eval_images:,} test images"]
    parts += [f"{request.null} permutations"] if request.null else []
    parts += [] if run.complete else [f"{len(run.cells)} of {run.total} results"]
    return " · ".join(parts)


def started(run: Run) -> bool:
    """Tell whether any cell of a run is stitched. It looks cells up one by one until it finds one."""
    request = run.request
    return any(
        run.store.has("cells", result_key(request, method, i, j))
        for method in reversed(request.methods)
        for i, j in request.cells
    )


def _open(runs: dict[str, Run]) -> None:
    if (chosen := st.session_state["older_run"]) is not None:
        address.write(runs[chosen])
