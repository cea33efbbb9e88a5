"""Draws the queue: what is computed and what waits, each with a button that ends it; how the latest work ended."""

from __future__ import annotations

import contextlib
from datetime import datetime

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.jobs import DEMO, Jobs
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import embedding

SHOWN = 8  # jobs that have a bar of their own
ENDED = {
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "left": "ended, since nobody was watching",
    "interrupted": "interrupted: its worker is gone",
}
_BEGINNINGS = {
    "making-": "Network",
    "measuring-": "Measuring a network",
    "fetching-": "Data set",
    "preparing-": "Preparing a comparison",
    "probing-": "Linear probes",
    "checking-": "Checks of measures",
}


def under_way(store: Store, jobs: Jobs) -> None:
    """Draw a bar for each job that runs or waits, with the button that ends it; nothing where there is none."""
    if embedding.embedded():
        return
    active = {job: status for job, status in jobs.recent().items() if status.active}
    if not active:
        return
    running = sum(status.state == "running" for status in active.values())
    st.header(f"{running} at work, {len(active) - running} waiting")
    for job in list(active)[:SHOWN]:
        bar, button = st.columns([8, 1], vertical_alignment="center")
        with bar:
            st.fragment(_look, run_every=ui.REFRESH_INTERVAL_S)(jobs, job, name(store, job))
        button.button(
            "Cancel",
            icon=":material/stop_circle:",
            key=f"end-{job}",
            on_click=jobs.cancel,
            args=(job,),
            width="stretch",
            help=f"End it: {name(store, job)}. What is finished is kept.",
        )
    if len(active) > SHOWN:
        st.caption(f"And {len(active) - SHOWN} more that wait.")


def log(store: Store, jobs: Jobs) -> None:
    """Draw a table of the latest jobs: how they ended, and why some failed."""
    told = st.expander("Log: how the latest work ended", icon=":material/history:", key="log", on_change="rerun")
    if not told.open:  # else it would be read at every look
        return
    with told:
        ended = {job: status for job, status in jobs.recent().items() if not status.active}
        if not ended:
            st.caption("Nothing has ended yet.")
            return
        st.dataframe(
            [
                {
                    "When": _when(jobs, job),
                    "What": name(store, job),
                    "How it ended": ENDED.get(status.state, status.state),
                    "Why": status.message,
                }
                for job, status in ended.items()
            ],
            column_config={
                "When": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
                "Why": st.column_config.TextColumn(width="large"),
            },
            hide_index=True,
            width="stretch",
            alt="The latest jobs and how they ended",
        )


def name(store: Store, job: str) -> str:
    """Name a job for people."""
    if job == DEMO:
        return "The demo's two networks"
    for beginning, what in _BEGINNINGS.items():
        if job.startswith(beginning):
            rest = job.removeprefix(beginning)
            return f"{what} {rest}" if beginning == "making-" else what
    run_id, _, more = job.partition("-")
    of = run_id
    with contextlib.suppress(StitchLabError):
        run = Run.load(run_id, store)
        of = run.name or run.title
    what = {"": "Grid", "ood": "Detectors", "walk": "TLM's epochs"}.get(more.partition("-")[0], "Work")
    return f"{what} of {of}"


def _look(jobs: Jobs, job: str, what: str) -> None:
    """Draw one job's bar; this does not count as a look, which would keep alive what nobody asked for."""
    status = jobs.status(job)
    if status is None or not status.active:
        st.rerun()
    st.caption(ui.literal(what))
    ui.progress(status)


def _when(jobs: Jobs, job: str) -> datetime | None:
    record = jobs.store.intact("jobs", job)
    return datetime.fromtimestamp(record["created"]) if record else None
