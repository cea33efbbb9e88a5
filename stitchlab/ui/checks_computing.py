"""Starts checks and follows them: how long they take, the button that runs them, their progress, how they ended."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.keys import COMPUTE
from stitchlab.jobs import Answer, JobQueue
from stitchlab.jobs.names import checks_job
from stitchlab.results import demo
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import RECIPE, Checking
from stitchlab.results.duration import expected
from stitchlab.store import Store
from stitchlab.ui import embedding
from stitchlab.ui.asking import ANSWER_WAIT_S
from stitchlab.ui.checks import CheckSelection, demo_by_names


def compute(jobs: JobQueue, store: Store, selection: CheckSelection) -> None:
    """Show the progress of running checks; else what is missing, its price, the button, and how the last try ended.

    Args:
        jobs: the queue.
        store: from which the demo's networks may be missing.
        selection: the networks and settings that were chosen.
    """
    checking = selection.checking
    if embedding.embedded() or (checking is not None and checking.store.source is not None):
        return
    lacking = list(CHECKS) if checking is None else Answers(checking).lacking()
    for job in _jobs(selection):
        status = jobs.status(job)
        if status is not None and status.active:
            ui.watch(jobs, job, lambda: checking is not None and _count_answers(checking) > len(CHECKS) - len(lacking))
            return
        if status is not None and status.state != "done" and lacking:
            message = ui.literal(status.message) or f"It was {status.state}."
            (st.error if status.state == "failed" else st.info)(
                f"{message} Finished checks are kept; Run the checks continues from there.",
                icon=":material/error:" if status.state == "failed" else ":material/info:",
            )
    if not lacking:
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    place, clicked = ui.sentence_with_button(
        "Run the checks", ":material/play_arrow:", primary=True, key="run_checks", shortcut=COMPUTE
    )
    with place:
        _price(jobs, store, selection, lacking)
    if clicked:
        ui.queue(lambda: jobs.check(selection.arguments, lacking))


def _jobs(selection: CheckSelection) -> list[str]:
    """Name the jobs that may be computing this. The demo's has another name if it began before the training."""
    names = {} if selection.checking is None else {network.name for network in selection.checking.networks}
    by_names = [checks_job(demo_by_names())] if names == set(demo.SEEDS) else []
    return list(dict.fromkeys([checks_job(selection.arguments), *by_names]))


def _count_answers(checking: Checking) -> int:
    return sum(checking.store.has(kept.ROOM, kept.key(checking.suite.id, name)) for name in CHECKS)


def _price(jobs: JobQueue, store: Store, selection: CheckSelection, lacking: list[str]) -> None:
    """Show how many checks are missing, how many grids they need, and how long that takes, as soon as it is known."""
    title = f"**{len(lacking)} check{'s' * (len(lacking) > 1)} to compute**"
    remarks = f"{_training_remark(store, selection)} Finished checks are kept, and not computed again."
    answer = _ask_price(jobs, store, selection.arguments, lacking, ANSWER_WAIT_S)
    if answer.state == "waiting":
        st.fragment(_look, run_every=ui.REFRESH_INTERVAL_S)(jobs, store, selection.arguments, lacking, title, remarks)
    elif answer.state == "there":
        grids, price = answer.value["grids"], expected(answer.value["seconds"], answer.value["timed"])
        st.markdown(f"{title} from {grids:,} grid{'s' * (grids != 1)}: {price}.{remarks}")
    else:
        st.markdown(f"{title}.{remarks}")


def _training_remark(store: Store, selection: CheckSelection) -> str:
    """Say what has to be trained: networks of the demo, and stitches by which recipe."""
    untrained = [] if selection.checking is not None else demo.untrained(store)
    networks = f" {', '.join(untrained)} are trained first." if untrained else ""
    recipe = RECIPE if selection.checking is None else selection.checking.recipe
    stitches = (
        f" Task loss matching is trained by the recipe {recipe}." if "tlm" in selection.arguments["methods"] else ""
    )
    return ui.literal(networks) + stitches


def _look(
    jobs: JobQueue, store: Store, arguments: dict[str, Any], lacking: list[str], title: str, remarks: str
) -> None:
    if _ask_price(jobs, store, arguments, lacking).state != "waiting":
        st.rerun()
    st.markdown(f"{title}: estimating how long that takes …{remarks}")


def _ask_price(
    jobs: JobQueue, store: Store, arguments: dict[str, Any], lacking: list[str], wait: float = 0.0
) -> Answer:
    """Ask for the price; ask again whenever cells were added, since then less is missing."""
    return jobs.price(arguments, lacking, len(store.keys("cells")), wait)
