"""Summarise runs: results computed, time spent, size on disk. Reading that from hundreds of files per run is slow.

After each piece of work, the process that computed it stores a summary beside the run (`keep`). Where the summary is
missing or older than the latest results, `Summaries` counts again, in memory only, for a limited time per look.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from stitchlab.errors import StitchLabError
from stitchlab.results import trajectory
from stitchlab.results.detection import ROOM as OOD
from stitchlab.results.keys import accuracy_key, functional_key, map_key, result_key
from stitchlab.results.run import Run
from stitchlab.results.run_record import ROOM as RUNS
from stitchlab.store import Store

ROOM = "summaries"
SUFFIXES = (".json", ".safetensors")


@dataclass(frozen=True)
class Summary:
    """Summarise a run's results so far.

    Attributes:
        done: computed results: each method, index and null of each cell counts.
        seconds: the time that all of them took, summed over workers.
        bytes: the size of all files that the run refers to; a file of several runs counts for each.
    """

    done: int
    seconds: float
    bytes: int


def keep(run: Run) -> None:
    """Summarise a run and store the summary, if the run was requested; ignore a full disk."""
    if run.store.has(RUNS, run.id):
        with contextlib.suppress(StitchLabError):
            run.store.put(ROOM, run.id, asdict(Summaries(run.store).count(Run(run.store, run.record))))


class Summaries:
    """Read the summaries of a store's runs, or count again. Use one instance for many looks: it caches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[str, tuple[float, Summary]] = {}  # by run: with when the store's cells had last changed
        self._read: dict[str, tuple[float, Summary]] = {}  # by run: with when its file was written

    def of(self, runs: Sequence[Run], seconds: float) -> dict[str, Summary | None]:
        """Return each run's summary by its id; None if there was no time to count it: a later call may count it.

        Args:
            runs: the runs.
            seconds: time after which no more runs are counted.
        """
        until, changed = time.monotonic() + seconds, self._changed("cells")
        self.__dict__.pop("_named_after", None)  # list files again for this call, at most once
        summaries: dict[str, Summary | None] = {}
        for run in runs:
            summary, fresh = self._known(run, changed)
            if not fresh and time.monotonic() < until:
                summary = self.count(run)
                self._counted[run.id] = changed, summary
            summaries[run.id] = summary
        return summaries

    def count(self, run: Run) -> Summary:
        """Summarise what the store has of a run now."""
        seconds = sum(entry["seconds"] for results in (run.cells, run.functional) for entry in results.values())
        return Summary(len(run.cells), seconds, self._bytes(run))

    def _known(self, run: Run, changed: float) -> tuple[Summary | None, bool]:
        """Return the summary of a run, and whether it is up to date: the run is complete, or no cell is newer."""
        written = self._changed(ROOM, f"{run.id}.json")
        if run.id not in self._read or self._read[run.id][0] != written:
            record = self._store.intact(ROOM, run.id) if written else None
            if record is not None:
                self._read[run.id] = written, Summary(**record)
        summaries = [cache[run.id] for cache in (self._read, self._counted) if run.id in cache]
        for when, summary in summaries:
            if summary.done == run.total or when >= changed:
                return summary, True
        return (summaries[-1][1] if summaries else None), False

    def _changed(self, *parts: str) -> float:
        try:
            return os.stat(self._store.root.joinpath(*parts)).st_mtime
        except OSError:
            return 0.0

    def _bytes(self, run: Run) -> int:
        request = run.request
        keys = [result_key(request, name, *cell) for name in request.results for cell in request.cells]
        files = [(RUNS, run.id), *(("cells", key) for key in keys)]
        files += [("accuracies", accuracy_key(request, network)) for network in {request.front, request.end}]
        maps = {(method, i, j): map_key(request, method, i, j) for method in request.methods for i, j in request.cells}
        files += [("maps", key) for key in maps.values()]
        files += [("cells", functional_key(request, *cell)) for cell in maps]
        stitched = keys[: len(request.methods) * len(request.cells)]
        named_after = sum(self._named_after.get(key, 0) for key in (*stitched, *maps.values()))
        return named_after + sum(
            _size(f"{self._store.root}/{room}/{key}{suffix}") for room, key in files for suffix in SUFFIXES
        )

    @cached_property
    def _named_after(self) -> dict[str, int]:
        """Sum the bytes of files named after a cell or a map (``KEY-…``), by that key."""
        sizes: dict[str, int] = {}
        for room in (OOD, trajectory.ROOM):
            for entry in _entries(f"{self._store.root}/{room}"):
                key = entry.name.partition("-")[0]
                sizes[key] = sizes.get(key, 0) + _size(entry.path)
        return sizes


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
