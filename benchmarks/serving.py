"""Serves pages, each server in a process of its own, and starts the browser that looks at them."""

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
PATIENCE = 300.0  # seconds until something that does not come counts as an error
#: Whether two heatmaps are on the page, with the pictures of their cells.
DRAWN = "() => document.querySelectorAll('.js-plotly-plot .heatmaplayer image').length >= 2"
AT_REST = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@dataclass(frozen=True)
class Server:
    """Represents a server of pages that answers: where, its process, and when it was started (`time.perf_counter`)."""

    url: str
    process: int
    started: float

    @property
    def memory_mb(self) -> float:
        """Read how much memory its process holds now, without those that it started."""
        status = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmRSS"))

    @property
    def cpu_seconds(self) -> float:
        """Read how much computing its process and all that it started have done so far."""
        import psutil

        done = 0.0
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getpgid(process.pid) == self.process:
                    done += sum(process.cpu_times()[:2])
        return done


def needed(*modules: str, chromium: bool = False) -> None:
    """Raise Skipped where one of these modules, Linux's /proc or a chromium is not here."""
    lacking = [name for name in modules if importlib.util.find_spec(name) is None]
    lacking += ["/proc"] if not Path("/proc/self/status").exists() else []
    lacking += ["chromium"] if chromium and shutil.which("chromium") is None else []
    if lacking:
        raise Skipped(f"there is no {', no '.join(lacking)} here")


@contextlib.contextmanager
def serving(script: str, checkout: Path = ROOT, **environment: str) -> Iterator[Server]:
    """Start a Streamlit server in a process group of its own, which all ends with it.

    Args:
        script: of the first page, beneath the checkout, whose settings it is run with.
        checkout: of StitchLab, this or an older one.
        environment: variables of its process.
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
        until(lambda: _healthy(f"http://localhost:{port}/_stcore/health"))
        yield Server(f"http://localhost:{port}", process.pid, started)
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started, and wait until they are gone."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            break
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        until(lambda: os.killpg(process.pid, 0), 10)  # raises ProcessLookupError once nobody is left
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
    """Load a page in a fresh window, nothing cached, and time it until its two heatmaps are drawn.

    Args:
        browser: which opens the window.
        url: of the page.
        since: a `time.perf_counter` that seconds count from; default is now.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    page = context.new_page()
    since = time.perf_counter() if since is None else since
    page.goto(url, wait_until="commit")
    page.wait_for_function(DRAWN, timeout=1000 * PATIENCE)
    seconds = time.perf_counter() - since
    page.wait_for_selector(AT_REST)
    context.close()
    return seconds


def look_at(browser: Browser, urls: Sequence[str], plots: Callable[[str], bool]) -> None:
    """Look at pages one after the other, each until it is at rest, with a plot where it has to show one.

    Args:
        browser: which opens the window.
        urls: of the pages.
        plots: says whether the page at a URL must show a plot.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1200})
    page = context.new_page()
    for url in urls:
        page.goto(url)
        if plots(url):
            page.locator(".js-plotly-plot").first.wait_for(timeout=1000 * PATIENCE)
        page.wait_for_timeout(1000)
        page.wait_for_selector(AT_REST, timeout=1000 * PATIENCE)
        if page.locator('[data-testid="stException"]').count():
            raise AssertionError(f"{url} shows a traceback")
    context.close()


def until(holds: Callable[[], object], seconds: float = PATIENCE, every: float = 0.02) -> None:
    """Wait until a condition holds.

    Args:
        holds: called again and again; says whether it holds.
        seconds: to wait at most.
        every: seconds between two looks.

    Raises TimeoutError.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not come about in {seconds:.0f} s")
        time.sleep(every)


def _healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
        return bool(answer.status == 200)
    return False
