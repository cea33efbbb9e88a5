"""Holds what all pages share: the frame around them, the queue of jobs, and the progress bars of running work."""

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
from stitchlab.jobs import Jobs, NotInstalled, Status
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
OF_A_RUN = ("Compare", "Activations")  # pages whose address says a run
SIDEBAR = 200  # pixels: the grids need the room
FIRST_PAGE = 2.0  # seconds for drawing the first page, before workers start beside it; asking starts them at once
REFRESH = 1.0  # seconds between looks at work that is under way


def frame(title: str) -> tuple[Store, Jobs]:
    """Set up a page, as the first call of every page: its title and menu; return the store and the queue of jobs."""
    st.set_page_config(
        page_title=f"{title} · StitchLab", page_icon=logo.MARK, layout="wide", initial_sidebar_state=SIDEBAR
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
    said = address.said()  # a run and its cell are taken along to where they can be looked at
    # A page that is run by itself, as tests do, knows no others.
    with st.sidebar, contextlib.suppress(StreamlitAPIException):
        for page, label, icon in PAGES:
            st.page_link(page, label=label, icon=icon, query_params=said if label in OF_A_RUN else None)
    with st.sidebar:
        keyboard.offer()


def name_tab(*runs: Run) -> None:
    """Put the networks of the runs that are shown before the page's name in the browser's tab."""
    shown = ", ".join(f"{run.record['front']['name']} → {run.record['end']['name']}" for run in runs)
    st.set_page_config(page_title=f"{shown} · {st.session_state['page']} · StitchLab")


def arrived() -> bool:
    """Tell whether this is the first look at a page since another one, or the first at all."""
    return bool(st.session_state["arrived"])


def dark() -> bool:
    """Tell whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def say(error: StitchLabError) -> None:
    """Say what was wrong in one line. It is shown as text: names in it may come from a link."""
    if isinstance(error, NotInstalled):
        not_installed(str(error))
        return
    st.error(literal(str(error)), icon=":material/error:")


def not_installed(lacking: str) -> None:
    """Say what to install before anything can be computed (`Jobs.lacking`)."""
    st.info(lacking, icon=":material/download_for_offline:")


def literal(text: str) -> str:
    """Escape a text for Markdown, so that it reads as it stands: no links, images, icons, formulas or colours."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#~|$&!]|:(?=\S))", r"\\\1", text)
    escaped = re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped)  # at the beginning they make lists and headings
    # Addresses and the names of emoji are found even where they are escaped, so an invisible joiner parts them.
    return re.sub(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=:)(?=[\w+-]+\\?:)", "\u2060", escaped)


def progress(status: Status) -> None:
    """Draw a bar with what is being worked on and the time left, or with what it waits for and how long."""
    about = "" if status.seconds_left is None else f"about {seconds(status.seconds_left)}"
    if status.state == "queued" and status.behind:
        text = f"Waiting behind {status.behind}" + (about and f": {about}")
    elif status.state == "queued":
        text = f"Waiting for its turn: {status.what}"
    else:
        text = status.what + (about and f" · {about} left")
    st.progress(min(max(status.done, 0.0), 1.0), text=text[:1].upper() + text[1:])


def watch(jobs: Jobs, job: str, news: Callable[[], bool] = lambda: False, key: str = "") -> None:
    """Show a job's progress; draw the page again once the job has ended, or when there is something new to show.

    Looks are cheap and charts are not: only the bar is drawn at every look. The button is the page's own: looks of a
    page that was just left may run beside those of the next one, and must have no widget in common.

    Args:
        jobs: the queue.
        job: its name.
        news: whether there is something that the page does not show yet.
        key: of the button; default is one for each job, so another is needed only where a page watches a job twice.
    """
    if embedding.embedded():  # it shows what is there when it is opened
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    with row.container():
        st.fragment(_look, run_every=REFRESH)(jobs, job, news)
    row.button(
        "Cancel",
        icon=":material/stop_circle:",
        key=key or f"cancel-{job}",
        on_click=jobs.cancel,
        args=(job,),
        shortcut=CANCEL,
    )


def beside(
    label: str,
    icon: str,
    *,
    primary: bool = False,
    key: str | None = None,
    shortcut: str | None = None,
    on_click: Callable[[], None] | None = None,
) -> tuple[DeltaGenerator, bool]:
    """Draw a row for a sentence with a button to its right.

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


def _look(jobs: Jobs, job: str, news: Callable[[], bool]) -> None:
    status = jobs.look(job)
    if status is None or not status.active or news():
        st.rerun()
    progress(status)


def queue(submit: Callable[[], object]) -> None:
    """Submit work to the queue and draw the page again; show in one line why that failed, where it did."""
    try:
        submit()
    except StitchLabError as error:
        say(error)
    else:
        st.rerun()


def door(page: str, label: str, query: dict[str, str] | list[tuple[str, str]], text: str) -> None:
    """Draw a link to another page; nothing where a page is run by itself, as in tests.

    Args:
        page: path of its script, as in `PAGES`.
        label: text of the link.
        query: keys and values of the address that it leads to.
        text: tooltip.
    """
    with contextlib.suppress(StreamlitAPIException):
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query, help=text)


def end_workers() -> None:
    """End the workers that pages have started in this process."""
    _jobs.clear()


@st.cache_resource(show_spinner=False, on_release=lambda jobs: jobs.close())
def _jobs(root: str) -> Jobs:
    jobs = Jobs(Store(root))
    start = threading.Timer(FIRST_PAGE, jobs.start)
    start.daemon = True
    start.start()
    return jobs
