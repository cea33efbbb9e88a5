"""Starts the computation of a run and follows it: how long it takes, the button, its progress, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.keys import COMPUTE
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue, preparation_job
from stitchlab.results.definitions import changed, listed
from stitchlab.results.duration import expected, roughly, seconds
from stitchlab.results.plan import to_compute
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import address, embedding, links, opened
from stitchlab.ui.asking import ANSWER_WAIT_S

MIN_SECONDS_FOR_CHEAPER = 120.0  # for computations that take longer, cheaper settings are suggested
MAX_CHEAPER_SHARE = 0.7  # of a computation's time, which cheaper settings may take


def draw_with_progress(jobs: JobQueue, run: Run, draw: Callable[[Run], None]) -> None:
    """Draw a run below its progress bar while it is computed, and again whenever cells have been added.

    Args:
        jobs: the queue.
        run: the run to draw.
        draw: draws it.
    """
    status = None if run.draft else jobs.status(run.id)
    if status is not None and status.active:
        ui.watch(jobs, run.id, lambda: _count_results(Run(run.store, run.record)) > _count_results(run))
    draw(run)


def _count_results(run: Run) -> int:
    """Count the results that a run has so far."""
    return len(run.cells) + len(run.functional)


def compute_bar(jobs: JobQueue, run: Run, begun: Callable[[Run], None] = lambda run: None) -> None:
    """Show how long a run will take and the button that computes it; say how the last try ended.

    Args:
        jobs: the queue.
        run: the run to compute; nothing is drawn if it is complete or running.
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
            f"It stopped: {ui.literal(status.message)}. Finished results are kept; Compute continues from there.",
            icon=":material/error:",
        )
    if status is not None and status.state in ("cancelled", "interrupted") and lacking:
        st.info(
            f"It was {status.state}. Finished results are kept; Compute continues from there.", icon=":material/info:"
        )
    if not lacking and run.accuracies_measured and not run.without_functional:
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    place, clicked = ui.sentence_with_button(
        "Compute", ":material/play_arrow:", primary=bool(lacking), key="compute", shortcut=COMPUTE
    )
    with place:
        _price(jobs, run)
    if clicked:
        ui.queue(lambda: begun(jobs.compute(run)))


def _draft_bar(jobs: JobQueue, run: Run) -> None:
    """Draw the button that makes a control network, then its grid; until then the run has no id and no link."""
    request = run.wanted()
    status = jobs.status(job := preparation_job(request))
    if status is not None and status.active:
        ui.watch(jobs, job)
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    if status is not None:
        st.error(status.message or f"It was {status.state}.", icon=":material/error:")
    place, clicked = ui.sentence_with_button(
        "Compute", ":material/play_arrow:", primary=True, key="compute", shortcut=COMPUTE
    )
    place.markdown(f"**{run.total} results to compute.** The control is made first: {run.record['front']['name']}.")
    if clicked:
        st.session_state["preparing"] = job
        ui.queue(lambda: jobs.prepare(request))


def _compute_prepared(jobs: JobQueue, store: Store) -> None:
    """Once the control network that this visitor asked for is made, queue its run and go to the run's link."""
    job = st.session_state.get("preparing")
    status = jobs.status(job) if job else None
    if not job or status is None or status.state != "done" or status.result is None:
        return
    del st.session_state["preparing"]
    jobs.forget(job)
    try:
        run = Run.load(status.result["run"], store)
    except StitchLabError as error:  # the run was deleted meanwhile
        ui.show_error(error)
        return
    address.write(run)
    ui.queue(lambda: jobs.compute(run))


def stored_results_bar(run: Run) -> bool:
    """Say why the pickers do not show a run; return whether the visitor asks for it under today's definitions."""
    if run.source:
        opened.banner(run)
        return False
    changed_definitions = changed(run.request)
    if not changed_definitions or links.picked(run.store, run) is None:
        st.info(
            f"{run.title}: its networks are no longer in the store, or the pickers do not offer its settings, so only "
            "its stored results are shown.",
            icon=":material/inventory_2:",
        )
        return False
    place, clicked = ui.sentence_with_button("Ask again", ":material/update:", key="ask_again")
    place.info(
        f"{run.title}: definitions have changed since it was requested ({listed(changed_definitions)}), so only its "
        "stored results are shown. Under today's definitions it is another run, which reuses the results that have not "
        "changed.",
        icon=":material/inventory_2:",
    )
    return clicked


def _price(jobs: JobQueue, run: Run) -> None:
    missing = to_compute(run)
    progress = f"**{len(run.cells)} of {run.total} results are there**; {missing}" if run.cells else f"**{missing}**"
    estimate = jobs.estimate(run, wait=ANSWER_WAIT_S)
    if estimate.state == "waiting":
        st.fragment(_look, run_every=ui.REFRESH_INTERVAL_S)(jobs, run, progress)
    elif estimate.state == "failed" or estimate.value is None:
        st.markdown(f"{progress}. {estimate.message}")
    else:
        duration = expected(estimate.value["seconds"], estimate.value["timed"])
        st.markdown(f"{progress}: {duration}.{_cheaper(estimate.value)}")


def _look(jobs: JobQueue, run: Run, progress: str) -> None:
    if jobs.estimate(run).state != "waiting":
        st.rerun()
    st.markdown(f"{progress}: estimating how long that takes …")


def _cheaper(price: dict[str, Any]) -> str:
    """If the run takes long, list settings that take clearly less time; the pickers above offer them."""
    write_duration = seconds if price["timed"] else roughly
    ways = [
        f"{setting}, {write_duration(duration)}"
        for setting, duration in price["cheaper"]
        if duration < MAX_CHEAPER_SHARE * price["seconds"]
    ]
    return f" Cheaper: {'; '.join(ways)}." if ways and price["seconds"] > MIN_SECONDS_FOR_CHEAPER else ""
