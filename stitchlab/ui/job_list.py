"""Draws the queue: running and waiting jobs, each with a button that cancels it; how the latest jobs ended."""

from __future__ import annotations

import contextlib
from datetime import datetime

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.jobs import DEMO, JobQueue
from stitchlab.jobs.status import State
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import embedding

MAX_JOBS_SHOWN = 8  # with a progress bar
STATE_LABELS: dict[State, str] = {
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "left": "ended, since nobody was watching",
    "interrupted": "interrupted: its worker is gone",
}
_LABELS_BY_PREFIX = {
    "making-": "Network",
    "measuring-": "Measuring a network",
    "fetching-": "Data set",
    "preparing-": "Preparing a comparison",
    "probing-": "Linear probes",
    "checking-": "Checks of measures",
}


def under_way(store: Store, jobs: JobQueue) -> None:
    """Draw a progress bar for each running or waiting job, with a button that cancels it."""
    if embedding.embedded():
        return
    active = {job: status for job, status in jobs.recent().items() if status.active}
    if not active:
        return
    running = sum(status.state == "running" for status in active.values())
    st.header(f"{running} at work, {len(active) - running} waiting")
    for job in list(active)[:MAX_JOBS_SHOWN]:
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
            help=f"Cancel: {name(store, job)}. Finished results are kept.",
        )
    if len(active) > MAX_JOBS_SHOWN:
        st.caption(f"And {len(active) - MAX_JOBS_SHOWN} more that wait.")


def log(store: Store, jobs: JobQueue) -> None:
    """Draw a table of the latest jobs: how they ended, and why some failed."""
    panel = st.expander("Log: how the latest work ended", icon=":material/history:", key="log", on_change="rerun")
    if not panel.open:  # a closed panel would read the log each time the page is drawn
        return
    with panel:
        ended = {job: status for job, status in jobs.recent().items() if not status.active}
        if not ended:
            st.caption("Nothing has ended yet.")
            return
        st.dataframe(
            [
                {
                    "When": _when(jobs, job),
                    "What": name(store, job),
                    "How it ended": STATE_LABELS.get(status.state, status.state),
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
    for prefix, label in _LABELS_BY_PREFIX.items():
        if job.startswith(prefix):
            rest = job.removeprefix(prefix)
            return f"{label} {rest}" if prefix == "making-" else label
    run_id, _, kind = job.partition("-")
    title = run_id
    with contextlib.suppress(StitchLabError):
        run = Run.load(run_id, store)
        title = run.name or run.title
    label = {"": "Grid", "ood": "Detectors", "walk": "TLM's epochs"}.get(kind.partition("-")[0], "Work")
    return f"{label} of {title}"


def _look(jobs: JobQueue, job: str, label: str) -> None:
    """Draw one job's bar, without `Jobs.look`, which would keep a job alive that nobody asked for."""
    status = jobs.status(job)
    if status is None or not status.active:
        st.rerun()
    st.caption(ui.literal(label))
    ui.progress(status)


def _when(jobs: JobQueue, job: str) -> datetime | None:
    record = jobs.store.intact("jobs", job)
    return datetime.fromtimestamp(record["created"]) if record else None
