"""Summarise runs: cells done, time spent, size on disk. Reading that from hundreds of files per run would be slow.

Who computes keeps it beside the run when a piece of work is done (`keep`). Where that was before there were
summaries, or where more has come since, `Summaries` counts anew, in memory only, as many as there is time for.
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
    """Hold what a run has by now.

    Attributes:
        done: cells that are computed, each method and index counted.
        seconds: that all of them took, on however many workers.
        bytes: of all files that it refers to; those that several runs refer to count for each.
    """

    done: int
    seconds: float
    bytes: int


def keep(run: Run) -> None:
    """Count what a run has, and keep that beside the run, if it was asked for; ignore a full disk."""
    if run.store.has(RUNS, run.id):
        with contextlib.suppress(StitchLabError):
            run.store.put(ROOM, run.id, asdict(Summaries(run.store).count(Run(run.store, run.record))))


class Summaries:
    """Read the summaries of a store's runs, or count them anew. Keep one for many looks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[str, tuple[float, Summary]] = {}  # by run: when the store's cells last changed, and what
        self._read: dict[str, tuple[float, Summary]] = {}  # by run: when its file was written, and what it says

    def of(self, runs: Sequence[Run], seconds: float) -> dict[str, Summary | None]:
        """Return each run's summary by its id; None if it was not counted yet: the next look does that.

        Args:
            seconds: after which no more are counted.
        """
        until, changed = time.monotonic() + seconds, self._changed("cells")
        self.__dict__.pop("_named_after", None)  # listed anew for this look, once, and only if something is counted
        found: dict[str, Summary | None] = {}
        for run in runs:
            known, fresh = self._known(run, changed)
            if not fresh and time.monotonic() < until:
                known = self.count(run)
                self._counted[run.id] = changed, known
            found[run.id] = known
        return found

    def count(self, run: Run) -> Summary:
        """Count what a run has now."""
        seconds = sum(entry["seconds"] for of in (run.cells, run.functional) for entry in of.values())
        return Summary(len(run.cells), seconds, self._bytes(run))

    def _known(self, run: Run, changed: float) -> tuple[Summary | None, bool]:
        """Return what is known of a run, and whether it still holds: the run is complete, or no cell has come since."""
        written = self._changed(ROOM, f"{run.id}.json")
        if run.id not in self._read or self._read[run.id][0] != written:
            kept = self._store.intact(ROOM, run.id) if written else None
            if kept is not None:
                self._read[run.id] = written, Summary(**kept)
        there = [of[run.id] for of in (self._read, self._counted) if run.id in of]
        for when, known in there:
            if known.done == run.total or when >= changed:
                return known, True
        return (there[-1][1] if there else None), False

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
        named = sum(self._named_after.get(key, 0) for key in (*stitched, *maps.values()))
        return named + sum(
            _size(f"{self._store.root}/{room}/{key}{suffix}") for room, key in files for suffix in SUFFIXES
        )

    @cached_property
    def _named_after(self) -> dict[str, int]:
        """Sum the bytes of files named after a cell or a map (``KEY-…``), by that key."""
        found: dict[str, int] = {}
        for room in (OOD, trajectory.ROOM):
            for entry in _entries(f"{self._store.root}/{room}"):
                key = entry.name.partition("-")[0]
                found[key] = found.get(key, 0) + _size(entry.path)
        return found


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
