"""Asking the pages' worker on a page: the answer, or a line while it is on its way, or a line and a button."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.jobs import Jobs
from stitchlab.results import cut_points
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network
from stitchlab.store import Store
from stitchlab.ui import embedding

PATIENCE = 0.5  # seconds that a page stands still for an answer: most are there in a tenth of that
LOOK = 0.3  # seconds between looks for an answer that takes longer


def answered(jobs: Jobs, question: str, *arguments: Any, what: str) -> Any | None:
    """Return the answer to a question (`stitchlab.worker.questions`); None, with a line on the page, before it comes.

    Args:
        jobs: asks the worker.
        question: its name.
        arguments: plain values.
        what: what is being looked for, as it should read: "the feature maps of image 3".
    """
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return None
    answer = jobs.ask(question, *arguments, wait=PATIENCE)
    if answer.state == "there":
        return answer.value
    if answer.state == "failed":
        text, clicked = ui.beside("Ask again", ":material/refresh:", key=f"ask {question} {arguments}")
        text.error(answer.message, icon=":material/error:")
        if clicked:
            jobs.ask_again(question, *arguments)
            st.rerun()
    else:
        with embedding.seen():
            st.fragment(_look, run_every=LOOK)(jobs, question, arguments, what)
    return None


def cuts_of(store: Store, jobs: Jobs, network: Network) -> Cuts | None:
    """Return the cut points of a network of the store, or None while a worker finds them.

    A worker is asked where they were kept before the store knew them by network.
    """
    if (kept := cut_points.kept(store, network.id)) is not None:
        return kept
    record = answered(jobs, "cut_points", network.id, what=f"the layers of {network.name}")
    return None if record is None else Cuts.from_record(record)


def _look(jobs: Jobs, question: str, arguments: tuple[Any, ...], what: str) -> None:
    if jobs.ask(question, *arguments).state != "waiting":
        st.rerun()
    st.caption(f":material/hourglass_top: Looking for {what} …")
