"""Provides what all pages share: the frame around them, the queue of jobs, and the progress bars of running work."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from stitchlab.catalog.keys import CANCEL
from stitchlab.errors import StitchLabError
from stitchlab.jobs import JobQueue, Jobs, NotInstalled, Status
from stitchlab.results.duration import seconds
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.ui import address, embedding, keyboard, logo, presenting, unknown_page

PAGES = (
    ("app.py", "Home", ":material/home:"),
    ("pages/1_Compare.py", "Compare", ":material/compare_arrows:"),
    ("pages/2_Activations.py", "Activations", ":material/scatter_plot:"),
    ("pages/3_Checks.py", "Checks", ":material/rule:"),
    ("pages/4_Runs.py", "Runs", ":material/table_rows:"),
    ("pages/5_Networks.py", "Networks", ":material/hub:"),
    ("pages/6_Learn.py", "Learn", ":material/school:"),
)
RUN_PAGES = ("Compare", "Activations")  # pages whose address names a run
SIDEBAR_WIDTH_PX = 200  # narrow, since the grids need the room
WORKERS_START_AFTER_S = 2.0  # by then the first page is drawn; a question starts them at once
REFRESH_INTERVAL_S = 1.0  # between two looks at running work


def frame(title: str) -> tuple[Store, JobQueue]:
    """Set up a page with its title and menu, and return the store and the queue of jobs. Every page calls it first."""
    st.set_page_config(
        page_title=f"{title} · StitchLab", page_icon=logo.MARK, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH_PX
    )
    st.session_state.update(arrived=st.session_state.get("page") != title, page=title)
    if presenting.on():
        presenting.begin()
    elif not embedding.embedded():
        _other_pages()
        unknown_page.warn(title == "Home", {label: page for page, label, _ in PAGES})
    store = Store()
    jobs = _jobs(str(store.root))
    return store, jobs


def _other_pages() -> None:
    st.logo(logo.wordmark(dark=dark()), size="large", icon_image=logo.MARK)
    run_parameters = address.run_parameters()  # links to the pages of a run lead to the same run and cell
    # Links to other pages fail where one page is run by itself, as tests do.
    with st.sidebar, contextlib.suppress(StreamlitAPIException):
        for page, label, icon in PAGES:
            st.page_link(page, label=label, icon=icon, query_params=run_parameters if label in RUN_PAGES else None)
    with st.sidebar:
        keyboard.offer()


def name_tab(*runs: Run) -> None:
    """Put the networks of these runs before the page's name in the title of the browser's tab."""
    titles = ", ".join(f"{run.record['front']['name']} → {run.record['end']['name']}" for run in runs)
    st.set_page_config(page_title=f"{titles} · {st.session_state['page']} · StitchLab")


def just_arrived() -> bool:
    """Tell whether the visitor has just come to this page, from another page or from elsewhere."""
    return bool(st.session_state["arrived"])


def dark() -> bool:
    """Tell whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def show_error(error: StitchLabError) -> None:
    """Show an error in one line, without Markdown, since names in it may come from a link."""
    if isinstance(error, NotInstalled):
        not_installed(str(error))
        return
    st.error(literal(str(error)), icon=":material/error:")


def not_installed(instruction: str) -> None:
    """Show what has to be installed before anything can be computed (`Jobs.lacking`)."""
    st.info(instruction, icon=":material/download_for_offline:")


def literal(text: str) -> str:
    """Escape a text for Markdown, so that it is shown unchanged: no links, images, icons, formulas or colours."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#~|$&!]|:(?=\S))", r"\\\1", text)
    escaped = re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped)  # at the beginning of a line they make lists and headings
    # Markdown finds addresses and names of emoji even if they are escaped, so an invisible joiner splits them.
    return re.sub(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=:)(?=[\w+-]+\\?:)", "\u2060", escaped)


def progress(status: Status) -> None:
    """Draw a job's progress bar: what it computes and the time left, or what it waits for and how long."""
    duration = "" if status.seconds_left is None else f"about {seconds(status.seconds_left)}"
    if status.state == "queued" and status.behind:
        text = f"Waiting behind {status.behind}" + (duration and f": {duration}")
    elif status.state == "queued":
        text = f"Waiting for its turn: {status.what}"
    else:
        text = status.what + (duration and f" · {duration} left")
    st.progress(min(max(status.done, 0.0), 1.0), text=text[:1].upper() + text[1:])


def watch(jobs: JobQueue, job: str, has_news: Callable[[], bool] = lambda: False, key: str = "") -> None:
    """Show a job's progress; draw the page again once the job has ended, or when there is something new to show.

    Every second only the bar is drawn again, since charts take long. The button is drawn outside the fragment: the
    fragment of a page that was just left may still run beside the next page's, and two widgets must not share a key.

    Args:
        jobs: the queue.
        job: name of the job.
        has_news: tells whether there is something that the page does not show yet.
        key: of the button; the default is one for each job, so a page needs it only if it watches a job twice.
    """
    if embedding.embedded():  # an embedded page shows the results that exist when it is opened
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    with row.container():
        st.fragment(_look, run_every=REFRESH_INTERVAL_S)(jobs, job, has_news)
    row.button(
        "Cancel",
        icon=":material/stop_circle:",
        key=key or f"cancel-{job}",
        on_click=jobs.cancel,
        args=(job,),
        shortcut=CANCEL,
    )


def sentence_with_button(
    label: str,
    icon: str,
    *,
    primary: bool = False,
    key: str | None = None,
    shortcut: str | None = None,
    on_click: Callable[[], None] | None = None,
) -> tuple[DeltaGenerator, bool]:
    """Draw a row with a place for a sentence and a button to its right.

    Args:
        label, icon: of the button; the icon is a Material one, ``:material/NAME:``.
        primary: whether the button is highlighted.
        key, shortcut, on_click: as `st.button` takes them.

    Returns: the place for the sentence, and whether the button was clicked.
    """
    row = st.container(horizontal=True, vertical_alignment="center")
    return row.container(), row.button(
        label, icon=icon, type="primary" if primary else "secondary", key=key, on_click=on_click, shortcut=shortcut
    )


def _look(jobs: JobQueue, job: str, has_news: Callable[[], bool]) -> None:
    status = jobs.look(job)
    if status is None or not status.active or has_news():
        st.rerun()
    progress(status)


def queue(submit: Callable[[], object]) -> None:
    """Submit work to the queue and draw the page again; if that fails, show the error in one line."""
    try:
        submit()
    except StitchLabError as error:
        show_error(error)
    else:
        st.rerun()


def link_to_page(page: str, label: str, query: dict[str, str] | list[tuple[str, str]], text: str) -> None:
    """Draw a link to another page; draw nothing if a page is run by itself, as in tests.

    Args:
        page: path of the other page's script, as in `PAGES`.
        label: text of the link.
        query: query parameters of the link's address.
        text: tooltip.
    """
    with contextlib.suppress(StreamlitAPIException):
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query, help=text)


def end_workers() -> None:
    """Stop the workers that pages have started in this process."""
    _jobs.clear()


@st.cache_resource(show_spinner=False, on_release=lambda jobs: jobs.close())
def _jobs(root: str) -> Jobs:
    jobs = Jobs(Store(root))
    start = threading.Timer(WORKERS_START_AFTER_S, jobs.start)
    start.daemon = True
    start.start()
    return jobs
