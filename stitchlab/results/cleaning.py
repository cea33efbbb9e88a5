"""Delete a run, remove what nothing refers to, and list the sizes of the store's rooms.

Results lie under keys of their content and may serve several runs, so what goes is found by what stays: an entry stays
where a run, a network or data still refers to it. Records of networks and data were asked for, and always stay; so
do files that were opened (`stitchlab.results.shelf`).
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from stitchlab.catalog.detectors import LEARNING
from stitchlab.errors import StitchLabError
from stitchlab.request import Detection, Method, content_id
from stitchlab.results import (
    cut_points,
    data_sets,
    halves,
    networks,
    ranks,
    resume,
    samples,
    shelf,
    summary,
    trajectory,
)
from stitchlab.results.checks import answers
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.detection import learned
from stitchlab.results.keys import accuracy_key, cell_key, functional_key, map_key, native_key, result_key
from stitchlab.results.networks import Network
from stitchlab.results.run import Run, list_runs
from stitchlab.results.run_record import ROOM as RUNS
from stitchlab.store import Store, claims, uploads

YOUNG = 3600.0  # seconds within which somebody may still be at work with a file
JOBS = ("jobs", "progress", "cancel")  # rooms of what `stitchlab.jobs` keeps of a job
ENDED = ("done", "failed", "cancelled")  # states of a task that is over
SUFFIXES = (".json", ".safetensors", ".npy")


class Amount(NamedTuple):
    """Count the files of a room, and their bytes."""

    room: str
    files: int
    bytes: int


class _File(NamedTuple):
    """Describe a file of the store: its path, key, size, and when it changed."""

    path: Path
    key: str
    bytes: int
    changed: float


_Stays = Callable[[_File], bool]


class References:
    """Collect what runs refer to: their results, what detectors found and learned of them, and their jobs."""

    def __init__(self, runs: Iterable[Run]) -> None:
        rooms = (
            RUNS,
            summary.ROOM,
            "cells",
            "maps",
            trajectory.ROOM,
            "ood",
            samples.ROOM,
            ranks.ROOM,
            halves.ROOM,
            "accuracies",
            "detectors",
            resume.ROOM,
            *JOBS,
        )
        self._keys: dict[str, set[str]] = {room: set() for room in rooms}
        self._learned: set[str] = set()
        for run in runs:
            self._add(run)

    @property
    def rooms(self) -> list[str]:
        """List the rooms for which it can tell whether an entry is referred to."""
        return list(self._keys)

    def has(self, store: Store, room: str, key: str) -> bool:
        """Tell whether one of the runs refers to this entry.

        Args:
            store: where the entry is.
            room, key: the entry.
        """
        if room in JOBS:  # named after the run, perhaps with more behind a hyphen
            return key.partition("-")[0] in self._keys[RUNS]
        if room in ("ood", trajectory.ROOM):  # named after a cell, a map or the native side of an end layer
            return key.partition("-")[0] in self._keys[room]
        if room == resume.ROOM:
            return not self._keys["maps"].isdisjoint(resume.lacking(store, key))
        if room == "detectors" and (of := store.intact("detectors", key)) is not None:
            return _whose(of) in self._learned
        return key in self._keys[room]

    def _add(self, run: Run) -> None:
        request, keys = run.request, self._keys
        starts: tuple[Method, ...] = ("dm",) if "tlm" in request.methods and request.tlm.init == "dm" else ()
        fitted = {*request.methods, *starts}
        stitched = {cell_key(request, m, i, j) for m in request.methods for i, j in request.cells}
        keys[RUNS].add(run.id)
        keys[summary.ROOM].add(run.id)
        keys["cells"] |= {functional_key(request, m, i, j) for m in request.methods for i, j in request.cells}
        keys["cells"] |= {result_key(request, n, i, j) for n in request.results for i, j in request.cells}
        keys["maps"] |= {map_key(request, m, i, j) for m in fitted for i, j in request.cells}
        keys[trajectory.ROOM] |= {map_key(request, "tlm", i, j) for i, j in request.cells if "tlm" in fitted}
        keys["ood"] |= stitched | {native_key(request, j) for j in request.end_layers}
        keys[samples.ROOM] |= {samples.key(request, i, j) for i, j in request.cells}
        keys[halves.ROOM] |= {found.key(name) for found in [halves.Halves(run)] for name in found.names}
        with contextlib.suppress(StitchLabError):  # rows that are no columns have no ranks
            keys[ranks.ROOM] |= ranks.Ranks(run).keys
        keys["accuracies"] |= {accuracy_key(request, network) for network in (request.front, request.end)}
        for name in LEARNING:
            of = [learned(request, j, name, Detection().training_outliers) for j in request.end_layers]
            self._learned |= set(map(_whose, of))
            keys["detectors"] |= set(map(content_id, of))  # of which the store said nothing at first


def delete_run(store: Store, name: str) -> Run:
    """Remove a run and what no other run refers to; return the run. Raises UnknownName.

    Work on it that has not ended is told to stop.
    """
    gone = Run.load(name, store)
    mine = References([gone])
    working = _attempts(store, lambda job: mine.has(store, "jobs", job))
    for attempt in working:
        store.put("cancel", attempt, {})
    for file in _theirs_alone(store, [gone], mine):
        if file.path.parent.name != "cancel" or file.key not in working:
            file.path.unlink(missing_ok=True)
    return gone


def freed(store: Store, runs: Sequence[Run]) -> Amount:
    """Return how much `delete_run` of each of these would remove, all rooms together; nothing is removed."""
    files = list(_theirs_alone(store, runs, References(runs)))
    return Amount("", len(files), sum(file.bytes for file in files))


def _theirs_alone(store: Store, runs: Sequence[Run], theirs: References) -> Iterator[_File]:
    """Yield the files that these runs refer to and no other does, room by room."""
    ids = {run.id for run in runs}
    others = References(
        other for other in list_runs(store) if other.id not in ids and any(_may_share(run, other) for run in runs)
    )
    for room in theirs.rooms:
        yield from [
            file
            for file in _files(store, room)
            if theirs.has(store, room, file.key) and not others.has(store, room, file.key)
        ]  # some rooms say in one file what another is


def _may_share(one: Run, other: Run) -> bool:
    """Tell whether two runs may refer to the same file: keys of results contain a network, the data and the seed."""
    a, b = one.request, other.request
    return (a.data, a.seed) == (b.data, b.seed) and not {a.front, a.end}.isdisjoint((b.front, b.end))


def clean(store: Store, young: float = YOUNG) -> list[Amount]:
    """Remove what nothing refers to, except files changed within ``young`` seconds; return what was freed, by room.

    Raises StitchLabError for a record of a run, a network or data that is damaged or cannot be read: what that refers
    to is not known.
    """
    now, freed = time.time(), []
    for room, stays in _stays(store, now - young).items():
        gone = [file for file in _files(store, room) if file.changed < now - young and not stays(file)]
        for file in gone:
            file.path.unlink(missing_ok=True)
        if gone:
            freed.append(Amount(room, len(gone), sum(file.bytes for file in gone)))
    return freed


def sizes(store: Store) -> list[Amount]:
    """Count files and bytes of every room, with what lies deeper in it."""
    rooms = sorted(path for path in store.root.glob("*") if path.is_dir())
    found = [(room.name, [path.stat().st_size for path in room.rglob("*") if path.is_file()]) for room in rooms]
    return [Amount(name, len(each), sum(each)) for name, each in found]


def _stays(store: Store, since: float) -> dict[str, _Stays]:
    """Return, by room, a test whether a file is referred to. Rooms without one are left alone."""
    readers: dict[str, Callable[[dict[str, Any]], Any]] = {
        RUNS: partial(Run, store),
        networks.ROOM: Network.from_record,
        data_sets.ROOM: DataRecord.from_record,
    }
    for room, reads in readers.items():
        for key in store.keys(room):
            if (record := store.get(room, key)) is not None:
                reads(record)  # raises where it cannot be read
    runs, there = References(list_runs(store)), networks.list_networks(store)
    pixels = {record.folder["sha256"] for record in data_sets.known(store) if record.folder}
    ids = {network.id for network in there}
    ends = {network[:12] for network in ids}
    attempts = _attempts(store, lambda job: True) if _moving(store, since) else {}

    def of_runs(room: str) -> _Stays:
        return lambda file: runs.has(store, room, file.key)

    return {
        **{room: of_runs(room) for room in runs.rooms if room not in (RUNS, *JOBS)},
        **dict.fromkeys(
            (RUNS, data_sets.ROOM, shelf.ROOM),  # all but half a file
            lambda file: not file.key.startswith("."),
        ),
        networks.ROOM: _among(ids),
        networks.PROBED: lambda file: file.key.partition("-")[0] in ids,
        answers.SUITES: lambda file: not file.key.startswith("."),  # was asked for, as runs were
        answers.ROOM: lambda file: store.has(answers.SUITES, file.key.partition("-")[0]),
        networks.MEASURED: _among(networks.measured_key(network) for network in there),
        cut_points.ROOM: _among(cut_points.key(network.id) for network in there),
        "timings": lambda file: file.key[-12:] in ends,
        "images": _among(pixels),
        "listings": lambda file: (store.intact("listings", file.key) or {}).get("sha256") in pixels,
        "jobs": _among(attempts.values()),
        "progress": lambda file: _attempt(file.key) in attempts,
        "cancel": _among(attempts),
        claims.ROOM: lambda file: claims.stands(file.path),
        uploads.ROOM: lambda file: time.time() - file.changed < uploads.OLD,
    }


def _among(keys: Iterable[str]) -> _Stays:
    known = set(keys)
    return lambda file: file.key in known


def _attempt(progress: str) -> str:
    """Return the attempt at a job that an entry of the room ``progress`` is about, ``{job}-{8 digits}``."""
    return re.sub(r"(-[0-9a-f]{8})\.[^-]*$", r"\1", progress)


def _attempts(store: Store, wanted: Callable[[str], bool]) -> dict[str, str]:
    """Find attempts at jobs that have not ended (some of their tasks are not over), with the names of the jobs."""
    found = {}
    for job in filter(wanted, store.keys("jobs")):
        record = store.intact("jobs", job)
        if record is not None:
            told = (store.intact("progress", f"{record['attempt']}.{k}") for k in range(len(record["labels"])))
            if not all(task is not None and task["state"] in ENDED for task in told):
                found[record["attempt"]] = job
    return found


def _moving(store: Store, since: float) -> bool:
    """Tell whether a job was queued or reported progress since then: others may be waiting behind it."""
    return any(file.changed >= since for room in ("jobs", "progress") for file in _files(store, room))


def _files(store: Store, room: str) -> Iterator[_File]:
    """List the files of a room with their keys; nothing refers to the key of a file that is being written."""
    try:
        entries = list(os.scandir(store.root / room))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        try:
            told = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if entry.is_file(follow_symlinks=False):
            stem, suffix = os.path.splitext(entry.name)
            yield _File(Path(entry.path), stem if suffix in SUFFIXES else entry.name, told.st_size, told.st_mtime)


def _whose(of: dict[str, Any]) -> str:
    """Return what a learned detector was trained for, whatever outliers it learned from."""
    return content_id([of[name] for name in ("end", "end_layer", "data", "seed", "input")])
