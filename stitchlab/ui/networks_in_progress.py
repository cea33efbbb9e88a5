"""Draws networks that are being trained or imported: their training curves, how it ended, and any remark."""

from __future__ import annotations

from functools import partial

import streamlit as st

from stitchlab import ui
from stitchlab.figures import networks as figures
from stitchlab.jobs import JobQueue, Status
from stitchlab.jobs import network_job as job_of
from stitchlab.results import networks
from stitchlab.store import Store
from stitchlab.ui.charts import chart

REDRAW_GROWTH = 1.2  # a curve with so many times the drawn points is drawn again


def draw(jobs: JobQueue) -> None:
    """Draw the networks in the making, with their curves, and those that failed; announce the finished ones."""
    begun = jobs.networks_in_progress()
    for name in st.session_state.get("being_made", set()) - begun.keys():
        _announce(jobs.store, name)
    _show_remark(jobs.store)
    st.session_state["being_made"] = {name for name, status in begun.items() if status.active}
    for name, status in begun.items():
        if status.active:
            _watch(jobs, name)
        else:
            _show_end(jobs, name, status)


def _announce(store: Store, name: str) -> None:
    """Say that a network is ready. Note the remark of its import, which stays on the page until it is dismissed."""
    network = networks.holder(store, name)
    if network is not None:
        st.toast(f"{name} is ready.", icon=":material/check_circle:")
        if network.origin.get("remark"):
            st.session_state["remarked"] = name


def _show_remark(store: Store) -> None:
    """Show the remark of the latest import, unless the network has been replaced by one without a remark."""
    name = st.session_state.get("remarked")
    network = networks.holder(store, name) if name else None
    if network is None or not network.origin.get("remark"):
        return
    place, clicked = ui.sentence_with_button("Dismiss", ":material/close:", key="dismiss_remark")
    place.warning(f"{name} is ready, but {network.origin['remark']}.", icon=":material/warning:")
    if clicked:
        del st.session_state["remarked"]
        st.rerun()


def _watch(jobs: JobQueue, name: str) -> None:
    points = jobs.curve(name)
    # With short epochs the page would be drawn again at every look, while somebody fills in a form.
    ui.watch(jobs, job_of(name), lambda: len(jobs.curve(name)) > REDRAW_GROWTH * len(points))
    if points:
        chart(name, figures.curve(points, max(10, len(points)), dark=ui.dark()), f"curve-{name}", "training")


def _show_end(jobs: JobQueue, name: str, status: Status) -> None:
    # By a callback: the page is drawn again when a job ends, and a click at that moment must not be lost.
    forget = partial(jobs.forget, job_of(name))
    place, _ = ui.sentence_with_button("Dismiss", ":material/close:", key=f"dismiss-{name}", on_click=forget)
    if status.state == "failed":
        place.error(f"{name} could not be made: {status.message}", icon=":material/error:")
    else:
        place.info(f"{name} was {status.state}; nothing was kept.", icon=":material/info:")
