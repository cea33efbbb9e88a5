"""Writes an exported file where somebody wants it: whole or not at all, and only over plain files."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stitchlab.errors import StitchLabError
from stitchlab.export.formats import file_name, known, make
from stitchlab.export.options import Options
from stitchlab.results.run import Run


def write(run: Run, path: str | os.PathLike[str], options: Options | None = None) -> Path:
    """Write a run as the kind of file that the path's suffix names, and return the path.

    Args:
        run: what is written.
        path: of the file; ``~`` is the home folder.
        options: what a figure shows, and how; None: the usual.

    Raises UnknownName for an unknown suffix, and for what the run does not have; StitchLabError where the path is a
    folder, a link or a device, where its folder does not exist, and where it cannot be written.
    """
    place = Path(path).expanduser()
    with contextlib.suppress(OSError, ValueError):
        if place.is_dir():
            raise StitchLabError(
                f"expected a file name such as {file_name(run, 'pdf', options)}, got the folder {place}"
            )
    suffix = known(place.suffix.removeprefix(".").lower()).suffix
    return write_whole(place, lambda: make(run, suffix, options))


def write_whole(place: Path, make: Callable[[], bytes]) -> Path:
    """Make a file and write it, whole or not at all; return its path. It is made only where it may be written.

    Raises StitchLabError where the path is a folder, a link or a device, where its folder does not exist, and where it
    cannot be written.
    """
    try:
        _check(place)
        data = make()
        beside = place.with_name(f".stitchlab-{uuid.uuid4().hex}")
        try:
            beside.write_bytes(data)
            beside.replace(place)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StitchLabError(
            f"could not write {str(place)[:200]!r} ({why}); nothing was half-written. Choose another place"
        ) from error
    return place


def export(run: Run, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a run as a file, ``run.export("grid.pdf", show="accuracy", size="one-column")``, and return its path.

    Args:
        run: what is written.
        path: of the file; its suffix is a key of `stitchlab.export.formats.FORMATS`.
        options: of `stitchlab.export.options.Options`.

    Raises as `write`.
    """
    return write(run, path, Options.of(**options))


def _check(place: Path) -> None:
    """Check that a file may be written. Raises StitchLabError where not; OSError where that cannot be found out."""
    if not place.parent.is_dir():
        raise StitchLabError(f"there is no folder {place.parent}; make it first, or choose another")
    try:
        kind = place.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind):
        raise StitchLabError(f"{place} is a link, a pipe or a device, which is not overwritten; choose another name")
