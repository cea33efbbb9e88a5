"""Measures the app: (i) memory of the server, (j) time until heatmaps are drawn, (k) time of commands.

Each measurement starts a new process. Ratios are ours divided by the baseline's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from benchmarks.demo import finished, many_runs
from benchmarks.material import Source
from benchmarks.measure import Measured, Row
from benchmarks.serving import ROOT, Server, chromium, require, seconds_until_drawn, serving, visit
from stitchlab.figures import run_grids
from stitchlab.figures.heatmap import heatmap
from stitchlab.results.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LISTED_RUNS = 20
Side = Literal["ours", "bare"]
SIDES: tuple[Side, ...] = get_args(Side)
ACTIVATIONS_VIEWS = ("Channels", "Map+of+images", "Feature+maps", "Predictions", "TLM%27s+epochs", "Whole+grid")
NETWORKS_VIEWS = (
    *("part=Networks", "about=Classes", "about=How+it+came+to+be"),
    *("part=Train", "part=Import", "part=Data+sets"),
)
#: The addresses of all pages with all of their views; those of Activations show a plot.
PAGES = (
    "",
    "Compare",
    "Compare?view=difference",
    "Compare?view=table",
    "Compare?show=indices",
    *(f"Activations?look={look}" for look in ACTIVATIONS_VIEWS),
    "Checks",
    *(f"Networks?{part}" for part in NETWORKS_VIEWS),
)


def server_memory(source: Source, *, quick: bool, checkout: Path = ROOT) -> Iterator[Row]:
    """(i): Measure the memory of the server process after all pages were shown, and of a bare page with a Dask client.

    Args:
        source: has the device.
        quick: whether to leave out the page Activations.
        checkout: the folder of StitchLab whose pages are served: this one, or an older one.
    """
    require("streamlit", "distributed", "playwright", chromium=True)
    run = finished(source)
    pages = [page for page in PAGES if not quick or page.partition("?")[0] != "Activations"]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        with _bare(run, Path(folder), dask=True) as server:
            visit(browser, [server.url] * 3, lambda url: True)
            bare = server.memory_mb
        with _ours(run, checkout) as server:
            visit(browser, [f"{server.url}/{page}" for page in pages], lambda url: "/Activations" in url)
            ours = server.memory_mb
    yield Row(
        "i",
        f"the server's memory after {len(pages)} views of all pages",
        "bare page",
        None,
        None,
        ours / bare,
        ours,
        source.device,
        note=f"a bare page with two heatmaps and Dask's client: {bare:.0f} MB",
        details={"ours_mb": ours, "bare_mb": bare},
    )


def first_heatmaps(source: Source, *, quick: bool, checkout: Path = ROOT) -> Iterator[Row]:
    """(j): Measure the time until two heatmaps of Home, of Compare and of a bare page are drawn; the run is complete.

    Args:
        source, checkout: as for `server_memory`.
        quick: whether to take fewer repeats.
    """
    require("streamlit", "distributed", "playwright", chromium=True)
    run = finished(source)
    for page, path in (("Home", ""), ("Compare", "Compare")):
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            seconds = _seconds_in_turns(browser, run, path, Path(folder), 1 if quick else 5, checkout)
        for when in ("server just started", "server there"):
            ours, bare = Measured(seconds["ours", when]), Measured(seconds["bare", when])
            yield Row(
                "j",
                f"two heatmaps of {page} drawn, {when}",
                "bare page",
                ours.median,
                bare.median,
                ours.median / bare.median,
                None,
                source.device,
                ours.spread,
                f"bare page: {bare.spread}",
            )


def commands(source: Source, *, quick: bool, checkout: Path = ROOT) -> Iterator[Row]:
    """(k): Measure the time of ``--help`` and of ``runs`` with 20 runs, and of Python importing NumPy.

    Args:
        source, checkout: as for `server_memory`.
        quick: whether to take fewer repeats.
    """
    run, repeats = finished(source), 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        many_runs(run, Path(folder), LISTED_RUNS)
        commands = {
            "runs": ["-m", "stitchlab", "runs"],
            "--help": ["-m", "stitchlab", "--help"],
            "numpy": ["-c", "import numpy"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(repeats + 1):
            for name, arguments in commands.items():
                seconds, lines = _command(arguments, Path(folder), checkout)
                if name == "runs" and lines != LISTED_RUNS + 1:
                    raise AssertionError(f"`runs` lists {lines - 1} of {LISTED_RUNS} runs")
                if turn:  # the first one is a warm-up
                    times[name].append(seconds)
    baseline = Measured(times["numpy"])
    size = f"{len(run.request.front_layers)}×{len(run.request.end_layers)}"
    for name, what in (("runs", f"`runs` with {LISTED_RUNS} runs of {size}"), ("--help", "`--help`")):
        ours = Measured(times[name])
        yield Row(
            "k",
            what,
            "import numpy",
            ours.median,
            baseline.median,
            ours.median / baseline.median,
            None,
            source.device,
            ours.spread,
        )


def _command(arguments: list[str], cache: Path, checkout: Path) -> tuple[float, int]:
    """Run Python with these arguments; return the seconds that it took and the number of lines that it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "STITCHLAB_CACHE": str(cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started, len(done.stdout.splitlines())


def _seconds_in_turns(
    browser: Browser, run: Run, path: str, folder: Path, repeats: int, checkout: Path
) -> dict[tuple[Side, str], list[float]]:
    """Time the app and the bare page in turns, after a warm-up turn; return seconds by side and state of the server."""
    seconds: dict[tuple[Side, str], list[float]] = {}
    for turn in range(repeats + 1):
        for side in SIDES:
            with _ours(run, checkout) if side == "ours" else _bare(run, folder) as server:
                url = f"{server.url}/{path if side == 'ours' else ''}"
                first = seconds_until_drawn(browser, url, server.started)
                _wait_until_idle(server)
                second = seconds_until_drawn(browser, url)
            if turn:
                seconds.setdefault((side, "server just started"), []).append(first)
                seconds.setdefault((side, "server there"), []).append(second)
    return seconds


def _wait_until_idle(server: Server) -> None:
    """Wait until the processes of the server are idle; its workers import modules at first."""
    last = -1.0
    while (cpu_seconds := server.cpu_seconds) - last > 0.1:
        last = cpu_seconds
        time.sleep(1)


def _ours(run: Run, checkout: Path) -> AbstractContextManager[Server]:
    return serving("app.py", checkout, STITCHLAB_CACHE=str(run.store.root))


def _bare(run: Run, folder: Path, *, dask: bool = False) -> AbstractContextManager[Server]:
    """Serve the bare page, which does not use StitchLab, with the figures of the run."""
    figures = folder / "figures.json"
    figures.write_text(
        json.dumps([json.loads(heatmap(grid).to_json()) for grid in run_grids.metric_grids(run, "accuracy")])
    )
    return serving("benchmarks/bare_page.py", ROOT, BARE_FIGURES=str(figures), **({"BARE_DASK": "1"} if dask else {}))
