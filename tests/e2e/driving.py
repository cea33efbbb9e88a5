"""How the browser tests start the app and drive it: servers, clicks on cells, what a page shows."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import FloatRect, Locator, Page

from stitchlab.results.run import Run

ROOT = Path(__file__).resolve().parents[2]
CANCEL = "[class*=st-key-cancel-] button"
# What a heatmap shows, as it was given to Plotly: the texts of its cells, empty where there is no number.
TEXTS = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
    const layers = plot.data.filter(trace => trace.type === 'heatmap' && trace.text).map(trace => trace.text.flat());
    return (layers[0] ?? []).map((_, k) => layers.map(texts => texts[k]).join('').replaceAll('\\u200b', ''));
})"""


#: What a browser is told that its user prefers.
Scheme = Literal["light", "dark"]


@contextlib.contextmanager
def serving(cache: Path, log: Path = Path(os.devnull), script: str = "app.py") -> Iterator[str]:
    """The app, or another script, on this cache, in a process group of its own, so that its workers end with it."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with log.open("w") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}"],
            cwd=ROOT,
            env={**os.environ, "STITCHLAB_CACHE": str(cache)},
            start_new_session=True,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: healthy(f"http://localhost:{port}/_stcore/health"), 60)
        yield f"http://localhost:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(20)


def healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
        return bool(answer.status == 200)
    return False


def until(holds: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.3)


def numbers(page: Page) -> list[int]:
    """How many numbers each heatmap on the page shows."""
    return [sum(bool(text) for text in texts) for texts in page.evaluate(TEXTS)]


def settle(page: Page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def enter(box: Locator, text: str) -> None:
    """Type into a text box, and have the page take it: once it is there alone, since a page that is being drawn anew
    still shows what it drew last."""
    settle(box.page)
    until(lambda: box.count() == 1, 30)
    box.fill(text)
    box.press("Enter")
    settle(box.page)


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.evaluate("location.href")).query)


def still(element: Locator) -> FloatRect:
    """Scrolls to an element, and gives its place once that has not moved for half a second: pages grow as they load."""
    places: list[FloatRect | None] = []

    def stands() -> bool:
        element.scroll_into_view_if_needed()
        places.append(element.bounding_box())
        return len(places) > 2 and places[-1] is not None and places[-1] == places[-2] == places[-3]

    until(stands, 30)
    place = places[-1]
    assert place is not None
    return place


def press(button: Locator) -> None:
    """Clicks a button that has just come, once it has stopped moving.

    A row is laid out again when its sentence comes: a click of which the press hits the button and the release hits
    the sentence is none (seen in 7 of 10 tries).
    """
    settle(button.page)
    still(button)
    button.click()


def click(page: Page, run: Run, heatmap: int, *, row: int, column: int) -> tuple[str, str]:
    """Clicks a cell of a 6×6 heatmap, waits until the link names it, and returns its layers.

    A chart that is drawn anew under the pointer takes no click: like a visitor, it clicks again.
    """
    cells = page.locator(".nsewdrag").nth(heatmap)
    i, j = run.request.front_layers[row], run.request.end_layers[column]
    for attempts in (2, 1, 0):
        settle(page)
        box = still(cells)
        page.mouse.click(box["x"] + box["width"] * (column + 0.5) / 6, box["y"] + box["height"] * (row + 0.5) / 6)
        with contextlib.suppress(AssertionError) if attempts else contextlib.nullcontext():
            until(lambda: query(page).get("front_layer") == [i] and query(page).get("end_layer") == [j], 20)
            break
    return i, j
