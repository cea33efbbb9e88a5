"""List runs that were not computed here: opened .stitch files, and the gallery that comes with StitchLab.

An opened file lies in the room ``opened`` of the store as it came, under the SHA-256 of its bytes, with its name
beside it. Nothing else in the store knows of it: what is computed never looks here, and where the same run was asked
for here too, that one is found first.
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
from stitchlab.results.bundle.layout import MB, MOST_BYTES, SUFFIX
from stitchlab.results.checks.answers import SUITES, Answers, answers_of, suites
from stitchlab.results.run import Run
from stitchlab.results.run_record import ROOM as RUNS
from stitchlab.store import Store, places

ROOM = "opened"
KEPT = 64  # opened files that stay in memory
ROUNDING = 1e-4  # relative difference that another machine may make

_Stamp = tuple[str, int, int]  # path, time of change, size
_read: dict[_Stamp, Run | None] = {}
_lock = threading.Lock()


class Difference(NamedTuple):
    """Describe a number of one run that differs here and in a file; None where it is undefined."""

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
    found = []
    for key in store.keys(ROOM):
        told = store.intact(ROOM, key)
        if told is not None and (run := _run(_path(store, key), told["file"])) is not None:
            found.append((float(told["opened"]), run))
    return [run for _, run in sorted(found, key=lambda each: each[0], reverse=True)]


def open_file(store: Store, data: bytes, name: str) -> Run:
    """Check somebody's .stitch file and keep it in the store, unless it is there already.

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
    """Read a file that is to be opened. Raises StitchLabError if that is not possible, or it is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StitchLabError(
                f"{path.name} has {path.stat().st_size / MB:.0f} MB; a .stitch file has at most {MOST_BYTES // MB}"
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
    """Find a run by its id or its beginning (6 digits or more): computed here, then opened, then of the gallery.

    Raises UnknownName; Damaged where the record of one's own is.
    """
    with contextlib.suppress(UnknownName):
        return Run.load(name, store)
    others = {run.id: run for run in reversed([*opened(store), *gallery()])}
    found = [key for key in others if key == name] or [k for k in others if len(name) >= 6 and k.startswith(name)]
    if len(found) == 1:
        return others[found[0]]
    raise UnknownName("run", name, {*store.keys(RUNS), *others}, "`runs` lists them all; `compare` makes one")


def others(store: Store) -> list[Run]:
    """List opened runs, then the gallery's, each once, without those that are here anyway."""
    seen, found = set(store.keys(RUNS)), []
    for run in (*opened(store), *gallery()):
        if run.id not in seen:
            found.append(run)
            seen.add(run.id)
    return found


def tables(store: Store) -> list[Answers]:
    """List the tables of checks of opened runs, then of the gallery's, each suite once, without those of this store."""
    seen, made = set(store.keys(SUITES)), []
    for run in (*opened(store), *gallery()):
        for record in suites(run.store):
            if record["id"] not in seen and (answers := answers_of(run.store, record)) is not None:
                made.append(answers)
                seen.add(record["id"])
    return made


def same(store: Store, run: Run) -> list[Run]:
    """List the opened runs and those of the gallery that are the same run as this one."""
    return [other for other in (*opened(store), *gallery()) if other.id == run.id]


def differences(own: Run, other: Run) -> list[Difference]:
    """List the numbers that differ between a run and the same run in a file, beyond rounding on another machine.

    What one of them has not computed is none.
    """
    both, functional = own.cells.keys() & other.cells.keys(), own.functional.keys() & other.functional.keys()
    rows = zip(own.rows(), other.rows(), strict=True)
    return [
        Difference(*mine[:4], mine.value, theirs.value)
        for mine, theirs in rows
        if (mine.method, mine.front_layer, mine.end_layer) in (functional if mine.metric in FUNCTIONAL else both)
        and not _equal(mine.value, theirs.value)
    ]


def compared(own: Run, other: Run) -> str:
    """Say in a few words whether a file's numbers differ from those computed here, and name the first difference."""
    found = differences(own, other)
    if not found:
        return "those of the file are the same"
    one = found[0]
    return (
        f"{len(found)} of the file differ, such as {one.method} {one.metric} of {one.front_layer} → "
        f"{one.end_layer}: {_said(one.here)} here, {_said(one.there)} there"
    )


def _said(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _equal(here: float | None, there: float | None) -> bool:
    if here is None or there is None:
        return here is there
    return math.isclose(here, there, rel_tol=ROUNDING, abs_tol=1e-6)


def _path(store: Store, key: str) -> Path:
    return store.path(ROOM, key, SUFFIX)


def _run(path: Path, name: str, *, gallery: bool = False) -> Run | None:
    """Read the run of a file, once as long as the file stays the same; return None and log if it is damaged."""
    try:
        told = path.stat()
        stamp = (str(path), told.st_mtime_ns, told.st_size)
        with _lock:
            if stamp in _read:
                return _read[stamp]
        made: Run | None = unpack(read_file(path), name, gallery=gallery)
    except (StitchLabError, OSError) as error:
        logging.getLogger(__name__).warning("%s is left out: %s", path, error)
        if isinstance(error, OSError):
            return None
        made = None
    with _lock:
        while len(_read) >= KEPT:
            _read.pop(next(iter(_read)))
        _read[stamp] = made
    return made
