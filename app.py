"""Draw Home: a grid that shows the main finding, in pictures and in words; the gallery, the demo, and links."""

import streamlit as st

from stitchlab import ui
from stitchlab.ui import embedding, home, tour

store, jobs = ui.frame("Home")
with embedding.alone():
    st.title("StitchLab")
    st.markdown(
        "Two networks, cut in layers. *Stitching* runs the first up to a layer, maps its activations with one affine "
        "map, and continues in the second after a layer. If that works, are the two layers similar? "
        "**It depends on how the map is found**, and one of the two ways misleads."
    )
    tour.draw([page for page, _, _ in ui.PAGES])
    ui.link_to_page(
        "pages/6_Learn.py", "Learn why, in seven steps", {}, "A lesson of ten minutes: you find the cells that mislead"
    )
    featured_run, other_runs = home.gallery()
    if featured_run is not None:
        home.draw_telling_run(featured_run)
        home.cards(other_runs)
    home.demo_here(jobs, store, alone=featured_run is None)
    home.link_to_checks()
    home.list_own_runs(store)
    st.caption(
        "Balogh & Jelasity, *How not to stitch representations to measure similarity: task loss matching versus direct "
        "matching*, AAAI 2025, [arXiv 2412.11299](https://arxiv.org/abs/2412.11299)."
    )
