"""Starts checks and follows them: what they cost, the button that runs them, their progress, how it ended."""

from __future__ import annotations

from typing import Any

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.keys import COMPUTE
from stitchlab.jobs import Answer, Jobs
from stitchlab.jobs.names import checking
from stitchlab.results import demo
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import RECIPE, Checking
from stitchlab.results.duration import expected
from stitchlab.store import Store
from stitchlab.ui import embedding
from stitchlab.ui.asking import ANSWER_WAIT_S
from stitchlab.ui.checks import Asked, demo_by_names


def compute(jobs: Jobs, store: Store, of: Asked) -> None:
    """Show the progress of running checks; else what is missing, what it costs, the button, and how the last try ended.

    Args:
        jobs: the queue.
        store: where the demo's networks may be missing.
        of: the networks and settings that were chosen.
    """
    if embedding.embedded() or (of.checking is not None and of.checking.store.source is not None):
        return
    lacking = list(CHECKS) if of.checking is None else Answers(of.checking).lacking()
    for job in _jobs(of):
        status = jobs.status(job)
        if status is not None and status.active:
            ui.watch(jobs, job, lambda: of.checking is not None and _there(of.checking) > len(CHECKS) - len(lacking))
            return
        if status is not None and status.state != "done" and lacking:
            how = ui.literal(status.message) or f"It was {status.state}."
            (st.error if status.state == "failed" else st.info)(
                f"{how} What was finished is kept; Run the checks goes on from there.",
                icon=":material/error:" if status.state == "failed" else ":material/info:",
            )
    if not lacking:
        return
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    text, clicked = ui.beside(
        "Run the checks", ":material/play_arrow:", primary=True, key="run_checks", shortcut=COMPUTE
    )
    with text:
        _price(jobs, store, of, lacking)
    if clicked:
        ui.queue(lambda: jobs.check(of.what, lacking))


def _jobs(of: Asked) -> list[str]:
    """Name the jobs that may be computing this: the demo's suite has another name if its networks were untrained."""
    names = {} if of.checking is None else {network.name for network in of.checking.networks}
    by_names = [checking(demo_by_names())] if names == set(demo.SEEDS) else []
    return list(dict.fromkeys([checking(of.what), *by_names]))


def _there(made: Checking) -> int:
    return sum(made.store.has(kept.ROOM, kept.key(made.suite.id, name)) for name in CHECKS)


def _price(jobs: Jobs, store: Store, of: Asked, lacking: list[str]) -> None:
    """Show how many checks are missing, from how many grids, and how long that takes, as soon as it is known."""
    many = f"**{len(lacking)} check{'s' * (len(lacking) > 1)} to compute**"
    rest = f"{_trained(store, of)} What is finished is kept, and is not computed again."
    answer = _asked_price(jobs, store, of.what, lacking, ANSWER_WAIT_S)
    if answer.state == "waiting":
        st.fragment(_look, run_every=ui.REFRESH_INTERVAL_S)(jobs, store, of.what, lacking, many, rest)
    elif answer.state == "there":
        grids, price = answer.value["grids"], expected(answer.value["seconds"], answer.value["timed"])
        st.markdown(f"{many} from {grids:,} grid{'s' * (grids != 1)}: {price}.{rest}")
    else:
        st.markdown(f"{many}.{rest}")


def _trained(store: Store, of: Asked) -> str:
    """Say what is trained for it: networks of the demo, and stitches by which recipe."""
    first = [] if of.checking is not None else demo.untrained(store)
    networks = f" {', '.join(first)} are trained first." if first else ""
    recipe = RECIPE if of.checking is None else of.checking.recipe
    stitches = f" Task loss matching is trained by the recipe {recipe}." if "tlm" in of.what["methods"] else ""
    return ui.literal(networks) + stitches


def _look(jobs: Jobs, store: Store, what: dict[str, Any], lacking: list[str], many: str, rest: str) -> None:
    if _asked_price(jobs, store, what, lacking).state != "waiting":
        st.rerun()
    st.markdown(f"{many}: estimating how long that takes …{rest}")


def _asked_price(jobs: Jobs, store: Store, what: dict[str, Any], lacking: list[str], wait: float = 0.0) -> Answer:
    """Ask for the price as things are now: cells may have been added since the last time."""
    return jobs.price(what, lacking, len(store.keys("cells")), wait)
