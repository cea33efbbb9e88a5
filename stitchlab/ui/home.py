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
from stitchlab.jobs import DEMO, JobQueue, detection_job
from stitchlab.results import demo, shelf
from stitchlab.results.definitions import changed
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.resolve import NotFoundYet
from stitchlab.results.run import Run, list_runs
from stitchlab.results.similarity import SET_DETECTOR
from stitchlab.store import Store
from stitchlab.ui import links, runs
from stitchlab.ui.asking import ask_worker
from stitchlab.ui.charts import cells_scatter, side_by_side
from stitchlab.ui.computing import compute_bar, draw_with_progress
from stitchlab.ui.pictures import data_url
from stitchlab.ui.results import figures
from stitchlab.ui.run_table import name_of

ACTIVATIONS, COMPARE = "pages/2_Activations.py", "pages/1_Compare.py"
TELLING_ARCHITECTURE = "tiny10"  # of the gallery's run that Home begins with: the paper's, on real images
CARDS_PER_ROW = 3
MAX_OWN_RUNS = 3  # the newest ones that Home lists


def gallery() -> tuple[Run | None, list[Run]]:
    """Return the gallery's run that shows the finding on real images, and the others; None without a gallery."""
    runs_of_gallery = shelf.gallery()
    if not runs_of_gallery:
        return None, []
    candidates = [run for run in runs_of_gallery if run.complete and run.request.methods] or runs_of_gallery
    telling_runs = (run for run in candidates if run.record["front"]["architecture"] == TELLING_ARCHITECTURE)
    first = next(telling_runs, candidates[0])
    return first, [run for run in runs_of_gallery if run is not first]


def draw_telling_run(run: Run) -> None:
    """Draw a run's two accuracy heatmaps, with the cell that shows the finding framed and explained in words."""
    _follow(run)
    results = DetectionResults(run, fullest_settings(run))
    chapters = story(results)
    st.header(ui.literal(name_of(run)))
    framed = (chapters[0].front_layer, chapters[0].end_layer) if chapters else None
    side_by_side(
        run.id,
        run_grids.metric_grids(run, "accuracy"),
        "telling",
        framed,
        on_select=lambda key: _note_clicked_cell(run, key),
        selection_mode="points",
    )
    frame_remark = f" Framed: {framed[0]} → {framed[1]}, explained below." if framed else ""
    st.caption(
        "Rows: layers of the front network. Columns: layers of the end network. Numbers: test accuracy of the "
        f"stitched network, ★ best of its column.{frame_remark} A click on a cell shows its activations."
    )
    _explain(results, chapters)
    _link_to_compare(run)


def cards(others: Sequence[Run]) -> None:
    """Draw a card for each of the gallery's other runs: a small picture of its accuracies, its name and a sentence."""
    if not others:
        return
    st.header("More examples that come with StitchLab")
    for k in range(0, len(others), CARDS_PER_ROW):
        for column, run in zip(st.columns(CARDS_PER_ROW), others[k : k + CARDS_PER_ROW], strict=False):
            with column, st.container(border=True, height="stretch"):
                if (pixels := thumbnail(run)) is not None:
                    st.image(data_url(pixels), alt=describe(run))
                st.markdown(f"**{ui.literal(name_of(run))}**  \n{sentence(run)}")
                ui.link_to_page(COMPARE, "Open", links.query(run), name_of(run))


def demo_here(jobs: JobQueue, store: Store, *, alone: bool) -> None:
    """Draw the demo: the button that computes it, and its grid, which fills with results.

    Args:
        jobs: the queue.
        store: holds the demo's networks and run.
        alone: whether there is no gallery, so that the demo has to show the finding.
    """
    if not alone:
        st.header("Watch it being computed")
    try:
        run = demo.run(store)
    except NotFoundYet as error:  # the store is older than the records of cut points by network
        ask_worker(jobs, "cut_points", error.network, awaited="the demo's layers")
        return
    except StitchLabError as error:  # a record is lost or damaged
        ui.show_error(error)
        return
    status = jobs.status(DEMO if run is None else run.id)
    if run is not None and status is None and not run.cells and st.session_state.pop("demo_asked", False):
        ui.queue(lambda: jobs.compute(run, last="indices"))
    elif run is None or (status is None and not run.cells):
        _offer(jobs, run, alone)
    else:
        _draw_demo(jobs, run, alone)


def link_to_checks() -> None:
    """Explain the checks of all measures, and link to them."""
    st.header("Which measure deserves trust?")
    st.write(
        "Ten checks from the literature, for task loss matching, direct matching and every index: is a layer most "
        "similar to itself, is the corresponding layer found in another network, does the measure notice when what "
        "the task needs is lost? Each check gives a number, its uncertainty, and a verdict."
    )
    ui.link_to_page(
        "pages/3_Checks.py", "See the checks", {}, "All measures, checked on the demo's networks or your own"
    )


def list_own_runs(store: Store) -> None:
    """List the newest runs computed here, and link to the page where networks are imported."""
    st.header("Yours")
    if own_runs := list_runs(store):
        runs.choice(own_runs[:MAX_OWN_RUNS], COMPARE)
        ui.link_to_page("pages/4_Runs.py", "All runs", {}, "All runs, comparisons of several, files, and the queue")
    ui.link_to_page("pages/5_Networks.py", "Use your own networks", {"part": "Import"}, "Import weights, or train some")


def _offer(jobs: JobQueue, run: Run | None, alone: bool) -> None:
    """Draw the button that computes the demo, the progress of its training, and how the last try ended."""
    status = jobs.status(DEMO) if run is None else None
    if status is not None and status.active:
        ui.watch(jobs, DEMO)
        return
    if status is not None and status.state != "done":
        st.error(ui.literal(status.message) or "It was cancelled.", icon=":material/error:")
    if jobs.lacking:
        ui.not_installed(jobs.lacking)
        return
    place, clicked = ui.sentence_with_button(
        "Compute the demo", ":material/play_arrow:", primary=alone, key="demo", shortcut=COMPUTE
    )
    place.write(
        "Two small networks are trained on scikit-learn's digits and stitched, layer by layer, on your machine: "
        "about a minute. Nothing is computed until you ask."
    )
    if clicked:
        st.session_state["demo_asked"] = True
        ui.queue(jobs.train_demo if run is None else lambda: jobs.compute(run, last="indices"))


def _draw_demo(jobs: JobQueue, run: Run, alone: bool) -> None:
    """Draw the demo's grid during its computation and after; draw less if the gallery has shown the finding."""
    if not run.complete:
        compute_bar(jobs, run)
    elif not alone:
        st.write("The demo is computed: two small networks on scikit-learn's digits.")
        _link_to_compare(run)
        return
    draw_with_progress(jobs, run, _draw_grid)
    if alone:
        results = DetectionResults(run)
        _queue_frechet_ratios(jobs, results)
        _explain(results, story(results))
    _link_to_compare(run)


def _draw_grid(run: Run) -> None:
    figures(run, "accuracy", key="demo")
    st.caption(
        "Rows: layers of the front network. Columns: layers of the end network. Numbers: test accuracy of the stitched "
        "network, ★ best of its column. Toy data: scikit-learn's 1,797 digits, 8×8 pixels."
    )


def _explain(results: DetectionResults, chapters: Sequence[Chapter]) -> None:
    """Explain the telling cells, with links to them; once there are Fréchet ratios, draw all cells beside."""
    has_ratios = any(results.entry(SET_DETECTOR, *cell) for cell in results.cells)
    picture, words = st.columns([5, 4], vertical_alignment="center") if has_ratios else (None, st.container())
    if picture is not None:
        with picture:
            _all_cells(results)
    with words:
        for chapter in chapters:
            st.markdown(f"**{chapter.title}.** {chapter.text}")
            ui.link_to_page(
                ACTIVATIONS,
                f"Why? {chapter.front_layer} → {chapter.end_layer}",
                _query(results.run, chapter.front_layer, chapter.end_layer),
                "This cell's activations",
            )


def _all_cells(results: DetectionResults) -> None:
    _follow(results.run)
    cells_scatter(results, "demo-cells", None, lambda i, j: st.session_state.update(opened=(i, j)))


def _follow(run: Run) -> None:
    """Go to the activations of a clicked cell. The click's callback cannot switch pages, so it only noted the cell."""
    if opened := st.session_state.pop("opened", None):
        st.switch_page(ACTIVATIONS, query_params=_query(run, *opened))


def _note_clicked_cell(run: Run, key: str) -> None:
    for point in st.session_state[key].selection.points[:1]:
        i, j = run.request.front_layers[round(point["y"])], run.request.end_layers[round(point["x"])]
        st.session_state["opened"] = i, j


def _link_to_compare(run: Run) -> None:
    ui.link_to_page(
        COMPARE, "Open this grid in Compare", links.query(run), "With other layers, indices, settings or networks"
    )


def _query(run: Run, i: str, j: str) -> list[tuple[str, str]]:
    return links.query(run, front_layer=i, end_layer=j)


def _queue_frechet_ratios(jobs: JobQueue, results: DetectionResults) -> None:
    """Queue the Fréchet ratios of a finished grid, which take seconds. After a cancel, Activations offers them."""
    run, cells = results.run, results.cells
    if (
        run.source
        or jobs.lacking
        or not run.complete
        or changed(run.request, *run.request.methods)
        or (not results.lacking([SET_DETECTOR], cells))
    ):
        return
    job = detection_job(run, results.detection, cells)
    status = jobs.status(job)
    if status is not None and status.active:
        ui.watch(jobs, job)
    elif status is None or status.state not in ("failed", "cancelled"):  # one that ended as the page was left goes on
        ui.queue(lambda: jobs.detect(run, results.detection, [SET_DETECTOR], cells, asked=False))
