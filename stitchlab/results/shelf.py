"""List runs that were not computed here: opened .stitch files, and the gallery that comes with StitchLab.

The store keeps an opened file unchanged in the room ``opened``, under the SHA-256 of its bytes, with its name beside
it. Its results are never used in computations. Where the same run was also requested here, that run is found first.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import threading
import time
from pathlib import Path
from typing import NamedTuple

from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results.bundle import unpack
from stitchlab.results.bundle.layout import MAX_FILE_BYTES, MB, SUFFIX
from stitchlab.results.checks.answers import SUITES, Answers, answers_of, suites
from stitchlab.results.run import Run
from stitchlab.results.run_record import ROOM as RUNS
from stitchlab.store import Store, places

ROOM = "opened"
MAX_CACHED_FILES = 64  # opened files whose runs stay in memory
ROUNDING = 1e-4  # relative difference that counts as rounding on another machine

_Stamp = tuple[str, int, int]  # path, time of the last change, size
_read: dict[_Stamp, Run | None] = {}
_lock = threading.Lock()


class Difference(NamedTuple):
    """Describe a number that differs between a run here and the same run in a file (``there``); None if undefined."""

    front_layer: str
    end_layer: str
    method: str
    metric: str
    here: float | None
    there: float | None


def gallery() -> list[Run]:
    """Read the runs that come with StitchLab, or those in the folder that STITCHLAB_GALLERY names."""
    runs = (_run(path, path.name, gallery=True) for path in sorted(places.gallery().glob(f"*{SUFFIX}")))
    return [run for run in runs if run is not None]


def opened(store: Store) -> list[Run]:
    """Read the runs of files that were opened, newest first, except damaged ones."""
    runs = []
    for key in store.keys(ROOM):
        record = store.intact(ROOM, key)
        if record is not None and (run := _run(_path(store, key), record["file"])) is not None:
            runs.append((float(record["opened"]), run))
    return [run for _, run in sorted(runs, key=lambda each: each[0], reverse=True)]


def open_file(store: Store, data: bytes, name: str) -> Run:
    """Check a .stitch file and keep it in the store, unless the store has it already.

    Args:
        store: where to keep it.
        data: the bytes of the file.
        name: of the file.

    Returns:
        its run.

    Raises:
        StitchLabError: it is no .stitch file that can be opened; nothing of it is kept.
    """
    run = unpack(data, name)
    assert run.source is not None
    key = hashlib.sha256(data).hexdigest()
    if not _path(store, key).exists() or store.intact(ROOM, key) is None:
        store.write(_path(store, key), data)
        store.put(ROOM, key, {"file": run.source.file, "run": run.id, "opened": time.time()})
    return run


def read_file(path: Path) -> bytes:
    """Read the bytes of a file. Raises StitchLabError if it cannot be read or is too large for a .stitch file."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StitchLabError(
                f"{path.name} has {path.stat().st_size / MB:.0f} MB; a .stitch file has at most {MAX_FILE_BYTES // MB}"
            )
        return path.read_bytes()
    except OSError as error:
        raise StitchLabError(f"{path} could not be read ({error.strerror}); expected a .stitch file") from error


def close(store: Store, run: Run) -> None:
    """Remove the opened files of a run. Raises StitchLabError for a run of the gallery, or one computed here."""
    if run.source is None or run.source.gallery:
        raise StitchLabError(
            f"{run.id} was not opened from a file"
            + (": it comes with StitchLab" if run.source else ": delete it instead")
        )
    for key in store.keys(ROOM):
        if (store.intact(ROOM, key) or {}).get("run") == run.id:
            store.delete(ROOM, key)
            _path(store, key).unlink(missing_ok=True)


def find(store: Store, name: str) -> Run:
    """Find a run by its id or the beginning of it (6 digits or more).

    Runs computed here come first, then opened ones, then those of the gallery. Raises UnknownName; Damaged where the
    record of a run computed here is damaged.
    """
    with contextlib.suppress(UnknownName):
        return Run.load(name, store)
    by_id = {run.id: run for run in reversed([*opened(store), *gallery()])}
    matches = [key for key in by_id if key == name] or [k for k in by_id if len(name) >= 6 and k.startswith(name)]
    if len(matches) == 1:
        return by_id[matches[0]]
    raise UnknownName("run", name, {*store.keys(RUNS), *by_id}, "`runs` lists them all; `compare` makes one")


def others(store: Store) -> list[Run]:
    """List opened runs, then the gallery's, each once, without those that were also requested here."""
    seen, runs = set(store.keys(RUNS)), []
    for run in (*opened(store), *gallery()):
        if run.id not in seen:
            runs.append(run)
            seen.add(run.id)
    return runs


def tables(store: Store) -> list[Answers]:
    """List the tables of checks of opened runs, then of the gallery's, each suite once, without those of this store."""
    seen, all_answers = set(store.keys(SUITES)), []
    for run in (*opened(store), *gallery()):
        for record in suites(run.store):
            if record["id"] not in seen and (answers := answers_of(run.store, record)) is not None:
                all_answers.append(answers)
                seen.add(record["id"])
    return all_answers


def same(store: Store, run: Run) -> list[Run]:
    """List the opened runs and those of the gallery that have the same id as this run."""
    return [other for other in (*opened(store), *gallery()) if other.id == run.id]


def differences(own: Run, other: Run) -> list[Difference]:
    """List the numbers that differ between a run and the same run in a file, by more than rounding.

    Results that only one of the two runs has do not count as differences.
    """
    both, functional = own.cells.keys() & other.cells.keys(), own.functional.keys() & other.functional.keys()
    rows = zip(own.rows(), other.rows(), strict=True)
    return [
        Difference(*here[:4], here.value, there.value)
        for here, there in rows
        if (here.method, here.front_layer, here.end_layer) in (functional if here.metric in FUNCTIONAL else both)
        and not _equal(here.value, there.value)
    ]


def compared(own: Run, other: Run) -> str:
    """Say in a few words whether a file's numbers differ from those computed here, and name the first difference."""
    all_differences = differences(own, other)
    if not all_differences:
        return "those of the file are the same"
    first = all_differences[0]
    return (
        f"{len(all_differences)} of the file differ, such as {first.method} {first.metric} of {first.front_layer} → "
        f"{first.end_layer}: {_written(first.here)} here, {_written(first.there)} there"
    )


def _written(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _equal(here: float | None, there: float | None) -> bool:
    if here is None or there is None:
        return here is there
    return math.isclose(here, there, rel_tol=ROUNDING, abs_tol=1e-6)


def _path(store: Store, key: str) -> Path:
    return store.path(ROOM, key, SUFFIX)


def _run(path: Path, name: str, *, gallery: bool = False) -> Run | None:
    """Read the run of a file, from memory as long as the file is unchanged; return None and log if it is damaged."""
    try:
        status = path.stat()
        stamp = (str(path), status.st_mtime_ns, status.st_size)
        with _lock:
            if stamp in _read:
                return _read[stamp]
        run: Run | None = unpack(read_file(path), name, gallery=gallery)
    except (StitchLabError, OSError) as error:
        logging.getLogger(__name__).warning("%s is left out: %s", path, error)
        if isinstance(error, OSError):
            return None
        run = None
    with _lock:
        while len(_read) >= MAX_CACHED_FILES:
            _read.pop(next(iter(_read)))
        _read[stamp] = run
    return run
