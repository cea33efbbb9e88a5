"""Chooses the runs that serve as examples: the one that the address names or Home shows, and one within a network."""

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
from stitchlab.ui.run_table import name_of
from stitchlab.ui.runs import started


def choose(store: Store) -> Run | None:
    """Return the run that the address names, or the one that Home shows; None if no run has cells of both methods."""
    run, missing = address.run(store)
    if run is not None and not has_both_methods(run):
        missing = f"{run.id} has no cells yet that were stitched by both methods"
        run = None
    if missing:
        st.warning(
            f"The run of this link cannot serve as the example: {ui.literal(missing)}. Another one is shown.",
            icon=":material/link_off:",
        )
    first, others = gallery()
    return run or next((each for each in (first, *others, *list_runs(store)) if each and has_both_methods(each)), None)


def has_both_methods(run: Run) -> bool:
    """Tell whether a run has stitched cells of both methods."""
    return set(METHODS) <= set(run.request.methods) and started(run)


def example_runs(store: Store) -> dict[str, Run]:
    """Return all runs that can serve as the example by id, those computed here first."""
    return {run.id: run for run in [*list_runs(store), *shelf.others(store)] if has_both_methods(run)}


def comparison_with_itself(store: Store, run: Run) -> Run | None:
    """Return a run of a network with itself: this one, else one of its networks, else any; None if there is none."""
    if is_within(run):
        return run
    candidates = [other for other in example_runs(store).values() if is_within(other) and other.complete]
    of_its_networks = [other for other in candidates if other.request.front in (run.request.front, run.request.end)]
    return next(iter([*of_its_networks, *candidates]), None)


def pick(store: Store, run: Run) -> None:
    """Draw the choice of the run that serves as the example."""
    choices = example_runs(store)
    choices = choices if run.id in choices else {run.id: run, **choices}
    st.session_state["learn-run"] = run.id
    st.selectbox(
        "Use this run as the example",
        list(choices),
        key="learn-run",
        format_func=lambda key: name_of(choices[key]),
        on_change=lambda: address.write(choices[st.session_state["learn-run"]]),
    )
