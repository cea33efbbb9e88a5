"""Chooses the runs that serve as examples: the one of the address or of Home; and one within a network."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.request import METHODS
from stitchlab.results import shelf
from stitchlab.results.anomalies import is_within
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.ui import address
from stitchlab.ui.home import gallery
from stitchlab.ui.run_table import called
from stitchlab.ui.runs import started


def choose(store: Store) -> Run | None:
    """Return the run of the address, or the one of Home; None where no run has cells of both methods."""
    run, missing = address.run(store)
    if run is not None and not usable(run):
        missing = f"{run.id} has no cells that are stitched by both methods yet"
        run = None
    if missing:
        st.warning(
            f"This link's run cannot serve as the example: {ui.literal(missing)}. Another one is shown.",
            icon=":material/link_off:",
        )
    first, others = gallery()
    return run or next((known for known in (first, *others, *list_runs(store)) if known and usable(known)), None)


def usable(run: Run) -> bool:
    """Tell whether a run has stitched cells of both methods."""
    return set(METHODS) <= set(run.request.methods) and started(run)


def every(store: Store) -> dict[str, Run]:
    """List all runs that can serve as the example, one's own first."""
    return {run.id: run for run in [*list_runs(store), *shelf.others(store)] if usable(run)}


def within(store: Store, run: Run) -> Run | None:
    """Return a run that compares a network with itself: this one, one of its networks', or any; None without one."""
    if is_within(run):
        return run
    there = [other for other in every(store).values() if is_within(other) and other.complete]
    same = [other for other in there if other.request.front in (run.request.front, run.request.end)]
    return next(iter([*same, *there]), None)


def pick(store: Store, run: Run) -> None:
    """Draw the choice of the run that serves as the example."""
    known = every(store)
    known = known if run.id in known else {run.id: run, **known}
    st.session_state["learn-run"] = run.id
    st.selectbox(
        "Use this run as the example",
        list(known),
        key="learn-run",
        format_func=lambda key: called(known[key]),
        on_change=lambda: address.write(known[st.session_state["learn-run"]]),
    )
