"""What Home shows beside the heatmaps: all cells in one picture, the two that tell; own runs where no demo is."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.figures.story import story
from stitchlab.jobs import DEMO, Jobs, judging
from stitchlab.results.definitions import changed
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run, list_runs
from stitchlab.results.similarity import SETS
from stitchlab.store import Store
from stitchlab.ui import links, runs
from stitchlab.ui.charts import cells_scatter

ACTIVATIONS = "pages/2_Activations.py"


def told(jobs: Jobs, run: Run) -> None:
    """Tell the two cells of a grid, with links to them, and draw all of its cells once their distances are there."""
    found = Distribution(run)
    _bring(jobs, found)
    drawn = any(found.entry(SETS, *cell) for cell in found.cells)
    picture, words = st.columns([5, 4], vertical_alignment="center") if drawn else (None, st.container())
    if picture is not None:
        with picture:
            _all_cells(found)
    with words:
        for chapter in story(found):
            st.markdown(f"**{chapter.title}.** {chapter.text}")
            ui.door(ACTIVATIONS, f"Why? {chapter.front_layer} → {chapter.end_layer}",
                    _query(run, chapter.front_layer, chapter.end_layer),
                    "This cell's activations")


def _all_cells(found: Distribution) -> None:
    """A click on a cell leads to its activations; only a script may turn to another page, so the click leaves word."""
    cells_scatter(found, "demo-cells", None, lambda i, j: st.session_state.update(opened=(i, j)))
    if opened := st.session_state.pop("opened", None):
        st.switch_page(ACTIVATIONS, query_params=_query(found.run, *opened))


def _query(run: Run, i: str, j: str) -> list[tuple[str, str]]:
    return links.query(run, front_layer=i, end_layer=j)


def _bring(jobs: Jobs, found: Distribution) -> None:
    """Have the Fréchet ratios of a finished grid computed: seconds. After a cancel they wait for Activations."""
    run, cells = found.run, found.cells
    if run.source or not run.complete or changed(run.request, *run.request.methods) or not found.lacking([SETS], cells):
        return
    job = judging(run, found.detection, cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
    elif status is None or status.state not in ("failed", "cancelled"):  # it ends when the page is left, and goes on
        ui.queue(lambda: jobs.judge(run, found.detection, [SETS], cells, asked=False))


def without_demo(store: Store, jobs: Jobs) -> None:
    """List the store's runs, newest first, and offer the demo, whose networks are not there."""
    known = list_runs(store)
    st.header("Your runs" if known else "Your networks")
    if known:
        runs.choice(known[:runs.NEWEST], "pages/1_Compare.py")  # all of them are on Compare
    else:
        st.write("Nothing is compared yet.")
        ui.door("pages/1_Compare.py", "Compare two networks", {}, "Two networks, a grid of their layers")
    status = jobs.status(DEMO)
    if status is not None and status.active:
        ui.watch(jobs, DEMO)
        return
    if status is not None and status.message:
        st.error(ui.literal(status.message), icon=":material/error:")
    text, clicked = ui.beside("Demo", ":material/play_arrow:", key="demo")
    text.write("The demo trains two small networks on scikit-learn's digits and stitches them: about a minute.")
    if clicked:
        ui.queue(jobs.train_demo)
