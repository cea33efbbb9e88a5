"""Shows networks that are being trained or imported: their training curves, how it ended, and any remark."""

from __future__ import annotations

from functools import partial

import streamlit as st

from stitchlab import ui
from stitchlab.figures import networks as figures
from stitchlab.jobs import Jobs, Status
from stitchlab.jobs import making as job_of
from stitchlab.results import networks
from stitchlab.store import Store
from stitchlab.ui.charts import chart

MORE = 1.2  # times as many points of a curve as are drawn, and it is drawn again


def draw(jobs: Jobs) -> None:
    """Draw the networks that are being made, with their curves, and those that failed; announce the finished ones."""
    begun = jobs.begun()
    for name in st.session_state.get("being_made", set()) - begun.keys():
        _announce(jobs.store, name)
    _remarked(jobs.store)
    st.session_state["being_made"] = {name for name, status in begun.items() if status.active}
    for name, status in begun.items():
        if status.active:
            _watch(jobs, name)
        else:
            _ended(jobs, name, status)


def _announce(store: Store, name: str) -> None:
    """Say that a network is ready, and note a remark of its import, which stays on the page until it is dismissed."""
    made = networks.holder(store, name)
    if made is not None:
        st.toast(f"{name} is ready.", icon=":material/check_circle:")
        if made.origin.get("remark"):
            st.session_state["remarked"] = name


def _remarked(store: Store) -> None:
    """Show the remark of the latest import, unless the network has been replaced by one without a remark."""
    name = st.session_state.get("remarked")
    made = networks.holder(store, name) if name else None
    if made is None or not made.origin.get("remark"):
        return
    text, clicked = ui.beside("Dismiss", ":material/close:", key="dismiss_remark")
    text.warning(f"{name} is ready, but {made.origin['remark']}.", icon=":material/warning:")
    if clicked:
        del st.session_state["remarked"]
        st.rerun()


def _watch(jobs: Jobs, name: str) -> None:
    points = jobs.curve(name)
    # Short epochs would have the page drawn again at every look, while somebody fills in a form.
    ui.watch(jobs, job_of(name), lambda: len(jobs.curve(name)) > MORE * len(points))
    if points:
        chart(name, figures.curve(points, max(10, len(points)), dark=ui.dark()), f"curve-{name}", "training")


def _ended(jobs: Jobs, name: str, status: Status) -> None:
    # By callback, since the page is drawn anew when a job ends, and a click that comes just then must not be lost.
    forget = partial(jobs.forget, job_of(name))
    text, _ = ui.beside("Dismiss", ":material/close:", key=f"dismiss-{name}", on_click=forget)
    if status.state == "failed":
        text.error(f"{name} could not be made: {status.message}", icon=":material/error:")
    else:
        text.info(f"{name} was {status.state}; nothing was kept.", icon=":material/info:")
