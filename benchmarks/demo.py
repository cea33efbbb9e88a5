"""Prepares the run for the rows about the app: the demo's two networks and their grid, computed once and kept."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.material import Source
from stitchlab.grid import demo
from stitchlab.grid.ask import compare
from stitchlab.results.demo import NAMES
from stitchlab.results.keys import accuracy_key, key_of, result_key
from stitchlab.results.run import Run
from stitchlab.store import Store

#: Rooms of a store with results, which a copy without results leaves out.
RESULT_ROOMS = ("cells", "maps", "epochs", "accuracies", "runs", "jobs", "progress", "cancel", "claims")


def finished(source: Source) -> Run:
    """Return the demo's complete run: two ResNet-14 on digits, 6×6 cells by the paper's recipe.

    The first call takes a minute. The run has a store of its own.
    """
    store = Store(Path(source.root) / "app")
    demo.train(store)
    return compare(*NAMES, store=store, device=source.device)


def without_results(store: Store, folder: Path) -> Store:
    """Copy the networks and data of a store without its results."""
    shutil.copytree(store.root, folder, ignore=lambda folder, names: set(names) & set(RESULT_ROOMS), dirs_exist_ok=True)
    return Store(folder)


def many_runs(run: Run, folder: Path, count: int) -> Store:
    """Fill a store with copies of a run under the ids of other seeds, for timing a list of runs.

    Args:
        run: a complete run.
        folder: of the new store.
        count: number of runs to make.
    """
    store = Store(folder)
    for seed in range(count):
        request = replace(run.request, seed=seed)
        Run(store, run.record | {"request": asdict(request)}).save()
        for network in (request.front, request.end):
            store.put("accuracies", accuracy_key(request, network), {"accuracy": run.own_accuracy})
        for cell, result in run.cells.items():
            store.put("cells", result_key(request, *cell), {**result})
        for cell, metrics in run.functional.items():
            store.put("cells", key_of(request, "functional", *cell), {**metrics})
    return store
