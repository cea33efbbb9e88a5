"""Home: the demo's grid at once, what it shows, and the way on."""

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.results import demo
from stitchlab.results.resolve import NotFoundYet
from stitchlab.ui import home, links
from stitchlab.ui.asking import answered
from stitchlab.ui.computing import compute_bar, watched
from stitchlab.ui.results import figures

store, jobs = ui.frame("Home")

st.title("StitchLab")
st.markdown(
    "Two networks, cut in layers. *Stitching* runs the first up to a layer, maps its activations with one affine map, "
    "and continues in the second after a layer. If that works, are the two layers similar? "
    "**It depends on how the map is found**, and one of the two ways misleads."
)
try:
    run = demo.run(store)
except NotFoundYet as error:  # a store from before cut points were kept by network
    answered(jobs, "cut_points", error.network, what="the demo's layers")
    st.stop()
except StitchLabError as error:  # a record is lost or damaged
    ui.say(error)
    st.stop()
if run is None:
    home.without_demo(store, jobs)
    st.stop()
if jobs.status(run.id) is None:
    try:
        jobs.compute(run, last="indices")  # the first visit starts it; after a cancel it is the visitor's choice
    except StitchLabError as error:
        ui.say(error)


def draw(now):
    figures(now, "accuracy", key="demo")
    st.caption(
        "Rows: layers of the front network. Columns: layers of the end network. Numbers: test accuracy of the stitched "
        "network, ★ best of its column. Toy data: scikit-learn's 1,797 digits, 8×8 pixels."
    )


if not run.complete:
    compute_bar(jobs, run)
watched(jobs, run, draw)
home.told(jobs, run)
st.page_link("pages/1_Compare.py", label="Open this grid in Compare", icon=":material/compare_arrows:",
             help="Other layers, indices, settings, your networks", query_params=links.query(run))
st.caption(
    "Balogh & Jelasity, *How not to stitch representations to measure similarity: task loss matching versus direct "
    "matching*, AAAI 2025, [arXiv 2412.11299](https://arxiv.org/abs/2412.11299)."
)
