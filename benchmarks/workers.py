"""Measures the app's workers: (l) a question during the computation of a grid, (m) a grid while a core is busy.

Both use the queue and its workers as a page does. Ratios are ours divided by the baseline's.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.demo import finished, without_results
from benchmarks.material import Source
from benchmarks.measure import Measured, Row, in_own_process, timed
from benchmarks.serving import require, wait_until
from stitchlab.catalog.presets import PRESETS
from stitchlab.grid.compute import compute
from stitchlab.jobs import Jobs
from stitchlab.models.device import pick_device
from stitchlab.results.demo import NAMES
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

#: A program that keeps the last core busy.
BUSY_LOOP = "import os\nos.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\nwhile True:\n    pass\n"


def question_beside_a_grid(source: Source, *, quick: bool) -> Iterator[Row]:
    """(l): Time the answer to a request for one image's feature maps, with and without the computation of a grid."""
    require("distributed")
    run = finished(source)
    images = 10 if quick else 60
    baseline, ours = (in_own_process(questions, str(run.store.root), run.id, images, grid) for grid in (False, True))
    yield Row(
        "l",
        f"feature maps of an image, while a grid is computed: p50 of {images}",
        "no grid",
        ours.median,
        baseline.median,
        ours.median / baseline.median,
        None,
        source.device,
        ours.spread,
        f"no grid: {baseline.spread}",
    )


def beside_a_busy_core(source: Source, *, quick: bool) -> Iterator[Row]:
    """(m): Time a grid, computed by the app's workers and by one process, with and without a busy core."""
    require("distributed")
    root, layer_step = str(finished(source).store.root), 3 if quick else 1
    seconds: dict[tuple[Callable[..., Measured], bool], list[float]] = {}
    for _ in range(1 if quick else 3):
        for work in (by_workers, in_one_process):
            for busy in (False, True):
                seconds.setdefault((work, busy), []).extend(in_own_process(work, root, layer_step, busy).seconds)
    ours, ours_busy, single, single_busy = map(Measured, seconds.values())
    what = "digits, quick recipe, by the app's workers"
    yield Row(
        "m",
        f"{what}, nothing beside",
        "one process",
        ours.median,
        single.median,
        ours.median / single.median,
        None,
        source.device,
        ours.spread,
        f"one process: {single.spread}",
    )
    yield Row(
        "m",
        f"{what}, beside a busy core",
        "one process",
        ours_busy.median,
        single_busy.median,
        ours_busy.median / single_busy.median,
        None,
        source.device,
        ours_busy.spread,
        f"one process: {single_busy.spread}; a busy core costs {ours_busy.median / ours.median:.2f} times the time, "
        f"one process {single_busy.median / single.median:.2f} times",
    )


def questions(root: str, run_id: str, images: int, grid: bool) -> Measured:
    """Request the feature maps of one image after another, and time the answers; no answer is cached.

    Args:
        root: of the store with the run.
        run_id: of the run.
        images: number of requests after a warm-up.
        grid: whether a grid is computed at the same time.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root, folder, dirs_exist_ok=True)
        store = Store(Path(folder))
        run = Run.load(run_id, store)
        cell = run.request.front_layers[-1], run.request.end_layers[0]
        other = resolve(store, *NAMES, seed=1)  # a run without results
        with _warm(store) as jobs:
            if grid:
                jobs.compute(other)
                wait_until(lambda: Run(store, other.record).cells)
            seconds = [_seconds_of_answer(jobs, run, image, *cell) for image in range(images + 1)]
            if grid and Run(store, other.record).complete:
                raise AssertionError("the grid was complete before the last question was asked")
        return Measured(seconds[1:])  # the first was the warm-up


def by_workers(root: str, layer_step: int, busy: bool) -> Measured:
    """Compute the demo's grid by the quick recipe with the app's workers, from a store without results.

    Args:
        root: of the store with the networks.
        layer_step: 1 for all layers, 2 for every other layer.
        busy: whether another process keeps a core busy at the same time.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = without_results(Store(Path(root)), Path(folder))
        run = _quick_run(store, layer_step)
        with _warm(store) as jobs, _busy_core() if busy else contextlib.nullcontext():
            return Measured([_seconds_of_grid(jobs, run)])


def in_one_process(root: str, layer_step: int, busy: bool) -> Measured:
    """Compute the same grid in this process, with as many threads as PyTorch takes.

    Args:
        root, layer_step, busy: as for `by_workers`.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = without_results(Store(Path(root)), Path(folder))
        run, device = _quick_run(store, layer_step).save(), pick_device("auto")
        compute(store, _quick_run(store, 5, seed=2).save(), device)  # a warm-up, as the workers have one
        with _busy_core() if busy else contextlib.nullcontext():
            return timed(lambda: compute(store, run, device), device, 1, 0)


def _quick_run(store: Store, layer_step: int, seed: int = 0) -> Run:
    """Resolve the demo's run by the quick recipe, with all or some of its layers."""
    layers = resolve(store, *NAMES).request.front_layers[::layer_step]
    return resolve(store, *NAMES, front_layers=layers, end_layers=layers, tlm=PRESETS["quick"], seed=seed)


@contextlib.contextmanager
def _warm(store: Store) -> Iterator[Jobs]:
    """Start workers, and let them compute a small grid as a warm-up."""
    jobs = Jobs(store)
    try:
        _seconds_of_grid(jobs, _quick_run(store, 5, seed=2))
        yield jobs
    finally:
        jobs.close()


def _seconds_of_grid(jobs: Jobs, run: Run) -> float:
    """Let the workers compute a grid, and return the seconds until it is complete."""
    started = time.perf_counter()
    jobs.compute(run)
    wait_until(lambda: not _active(jobs, run), interval=0.1)
    seconds = time.perf_counter() - started
    if not Run(run.store, run.record).complete:
        raise AssertionError(f"the grid is not complete: {jobs.status(run.id)}")
    return seconds


def _active(jobs: Jobs, run: Run) -> bool:
    status = jobs.status(run.id)
    return status is not None and status.active


def _seconds_of_answer(jobs: Jobs, *arguments: Any) -> float:
    """Request feature maps, and return the seconds until the answer."""
    started = time.perf_counter()
    answer = jobs.ask("feature_maps", *arguments, wait=60)
    seconds = time.perf_counter() - started
    if answer.state != "there":
        raise AssertionError(f"no feature maps came: {answer}")
    return seconds


@contextlib.contextmanager
def _busy_core() -> Iterator[None]:
    """Keep one core busy with a process."""
    process = subprocess.Popen([sys.executable, "-c", BUSY_LOOP])
    try:
        yield
    finally:
        process.kill()
        process.wait()
