"""Draws Home: a gallery run that shows the finding, the others on cards, the demo computed live, and links."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.keys import COMPUTE
from stitchlab.errors import StitchLabError
from stitchlab.figures import run_grids
from stitchlab.figures.story import Chapter, sentence, story
from stitchlab.figures.thumbnail import describe, thumbnail
from stitchlab.jobs import DEMO, Jobs, detecting
from stitchlab.results import demo, shelf
from stitchlab.results.definitions import changed
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import judged_with
from stitchlab.results.resolve import NotFoundYet
from stitchlab.results.run import Run, list_runs
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.store import Store
from stitchlab.ui import links, runs
from stitchlab.ui.asking import answered
from stitchlab.ui.charts import cells_scatter, side_by_side
from stitchlab.ui.computing import compute_bar, watched
from stitchlab.ui.pictures import data_url
from stitchlab.ui.results import figures
from stitchlab.ui.run_table import called

ACTIVATIONS, COMPARE = "pages/2_Activations.py", "pages/1_Compare.py"
TOLD = "tiny10"  # the architecture of the gallery's run that Home opens with: the paper's, on real images
CARDS = 3  # beside each other
NEWEST = 3  # of one's own runs


def gallery() -> tuple[Run | None, list[Run]]:
    """Return the gallery's run that shows the finding on real images, and the others; None without a gallery."""
    there = shelf.gallery()
    if not there:
        return None, []
    best = [run for run in there if run.complete and run.request.methods] or there
    first = next((run for run in best if run.record["front"]["architecture"] == TOLD), best[0])
    return first, [run for run in there if run is not first]


def telling(run: Run) -> None:
    """Draw a run's two accuracy heatmaps, with the telling cell framed in both and explained in words."""
    _follow(run)
    found = DetectionResults(run, judged_with(run))
    chapters = story(found)
    st.header(ui.literal(called(run)))
    framed = (chapters[0].front_layer, chapters[0].end_layer) if chapters else None
    side_by_side(
        run.id,
        run_grids.stitched(run, "accuracy"),
        "telling",
        framed,
        on_select=lambda key: _opened(run, key),
        selection_mode="points",
    )
    where = f" Framed: {framed[0]} → {framed[1]}, told below." if framed else ""
    st.caption(
        "Rows: layers of the front network. Columns: layers of the end network. Numbers: test accuracy of the "
        f"stitched network, ★ best of its column.{where} A click on a cell shows its activations."
    )
    _words(found, chapters)
    _way_on(run)


def cards(others: Sequence[Run]) -> None:
    """Draw a card for each of the gallery's other runs: a small picture of its accuracies, its name and a sentence."""
    if not others:
        return
    st.header("More examples that come with StitchLab")
    for k in range(0, len(others), CARDS):
        for column, run in zip(st.columns(CARDS), others[k : k + CARDS], strict=False):
            with column, st.container(border=True, height="stretch"):
                if (pixels := thumbnail(run)) is not None:
                    st.image(data_url(pixels), alt=describe(run))
                st.markdown(f"**{ui.literal(called(run))}**  \n{sentence(run)}")
                ui.door(COMPARE, "Open", links.query(run), called(run))


def demo_here(jobs: Jobs, store: Store, *, alone: bool) -> None:
    """Draw the demo: the button that computes it, and its grid as it fills.

    Args:
        jobs: the queue.
        store: where the demo's networks and run are.
        alone: whether no gallery shows the finding, so that the demo has to.
    """
    if not alone:
        st.header("Watch it being computed")
    try:
        run = demo.run(store)
    except NotFoundYet as error:  # a store from before cut points were kept by network
        answered(jobs, "cut_points", error.network, what="the demo's layers")
        return
    except StitchLabError as error:  # a record is lost or damaged
        ui.say(error)
        return
    status = jobs.status(DEMO if run is None else run.id)
    if run is not None and status is None and not run.cells and st.session_state.pop("demo_asked", False):
        ui.queue(lambda: jobs.compute(run, last="indices"))
    elif run is None or (status is None and not run.cells):
        _offer(jobs, run, alone)
    else:
        _filling(jobs, run, alone)


def trust() -> None:
    """Link to the checks of all measures, and say what they are."""
    st.header("Which measure deserves trust?")
    st.write(
        "Ten checks from the literature, of task loss matching, direct matching and every index: is a layer most "
        "similar to itself, is the corresponding layer found in another network, does it notice what the task "
        "needs? Each with a number, its uncertainty, and a verdict."
    )
    ui.door("pages/3_Checks.py", "See the checks", {}, "Measures by checks, on the demo's networks or your own")


def yours(store: Store) -> None:
    """List the newest of one's own runs, and link to one's own networks."""
    st.header("Yours")
    if known := list_runs(store):
        runs.choice(known[:NEWEST], COMPARE)
        ui.door("pages/4_Runs.py", "All runs", {}, "All runs, several compared, files, the queue")
    ui.door("pages/5_Networks.py", "Use your own networks", {"part": "Import"}, "Import weights, or train some")


def _offer(jobs: Jobs, run: Run | None, alone: bool) -> None:
    """Draw the button that computes the demo, its progress while networks are trained, and how that ended."""
    status = jobs.status(DEMO) if run is None else None
    if status is not None and status.active:
        ui.watch(jobs, DEMO)
        return
    if status is not None and status.state != "done":
        st.error(ui.literal(status.message) or "It was cancelled.", icon=":material/error:")
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    text, clicked = ui.beside("Compute the demo", ":material/play_arrow:", primary=alone, key="demo", shortcut=COMPUTE)
    text.write(
        "Two small networks are trained on scikit-learn's digits and stitched, layer by layer, on your machine: "
        "about a minute. Nothing is computed until you ask."
    )
    if clicked:
        st.session_state["demo_asked"] = True
        ui.queue(jobs.train_demo if run is None else lambda: jobs.compute(run, last="indices"))


def _filling(jobs: Jobs, run: Run, alone: bool) -> None:
    """Draw the demo's grid while it is computed and after; keep it short where the gallery has shown the finding."""
    if not run.complete:
        compute_bar(jobs, run)
    elif not alone:
        st.write("The demo is computed: two small networks on scikit-learn's digits.")
        _way_on(run)
        return
    watched(jobs, run, _draw)
    if alone:
        found = DetectionResults(run)
        _bring(jobs, found)
        _words(found, story(found))
    _way_on(run)


def _draw(run: Run) -> None:
    figures(run, "accuracy", key="demo")
    st.caption(
        "Rows: layers of the front network. Columns: layers of the end network. Numbers: test accuracy of the stitched "
        "network, ★ best of its column. Toy data: scikit-learn's 1,797 digits, 8×8 pixels."
    )


def _words(found: DetectionResults, chapters: Sequence[Chapter]) -> None:
    """Explain the telling cells, with links to them, beside a picture of all cells where Fréchet ratios are there."""
    drawn = any(found.entry(SET_DETECTOR, *cell) for cell in found.cells)
    picture, words = st.columns([5, 4], vertical_alignment="center") if drawn else (None, st.container())
    if picture is not None:
        with picture:
            _all_cells(found)
    with words:
        for chapter in chapters:
            st.markdown(f"**{chapter.title}.** {chapter.text}")
            ui.door(
                ACTIVATIONS,
                f"Why? {chapter.front_layer} → {chapter.end_layer}",
                _query(found.run, chapter.front_layer, chapter.end_layer),
                "This cell's activations",
            )


def _all_cells(found: DetectionResults) -> None:
    _follow(found.run)
    cells_scatter(found, "demo-cells", None, lambda i, j: st.session_state.update(opened=(i, j)))


def _follow(run: Run) -> None:
    """Go to the activations of a cell that was clicked: a click's callback cannot switch pages, so it leaves a note."""
    if opened := st.session_state.pop("opened", None):
        st.switch_page(ACTIVATIONS, query_params=_query(run, *opened))


def _opened(run: Run, key: str) -> None:
    for point in st.session_state[key].selection.points[:1]:
        i, j = run.request.front_layers[round(point["y"])], run.request.end_layers[round(point["x"])]
        st.session_state["opened"] = i, j


def _way_on(run: Run) -> None:
    ui.door(COMPARE, "Open this grid in Compare", links.query(run), "Other layers, indices, settings, your networks")


def _query(run: Run, i: str, j: str) -> list[tuple[str, str]]:
    return links.query(run, front_layer=i, end_layer=j)


def _bring(jobs: Jobs, found: DetectionResults) -> None:
    """Compute the Fréchet ratios of a finished grid: seconds. After a cancel, the page Activations offers them."""
    run, cells = found.run, found.cells
    if (
        run.source
        or jobs.lacking
        or not run.complete
        or changed(run.request, *run.request.methods)
        or (not found.lacking([SET_DETECTOR], cells))
    ):
        return
    job = detecting(run, found.detection, cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
    elif status is None or status.state not in ("failed", "cancelled"):  # it ends when the page is left, and goes on
        ui.queue(lambda: jobs.detect(run, found.detection, [SET_DETECTOR], cells, asked=False))
