"""Asks the pages' worker a question; shows a line while the answer is awaited, and the reason if it failed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.jobs import JobQueue
from stitchlab.results import cut_points
from stitchlab.results.cut_points import Cuts
from stitchlab.results.networks import Network
from stitchlab.store import Store
from stitchlab.ui import embedding

ANSWER_WAIT_S = 0.5  # for which a page waits for an answer; most come in a tenth of that
LOOK_INTERVAL_S = 0.3  # between two looks for an answer that takes longer


def ask_worker(jobs: JobQueue, question: str, *arguments: Any, awaited: str) -> Any | None:
    """Return a worker's answer to a question (`stitchlab.worker.questions`); None, with a message, until it comes.

    Args:
        jobs: the queue, which asks the worker.
        question: name of the question.
        arguments: of the question, plain values.
        awaited: what the visitor waits for, as the message names it: "the feature maps of image 3".
    """
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return None
    answer = jobs.ask(question, *arguments, wait=ANSWER_WAIT_S)
    if answer.state == "there":
        return answer.value
    if answer.state == "failed":
        place, clicked = ui.sentence_with_button("Ask again", ":material/refresh:", key=f"ask {question} {arguments}")
        place.error(answer.message, icon=":material/error:")
        if clicked:
            jobs.ask_again(question, *arguments)
            st.rerun()
    else:
        with embedding.seen():
            st.fragment(_look, run_every=LOOK_INTERVAL_S)(jobs, question, arguments, awaited)
    return None


def cuts_of(store: Store, jobs: JobQueue, network: Network) -> Cuts | None:
    """Return the layers at which a network of the store can be cut, or None while a worker finds them.

    Args:
        store: holds the network, and its cut points once they are known.
        jobs: the queue, which asks a worker if the store does not have the cut points yet.
        network: the network to be cut.
    """
    if (cuts := cut_points.kept(store, network.id)) is not None:
        return cuts
    record = ask_worker(jobs, "cut_points", network.id, awaited=f"the layers of {network.name}")
    return None if record is None else Cuts.from_record(record)


def _look(jobs: JobQueue, question: str, arguments: tuple[Any, ...], awaited: str) -> None:
    if jobs.ask(question, *arguments).state != "waiting":
        st.rerun()
    st.caption(f":material/hourglass_top: Looking for {awaited} …")
