"""Draw Checks: which measure of similarity deserves trust, on a set of networks, and the evidence of every number."""

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
    choice = checks.choose(store, jobs)
    if choice is not None and choice.checking is not None:
        checks.about(choice.checking)
    if choice is not None:
        checks_computing.compute(jobs, store, choice)
    checks_page.draw(None if choice is None or choice.checking is None else Answers(choice.checking))
