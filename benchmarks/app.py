"""Measures what users of the app wait for: (i) the server's memory, (j) how soon heatmaps are drawn, (k) commands.

What is measured is a process of its own each time. Ratios are ours over the plain side's: how many times as much.
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
from typing import TYPE_CHECKING

from benchmarks.demo import finished, many_runs
from benchmarks.material import Source
from benchmarks.measure import Measured, Row
from benchmarks.serving import ROOT, Server, chromium, look_at, needed, seconds_until_drawn, serving
from stitchlab.figures import run_grids
from stitchlab.figures.heatmap import heatmap
from stitchlab.results.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUNS = 20  # that `runs` lists
#: All pages, with every view that they have; those of Activations show a plot.
LOOKS = ("Channels", "Map+of+images", "Feature+maps", "Predictions", "TLM%27s+epochs", "Whole+grid")
PARTS = ("part=Networks", "about=Classes", "about=How+it+came+to+be", "part=Train", "part=Import", "part=Data+sets")
PAGES = (
    "",
    "Compare",
    "Compare?view=difference",
    "Compare?view=table",
    "Compare?show=indices",
    *(f"Activations?look={look}" for look in LOOKS),
    "Checks",
    *(f"Networks?{part}" for part in PARTS),
)


def server_memory(source: Source, *, quick: bool, checkout: Path = ROOT) -> Iterator[Row]:
    """(i): Measure the server process's memory once all pages were seen, against a bare page's with Dask's client.

    Args:
        source: names the device of the row.
        quick: leave out the page Activations.
        checkout: of StitchLab, whose pages are served: this one, or an older one.
    """
    needed("streamlit", "distributed", "playwright", chromium=True)
    run = finished(source)
    pages = [page for page in PAGES if not quick or page.partition("?")[0] != "Activations"]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        with _bare(run, Path(folder), dask=True) as server:
            look_at(browser, [server.url] * 3, lambda url: True)
            bare = server.memory_mb
        with _ours(run, checkout) as server:
            look_at(browser, [f"{server.url}/{page}" for page in pages], lambda url: "/Activations" in url)
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
    """(j): Measure seconds until Home's and Compare's two heatmaps are drawn, all computed, against a bare page's.

    Args:
        source, checkout: as for `server_memory`.
        quick: fewer repeats.
    """
    needed("streamlit", "distributed", "playwright", chromium=True)
    run = finished(source)
    for page, path in (("Home", ""), ("Compare", "Compare")):
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            found = _in_turns(browser, run, path, Path(folder), 1 if quick else 5, checkout)
        for when in ("server just started", "server there"):
            ours, bare = Measured(found["ours", when]), Measured(found["bare", when])
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
    """(k): Measure seconds of ``--help``, and of ``runs`` with 20 runs, against Python's importing NumPy.

    Args:
        source, checkout: as for `server_memory`.
        quick: fewer repeats.
    """
    run, repeats = finished(source), 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        many_runs(run, Path(folder), RUNS)
        sides = {
            "runs": ["-m", "stitchlab", "runs"],
            "--help": ["-m", "stitchlab", "--help"],
            "numpy": ["-c", "import numpy"],
        }
        found: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(repeats + 1):
            for name, arguments in sides.items():
                seconds, lines = _command(arguments, Path(folder), checkout)
                if name == "runs" and lines != RUNS + 1:
                    raise AssertionError(f"`runs` lists {lines - 1} of {RUNS} runs")
                if turn:  # the first one is a warm-up
                    found[name].append(seconds)
    base = Measured(found["numpy"])
    size = f"{len(run.request.front_layers)}×{len(run.request.end_layers)}"
    for name, what in (("runs", f"`runs` with {RUNS} runs of {size}"), ("--help", "`--help`")):
        ours = Measured(found[name])
        yield Row(
            "k",
            what,
            "import numpy",
            ours.median,
            base.median,
            ours.median / base.median,
            None,
            source.device,
            ours.spread,
        )


def _command(arguments: list[str], cache: Path, checkout: Path) -> tuple[float, int]:
    """Run Python on these, and give the seconds that it took and the lines that it wrote."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "STITCHLAB_CACHE": str(cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started, len(done.stdout.splitlines())


def _in_turns(
    browser: Browser, run: Run, path: str, folder: Path, repeats: int, checkout: Path
) -> dict[tuple[str, str], list[float]]:
    """Start the app and the bare page in turns; seconds by side and moment. The first turn is a warm-up."""
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(repeats + 1):
        for side in ("ours", "bare"):
            with _ours(run, checkout) if side == "ours" else _bare(run, folder) as server:
                url = f"{server.url}/{path if side == 'ours' else ''}"
                started = seconds_until_drawn(browser, url, server.started)
                _settle(server)
                there = seconds_until_drawn(browser, url)
            if turn:
                found.setdefault((side, "server just started"), []).append(started)
                found.setdefault((side, "server there"), []).append(there)
    return found


def _settle(server: Server) -> None:
    """Wait until nothing that the server started is at work any more: workers import what they need."""
    before = -1.0
    while (now := server.cpu_seconds) - before > 0.1:
        before = now
        time.sleep(1)


def _ours(run: Run, checkout: Path) -> AbstractContextManager[Server]:
    return serving("app.py", checkout, STITCHLAB_CACHE=str(run.store.root))


def _bare(run: Run, folder: Path, *, dask: bool = False) -> AbstractContextManager[Server]:
    """Serve the bare page, which needs nothing of StitchLab, with the figures of the run."""
    figures = folder / "figures.json"
    figures.write_text(
        json.dumps([json.loads(heatmap(grid).to_json()) for grid in run_grids.stitched(run, "accuracy")])
    )
    return serving("benchmarks/bare_page.py", ROOT, BARE_FIGURES=str(figures), **({"BARE_DASK": "1"} if dask else {}))
