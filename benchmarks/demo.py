"""Makes what rows about the app are measured on: the demo's two networks and their grid, made once and kept."""

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

#: Rooms of a store that a copy without results leaves out.
RESULTS = ("cells", "maps", "epochs", "accuracies", "runs", "jobs", "progress", "cancel", "claims")


def finished(source: Source) -> Run:
    """Give the demo's run, complete: two ResNet-14 on digits, 6×6 cells by the paper's recipe; a minute the first time.

    Its store holds nothing else.
    """
    store = Store(Path(source.root) / "app")
    demo.train(store)
    return compare(*NAMES, store=store, device=source.device)


def without_results(store: Store, folder: Path) -> Store:
    """Copy a store's networks and data, and none of its results."""
    shutil.copytree(store.root, folder, ignore=lambda at, names: set(names) & set(RESULTS), dirs_exist_ok=True)
    return Store(folder)


def many_runs(run: Run, folder: Path, count: int) -> Store:
    """Fill a store with runs that have the numbers of this one under the ids of other seeds.

    It is there to be listed, and timed; its numbers mean nothing.

    Args:
        run: complete.
        folder: of the new store.
        count: how many runs it gets.
    """
    store = Store(folder)
    for seed in range(count):
        request = replace(run.request, seed=seed)
        Run(store, run.record | {"request": asdict(request)}).save()
        for network in (request.front, request.end):
            store.put("accuracies", accuracy_key(request, network), {"accuracy": run.own_accuracy})
        for cell, kept in run.cells.items():
            store.put("cells", result_key(request, *cell), {**kept})
        for cell, kept in run.functional.items():
            store.put("cells", key_of(request, "functional", *cell), {**kept})
    return store
