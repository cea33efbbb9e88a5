"""Serves pages from server processes, and starts the browser that shows them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Skipped

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300.0
#: JavaScript that says whether two heatmaps are drawn, with the images of their cells.
TWO_HEATMAPS_DRAWN = "() => document.querySelectorAll('.js-plotly-plot .heatmaplayer image').length >= 2"
SCRIPT_FINISHED = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@dataclass(frozen=True)
class Server:
    """Represents a running server: its URL, process id, and start time (`time.perf_counter`)."""

    url: str
    process: int
    started: float

    @property
    def memory_mb(self) -> float:
        """Return the memory of its process now, without its child processes."""
        status = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmRSS"))

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time of its process and all child processes so far."""
        import psutil

        seconds = 0.0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getpgid(process.pid) == self.process:
                    seconds += sum(process.cpu_times()[:2])
        return seconds


def require(*modules: str, chromium: bool = False) -> None:
    """Check that these modules, Linux's /proc and, if requested, Chromium are available. Raises Skipped."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    missing += ["/proc"] if not Path("/proc/self/status").exists() else []
    missing += ["chromium"] if chromium and shutil.which("chromium") is None else []
    if missing:
        raise Skipped(f"there is no {', no '.join(missing)} here")


@contextlib.contextmanager
def serving(script: str, checkout: Path = ROOT, **environment: str) -> Iterator[Server]:
    """Start a Streamlit server in a process group of its own, and end the whole group afterwards.

    Args:
        script: of the first page, relative to the checkout, whose Streamlit settings are used.
        checkout: the folder of StitchLab, this one or an older one.
        environment: additional environment variables.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}"],
        cwd=checkout,
        env={**os.environ, **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _healthy(f"http://localhost:{port}/_stcore/health"))
        yield Server(f"http://localhost:{port}", process.pid, started)
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process with its child processes, and wait until they have ended."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            break
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        wait_until(lambda: os.killpg(process.pid, 0), 10)  # raises ProcessLookupError once the group is empty
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def seconds_until_drawn(browser: Browser, url: str, since: float | None = None) -> float:
    """Load a page in a new window with an empty cache, and time it until its two heatmaps are drawn.

    Args:
        browser: which opens the window.
        url: of the page.
        since: start of the timing, a `time.perf_counter`; default is now.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    page = context.new_page()
    since = time.perf_counter() if since is None else since
    page.goto(url, wait_until="commit")
    page.wait_for_function(TWO_HEATMAPS_DRAWN, timeout=1000 * TIMEOUT_S)
    seconds = time.perf_counter() - since
    page.wait_for_selector(SCRIPT_FINISHED)
    context.close()
    return seconds


def visit(browser: Browser, urls: Sequence[str], plots: Callable[[str], bool]) -> None:
    """Open pages one after the other; wait until each has finished, and shows a plot if it must.

    Args:
        browser: which opens the window.
        urls: of the pages.
        plots: tells whether the page at a URL must show a plot.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    page = context.new_page()
    for url in urls:
        page.goto(url)
        if plots(url):
            page.locator(".js-plotly-plot").first.wait_for(timeout=1000 * TIMEOUT_S)
        page.wait_for_timeout(1000)
        page.wait_for_selector(SCRIPT_FINISHED, timeout=1000 * TIMEOUT_S)
        if page.locator('[data-testid="stException"]').count():
            raise AssertionError(f"{url} shows a traceback")
    context.close()


def wait_until(condition: Callable[[], object], timeout: float = TIMEOUT_S, interval: float = 0.02) -> None:
    """Wait until a condition is true.

    Args:
        condition: called repeatedly.
        timeout, interval: in seconds: when to give up, and between two calls.

    Raises TimeoutError.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"expected the condition to hold within {timeout:.0f} s; it is still false")
        time.sleep(interval)


def _healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
        return bool(answer.status == 200)
    return False
