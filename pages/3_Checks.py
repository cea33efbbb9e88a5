"""Draws Checks: which measure of similarity deserves trust, on a set of networks; the evidence of every number."""

import streamlit as st

from stitchlab import ui
from stitchlab.results.checks.answers import Answers
from stitchlab.ui import checks, checks_computing, checks_page, embedding

store, jobs = ui.frame("Checks")
with embedding.alone():
    st.title("Checks")
    st.caption(
        "Which measure of similarity deserves trust? Ten checks of every measure on a set of networks, each "
        "with its rule, its uncertainty, and the runs behind it."
    )
    asked = checks.choose(store, jobs)
    if asked is not None and asked.checking is not None:
        checks.about(asked.checking)
    if asked is not None:
        checks_computing.compute(jobs, store, asked)
    checks_page.draw(None if asked is None or asked.checking is None else Answers(asked.checking))
