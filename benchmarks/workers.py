"""Measures the app's workers: (l) a question while a grid is computed, (m) a grid beside a busy core.

Both go the way that a page goes: through the queue, to workers that it starts. Ratios are ours over the baseline's.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.demo import finished, without_results
from benchmarks.material import Source
from benchmarks.measure import Measured, Row, alone, timed
from benchmarks.serving import needed, until
from stitchlab.catalog.presets import PRESETS
from stitchlab.grid.compute import compute
from stitchlab.jobs import Jobs
from stitchlab.models.device import pick_device
from stitchlab.results.demo import NAMES
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

SPIN = "import os\nos.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\nwhile True:\n    pass\n"


def question_beside_a_grid(source: Source, *, quick: bool) -> Iterator[Row]:
    """(l): Time one image's feature maps until they are there, while a grid is computed and while none is."""
    needed("distributed")
    run = finished(source)
    images = 10 if quick else 60
    base, ours = (alone(questions, str(run.store.root), run.id, images, grid) for grid in (False, True))
    yield Row(
        "l",
        f"feature maps of an image, while a grid is computed: p50 of {images}",
        "no grid",
        ours.median,
        base.median,
        ours.median / base.median,
        None,
        source.device,
        ours.spread,
        f"no grid: {base.spread}",
    )


def beside_a_busy_core(source: Source, *, quick: bool) -> Iterator[Row]:
    """(m): Time the quick grid by the app's workers, and by one process, alone and beside a busy core."""
    needed("distributed")
    root, every = str(finished(source).store.root), 3 if quick else 1
    found: dict[tuple[Any, bool], list[float]] = {}
    for _ in range(1 if quick else 3):
        for work in (by_workers, in_one_process):
            for busy in (False, True):
                found.setdefault((work, busy), []).extend(alone(work, root, every, busy).seconds)
    ours, ours_busy, one, one_busy = map(Measured, found.values())
    what = "digits, quick recipe, by the app's workers"
    yield Row(
        "m",
        f"{what}, nothing beside",
        "one process",
        ours.median,
        one.median,
        ours.median / one.median,
        None,
        source.device,
        ours.spread,
        f"one process: {one.spread}",
    )
    yield Row(
        "m",
        f"{what}, beside a busy core",
        "one process",
        ours_busy.median,
        one_busy.median,
        ours_busy.median / one_busy.median,
        None,
        source.device,
        ours_busy.spread,
        f"one process: {one_busy.spread}; a busy core costs {ours_busy.median / ours.median:.2f} times the time, "
        f"one process {one_busy.median / one.median:.2f} times",
    )


def questions(root: str, run_id: str, images: int, grid: bool) -> Measured:
    """Ask for the feature maps of one image after the other, each new to the worker, and time the answers.

    Args:
        root: of the store with the run.
        run_id: of the run.
        images: how many are asked for, after a warm-up.
        grid: whether a grid is computed meanwhile.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root, folder, dirs_exist_ok=True)
        store = Store(Path(folder))
        run = Run.load(run_id, store)
        cell = run.request.front_layers[-1], run.request.end_layers[0]
        beside = resolve(store, *NAMES, seed=1)  # of which nothing is there
        with _warm(store) as jobs:
            if grid:
                jobs.compute(beside)
                until(lambda: Run(store, beside.record).cells)
            seconds = [_asked(jobs, run, image, *cell) for image in range(images + 1)]
            if grid and Run(store, beside.record).complete:
                raise AssertionError("the grid was complete before the last question was asked")
        return Measured(seconds[1:])  # the first was the warm-up


def by_workers(root: str, every: int, busy: bool) -> Measured:
    """Compute the demo's grid by the quick recipe as a page has it done, from a store without results.

    Args:
        root: of the store with the networks.
        every: 1 for all layers, 2 for every other.
        busy: whether another process keeps a core busy meanwhile.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = without_results(Store(Path(root)), Path(folder))
        run = _every(store, every)
        with _warm(store) as jobs, _spinning() if busy else contextlib.nullcontext():
            return Measured([_computed(jobs, run)])


def in_one_process(root: str, every: int, busy: bool) -> Measured:
    """Compute the same grid in this process, with as many threads as PyTorch takes.

    Args:
        root, every, busy: as for `by_workers`.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = without_results(Store(Path(root)), Path(folder))
        run, device = _every(store, every).save(), pick_device("auto")
        compute(store, _every(store, 5, seed=2).save(), device)  # a warm-up, as the workers have one
        with _spinning() if busy else contextlib.nullcontext():
            return timed(lambda: compute(store, run, device), device, 1, 0)


def _every(store: Store, step: int, seed: int = 0) -> Run:
    """Resolve the demo's grid by the quick recipe, of every layer or of some."""
    layers = resolve(store, *NAMES).request.front_layers[::step]
    return resolve(store, *NAMES, front_layers=layers, end_layers=layers, tlm=PRESETS["quick"], seed=seed)


@contextlib.contextmanager
def _warm(store: Store) -> Iterator[Jobs]:
    """Start workers, and have them do a little of what they shall do."""
    jobs = Jobs(store)
    try:
        _computed(jobs, _every(store, 5, seed=2))
        yield jobs
    finally:
        jobs.close()


def _computed(jobs: Jobs, run: Run) -> float:
    """Have a grid computed, and time it until it is complete."""
    started = time.perf_counter()
    jobs.compute(run)
    until(lambda: not _active(jobs, run), every=0.1)
    seconds = time.perf_counter() - started
    if not Run(run.store, run.record).complete:
        raise AssertionError(f"the grid is not complete: {jobs.status(run.id)}")
    return seconds


def _active(jobs: Jobs, run: Run) -> bool:
    status = jobs.status(run.id)
    return status is not None and status.active


def _asked(jobs: Jobs, *arguments: Any) -> float:
    """Ask for feature maps, and time it until they are there."""
    started = time.perf_counter()
    answer = jobs.ask("feature_maps", *arguments, wait=60)
    seconds = time.perf_counter() - started
    if answer.state != "there":
        raise AssertionError(f"no feature maps came: {answer}")
    return seconds


@contextlib.contextmanager
def _spinning() -> Iterator[None]:
    """Keep one core busy by a process that stays there."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        process.kill()
        process.wait()
