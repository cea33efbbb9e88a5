"""What the browser tests share: a server of their own, and what stands on a page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from stitchlab.run import Run

ROOT = Path(__file__).resolve().parents[2]
ERRORS = '[data-testid="stException"]'

# The heatmaps of a page as numbers, null where a cell is grey; where each lies, and what it is of.
FIGURES = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
    const trace = plot._fullData.find(t => t.type === 'heatmap' && t.showscale !== false);
    const layout = plot._fullLayout, box = plot.getBoundingClientRect();
    return {
        z: Array.from(trace.z, row => Array.from(row, v => v === null || Number.isNaN(+v) ? null : +v)),
        low: trace.zmin, high: trace.zmax, title: layout.title.text, ink: layout.font.color,
        rows: [...layout.yaxis.ticktext], columns: [...layout.xaxis.ticktext],
        xs: layout.xaxis.tickvals.map(v => box.left + layout.xaxis._offset + layout.xaxis.l2p(v)),
        ys: layout.yaxis.tickvals.map(v => box.top + layout.yaxis._offset + layout.yaxis.l2p(v)),
        box: [box.left, box.top, box.right, box.bottom],
    };
})"""
OVERFLOW = """() => [document.documentElement, document.querySelector('[data-testid="stMain"]')].map(
    e => e.scrollWidth - e.clientWidth)"""


class Server:
    """`streamlit run app.py` on a free port with a cache of its own; its Dask processes end with it."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.log = cache.with_name(f"{cache.name}-{self.port}.log")

    def __enter__(self) -> Server:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
                   f"--server.port={self.port}", "--server.fileWatcherType=none"]
        environment = {key: value for key, value in os.environ.items() if key != "STITCHLAB_WORKERS"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                env=environment | {"STITCHLAB_CACHE": str(self.cache)},
            )
        until(self._healthy, 60)
        return self

    def __exit__(self, *_: object) -> None:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sent)
            except ProcessLookupError:
                break
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
            time.sleep(1)  # its workers

    def tracebacks(self) -> list[str]:
        """Errors that the server wrote down."""
        return [line for line in self.log.read_text().splitlines() if "Uncaught app execution" in line]

    def _healthy(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@dataclass(frozen=True)
class FirstVisit:
    """What the home page showed when the demo's grid was finished, and that grid."""

    run: Run
    figures: list[dict[str, Any]]
    words: str


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for something."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.2)


def figures(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(FIGURES)
    return found


def numbers(page: Page) -> int:
    """How many cells of all heatmaps have a number."""
    return sum(value is not None for figure in figures(page) for row in figure["z"] for value in row)


def settled(page: Page, charts: int = 2) -> list[dict[str, Any]]:
    """Waits until the page has run and shows so many heatmaps."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_function(
        f"() => [...document.querySelectorAll('.js-plotly-plot')].filter(p => p._fullData).length === {charts}")
    return figures(page)


def keyed(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}")


def button(page: Page, key: str) -> Locator:
    return keyed(page, key).locator("button")


def panel(page: Page) -> str:
    """The numbers of the selected cell."""
    return "\n".join(page.locator('[data-testid="stTable"]').all_inner_texts()).replace("−", "-")


def shows(page: Page, run: Run, front: str, end: str) -> bool:
    """Whether the panel has all numbers of this cell."""
    wanted = [row.value for row in run.rows() if (row.front_layer, row.end_layer) == (front, end)]
    told = panel(page)
    return all(f"{value:.4f}" in told for value in wanted if value is not None)


def files(cache: Path, *rooms: str) -> dict[str, int]:
    """When each file of these rooms was written."""
    return {str(path): path.stat().st_mtime_ns for room in rooms for path in (cache / room).glob("*.json")}
