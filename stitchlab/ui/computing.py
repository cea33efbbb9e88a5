"""Starts the computation of a run and follows it: what it costs, the button, its progress, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.keys import COMPUTE
from stitchlab.errors import StitchLabError
from stitchlab.jobs import Jobs, preparing
from stitchlab.results.definitions import changed, listed
from stitchlab.results.duration import expected, roughly, seconds
from stitchlab.results.plan import to_compute
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import address, embedding, links, opened
from stitchlab.ui.asking import ANSWER_WAIT_S

LONG, WORTH_IT = 120.0, 0.7  # seconds from which cheaper ways are told; the share of the time from which they are that


def watched(jobs: Jobs, run: Run, draw: Callable[[Run], None]) -> None:
    """Draw a run below its progress bar while it is computed, and again whenever cells have been added.

    Args:
        jobs: the queue.
        run: what is drawn.
        draw: draws it.
    """
    status = None if run.draft else jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: _count(Run(run.store, run.record)) > _count(run))
    draw(run)


def _count(run: Run) -> int:
    """Count the results of a run that are there."""
    return len(run.cells) + len(run.functional)


def compute_bar(jobs: Jobs, run: Run, begun: Callable[[Run], None] = lambda run: None) -> None:
    """Show what a run will cost and the button that computes it; say how the last try ended.

    Args:
        jobs: the queue.
        run: what is to be computed; nothing is drawn where it is complete or running.
        begun: called with the run once it is queued.
    """
    if embedding.embedded():
        return
    _compute_prepared(jobs, run.store)
    if run.draft:
        _draft_bar(jobs, run)
        return
    status = jobs.status(run.id)
    lacking = run.total - len(run.cells)
    if status is not None and status.active:
        return
    if status is not None and status.state == "failed":
        st.error(
            f"It stopped: {ui.literal(status.message)}. What was finished is kept; Compute goes on from there.",
            icon=":material/error:",
        )
    if status is not None and status.state in ("cancelled", "interrupted") and lacking:
        st.info(
            f"It was {status.state}. What was finished is kept; Compute goes on from there.", icon=":material/info:"
        )
    if not lacking and run.measured and not run.older:
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    text, clicked = ui.beside(
        "Compute", ":material/play_arrow:", primary=bool(lacking), key="compute", shortcut=COMPUTE
    )
    with text:
        _price(jobs, run)
    if clicked:
        ui.queue(lambda: begun(jobs.compute(run)))


def _draft_bar(jobs: Jobs, run: Run) -> None:
    """Draw the button that makes a control network, then its grid; until then the run has no id and no link."""
    wanted = run.wanted()
    status = jobs.status(job := preparing(wanted))
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    if status is not None:
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
    text, clicked = ui.beside("Compute", ":material/play_arrow:", primary=True, key="compute", shortcut=COMPUTE)
    text.markdown(f"**{run.total} results to compute.** The control is made first: {run.record['front']['name']}.")
    if clicked:
        st.session_state["preparing"] = job
        ui.queue(lambda: jobs.prepare(wanted))


def _compute_prepared(jobs: Jobs, store: Store) -> None:
    """Queue the run whose control network this visitor had made, once that is done, and go to its link."""
    job = st.session_state.get("preparing")
    status = jobs.status(job) if job else None
    if not job or status is None or status.state != "done" or status.result is None:
        return
    del st.session_state["preparing"]
    jobs.forget(job)
    try:
        made = Run.load(status.result["run"], store)
    except StitchLabError as error:  # it was deleted meanwhile
        ui.say(error)
        return
    address.write(made)
    ui.queue(lambda: jobs.compute(made))


def kept_bar(run: Run) -> bool:
    """Say why the pickers do not show a run; return whether the visitor asks for it under today's definitions."""
    if run.source:
        opened.banner(run)
        return False
    others = changed(run.request)
    if not others or links.picked(run.store, run) is None:
        st.info(
            f"{run.title}: its networks are no longer in the store, or the pickers do not offer its settings, so only "
            "its stored results are shown.",
            icon=":material/inventory_2:",
        )
        return False
    text, clicked = ui.beside("Ask again", ":material/update:", key="ask_again")
    text.info(
        f"{run.title}: definitions have changed since it was requested ({listed(others)}), so only its stored results "
        "are shown. Under today's it is another run, which reuses what has not changed.",
        icon=":material/inventory_2:",
    )
    return clicked


def _price(jobs: Jobs, run: Run) -> None:
    lacking = to_compute(run)
    there = f"**{len(run.cells)} of {run.total} results are there**; {lacking}" if run.cells else f"**{lacking}**"
    estimate = jobs.estimate(run, wait=ANSWER_WAIT_S)
    if estimate.state == "waiting":
        st.fragment(_look, run_every=ui.REFRESH_INTERVAL_S)(jobs, run, there)
    elif estimate.state == "failed" or estimate.value is None:
        st.markdown(f"{there}. {estimate.message}")
    else:
        took = expected(estimate.value["seconds"], estimate.value["timed"])
        st.markdown(f"{there}: {took}.{_cheaper(estimate.value)}")


def _look(jobs: Jobs, run: Run, there: str) -> None:
    if jobs.estimate(run).state != "waiting":
        st.rerun()
    st.markdown(f"{there}: estimating how long that takes …")


def _cheaper(price: dict[str, Any]) -> str:
    """List settings that take clearly less time, where the run takes long; the pickers above offer them."""
    span = seconds if price["timed"] else roughly
    ways = [f"{what}, {span(each)}" for what, each in price["cheaper"] if each < WORTH_IT * price["seconds"]]
    return f" Cheaper: {'; '.join(ways)}." if ways and price["seconds"] > LONG else ""
