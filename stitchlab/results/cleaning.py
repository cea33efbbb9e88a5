"""Delete runs, remove files that nothing refers to, and list the sizes of the store's rooms.

Results have keys of their content, and several runs may share them. So a file is removed only if no run, no network and
no data refers to it. Records of networks and data always stay, and so do opened files (`stitchlab.results.shelf`).
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
from stitchlab.results.detection import learned_detector_description
from stitchlab.results.keys import accuracy_key, cell_key, functional_key, map_key, native_key, result_key
from stitchlab.results.networks import Network
from stitchlab.results.run import Run, list_runs
from stitchlab.results.run_record import ROOM as RUNS
from stitchlab.store import Store, claims, uploads

MIN_AGE_S = 3600.0  # `clean` keeps files that changed within so many seconds: a process may still use them
JOBS = ("jobs", "progress", "cancel")  # rooms of `stitchlab.jobs`
ENDED = ("done", "failed", "cancelled")  # states of a task that has ended
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


_IsNeeded = Callable[[_File], bool]


class References:
    """Collect the entries that runs refer to: their results, those of detectors, learned detectors, and jobs."""

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
        """List the rooms whose entries runs may refer to."""
        return list(self._keys)

    def has(self, store: Store, room: str, key: str) -> bool:
        """Tell whether one of the runs refers to this entry.

        Args:
            store: where the entry is.
            room, key: the entry.
        """
        if room in JOBS:  # its key begins with the run's id
            return key.partition("-")[0] in self._keys[RUNS]
        if room in ("ood", trajectory.ROOM):  # its key begins with that of a cell, a map or an end layer's native side
            return key.partition("-")[0] in self._keys[room]
        if room == resume.ROOM:
            return not self._keys["maps"].isdisjoint(resume.lacking(store, key))
        if room == "detectors" and (record := store.intact("detectors", key)) is not None:
            return _learned_for(record) in self._learned
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
        half_samples = halves.Halves(run)
        keys[halves.ROOM] |= {half_samples.key(name) for name in half_samples.names}
        with contextlib.suppress(StitchLabError):  # a run whose front and end layers differ has no ranks
            keys[ranks.ROOM] |= ranks.Ranks(run).keys
        keys["accuracies"] |= {accuracy_key(request, network) for network in (request.front, request.end)}
        for name in LEARNING:
            descriptions = [
                learned_detector_description(request, j, name, Detection().training_outliers)
                for j in request.end_layers
            ]
            self._learned |= set(map(_learned_for, descriptions))
            keys["detectors"] |= set(map(content_id, descriptions))  # detectors of early versions have no description


def delete_run(store: Store, name: str) -> Run:
    """Remove a run and the files that no other run refers to; return the run. Raises UnknownName.

    Work on it that has not ended is cancelled.
    """
    run = Run.load(name, store)
    references = References([run])
    working = _attempts(store, lambda job: references.has(store, "jobs", job))
    for attempt in working:
        store.put("cancel", attempt, {})
    for file in _files_of_no_other_run(store, [run], references):
        if file.path.parent.name != "cancel" or file.key not in working:
            file.path.unlink(missing_ok=True)
    return run


def freed(store: Store, runs: Sequence[Run]) -> Amount:
    """Return how much `delete_run` of each of these runs would remove, all rooms together; nothing is removed."""
    files = list(_files_of_no_other_run(store, runs, References(runs)))
    return Amount("", len(files), sum(file.bytes for file in files))


def _files_of_no_other_run(store: Store, runs: Sequence[Run], references: References) -> Iterator[_File]:
    """Yield the files that these runs, with their references, refer to and no other run does, room by room."""
    ids = {run.id for run in runs}
    others = References(
        other for other in list_runs(store) if other.id not in ids and any(_may_share(run, other) for run in runs)
    )
    for room in references.rooms:
        # A list, made before any of these files is deleted: `has` may read one file of the room to decide on another.
        yield from [
            file
            for file in _files(store, room)
            if references.has(store, room, file.key) and not others.has(store, room, file.key)
        ]


def _may_share(first: Run, second: Run) -> bool:
    """Tell whether two runs may refer to the same file: keys of results contain a network, the data and the seed."""
    a, b = first.request, second.request
    return (a.data, a.seed) == (b.data, b.seed) and not {a.front, a.end}.isdisjoint((b.front, b.end))


def clean(store: Store, min_age_s: float = MIN_AGE_S) -> list[Amount]:
    """Remove files that nothing refers to and that are older than ``min_age_s`` seconds; return the amounts by room.

    Raises StitchLabError for a damaged or unreadable record of a run, a network or data: its references are not known.
    """
    now, amounts = time.time(), []
    for room, is_needed in _needed(store, now - min_age_s).items():
        removed = [file for file in _files(store, room) if file.changed < now - min_age_s and not is_needed(file)]
        for file in removed:
            file.path.unlink(missing_ok=True)
        if removed:
            amounts.append(Amount(room, len(removed), sum(file.bytes for file in removed)))
    return amounts


def sizes(store: Store) -> list[Amount]:
    """Count files and bytes of every room, with those of its subfolders."""
    rooms = sorted(path for path in store.root.glob("*") if path.is_dir())
    counts = [(room.name, [path.stat().st_size for path in room.rglob("*") if path.is_file()]) for room in rooms]
    return [Amount(name, len(bytes_of_files), sum(bytes_of_files)) for name, bytes_of_files in counts]


def _needed(store: Store, since: float) -> dict[str, _IsNeeded]:
    """Return, by room, a test whether anything refers to a file. Rooms without a test are not cleaned."""
    readers: dict[str, Callable[[dict[str, Any]], Any]] = {
        RUNS: partial(Run, store),
        networks.ROOM: Network.from_record,
        data_sets.ROOM: DataRecord.from_record,
    }
    for room, read in readers.items():
        for key in store.keys(room):
            if (record := store.get(room, key)) is not None:
                read(record)  # raises StitchLabError if it is unreadable
    runs, all_networks = References(list_runs(store)), networks.list_networks(store)
    pixels = {record.folder["sha256"] for record in data_sets.known(store) if record.folder}
    ids = {network.id for network in all_networks}
    short_ids = {network_id[:12] for network_id in ids}
    attempts = _attempts(store, lambda job: True) if _active(store, since) else {}

    def of_runs(room: str) -> _IsNeeded:
        return lambda file: runs.has(store, room, file.key)

    return {
        **{room: of_runs(room) for room in runs.rooms if room not in (RUNS, *JOBS)},
        **dict.fromkeys(
            (RUNS, data_sets.ROOM, shelf.ROOM),  # all files, except those that are only half written
            lambda file: not file.key.startswith("."),
        ),
        networks.ROOM: _among(ids),
        networks.PROBED: lambda file: file.key.partition("-")[0] in ids,
        answers.SUITES: lambda file: not file.key.startswith("."),
        answers.ROOM: lambda file: store.has(answers.SUITES, file.key.partition("-")[0]),
        networks.MEASURED: _among(networks.measured_key(network) for network in all_networks),
        cut_points.ROOM: _among(cut_points.key(network.id) for network in all_networks),
        "timings": lambda file: file.key[-12:] in short_ids,
        "images": _among(pixels),
        "listings": lambda file: (store.intact("listings", file.key) or {}).get("sha256") in pixels,
        "jobs": _among(attempts.values()),
        "progress": lambda file: _attempt(file.key) in attempts,
        "cancel": _among(attempts),
        claims.ROOM: lambda file: claims.stands(file.path),
        uploads.ROOM: lambda file: time.time() - file.changed < uploads.UPLOAD_TTL_S,
    }


def _among(keys: Iterable[str]) -> _IsNeeded:
    needed = set(keys)
    return lambda file: file.key in needed


def _attempt(progress: str) -> str:
    """Return the attempt at a job, ``{job}-{8 digits}``, with which a key of the room ``progress`` begins."""
    return re.sub(r"(-[0-9a-f]{8})\.[^-]*$", r"\1", progress)


def _attempts(store: Store, wanted: Callable[[str], bool]) -> dict[str, str]:
    """Find attempts at jobs some of whose tasks have not ended; return the jobs' names by attempt."""
    attempts = {}
    for job in filter(wanted, store.keys("jobs")):
        record = store.intact("jobs", job)
        if record is not None:
            tasks = (store.intact("progress", f"{record['attempt']}.{k}") for k in range(len(record["labels"])))
            if not all(task is not None and task["state"] in ENDED for task in tasks):
                attempts[record["attempt"]] = job
    return attempts


def _active(store: Store, since: float) -> bool:
    """Tell whether a job was queued or reported progress since then: others may wait for it."""
    return any(file.changed >= since for room in ("jobs", "progress") for file in _files(store, room))


def _files(store: Store, room: str) -> Iterator[_File]:
    """Yield the files of a room with their keys; nothing refers to the key of a file that is being written."""
    try:
        entries = list(os.scandir(store.root / room))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if entry.is_file(follow_symlinks=False):
            stem, suffix = os.path.splitext(entry.name)
            yield _File(Path(entry.path), stem if suffix in SUFFIXES else entry.name, status.st_size, status.st_mtime)


def _learned_for(description: dict[str, Any]) -> str:
    """Return a hash of what a learned detector was trained for, except for the outliers it learned from."""
    return content_id([description[name] for name in ("end", "end_layer", "data", "seed", "input")])
