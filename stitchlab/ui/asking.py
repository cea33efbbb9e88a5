"""Asks the pages' worker for something and shows the answer, a line while it is on its way, or why it failed."""

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
    """Return a worker's answer to a question (`stitchlab.worker.questions`); None, with a message, until it is there.

    Args:
        jobs: the queue, which asks the worker.
        question: name of the question.
        arguments: of the question, plain values.
        what: what the visitor waits for, as it should read: "the feature maps of image 3".
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
    """Return the layers at which a network of the store can be cut, or None while a worker finds them.

    Args:
        store: where the network is, and where its cut points are kept.
        jobs: the queue, which asks a worker where the store does not know them by network yet.
        network: whose cut points are wanted.
    """
    if (kept := cut_points.kept(store, network.id)) is not None:
        return kept
    record = answered(jobs, "cut_points", network.id, what=f"the layers of {network.name}")
    return None if record is None else Cuts.from_record(record)


def _look(jobs: Jobs, question: str, arguments: tuple[Any, ...], what: str) -> None:
    if jobs.ask(question, *arguments).state != "waiting":
        st.rerun()
    st.caption(f":material/hourglass_top: Looking for {what} …")
