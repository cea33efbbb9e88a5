"""Writing an exported file where somebody wants it: whole or not at all, and never over what is no plain file."""

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
    """Write the file of a run that this path's suffix names, and give the path.

    Raises UnknownName for a suffix that there is not, and for what the run has not; StitchLabError where the path is a
    folder, a link or a device, where its folder is not there, and where it cannot be written.
    """
    place = Path(path).expanduser()
    with contextlib.suppress(OSError, ValueError):
        if place.is_dir():
            raise StitchLabError(f"{place} is a folder; the name of a file was expected, such as "
                                 f"{file_name(run, 'pdf', options)}")
    suffix = known(place.suffix.removeprefix(".").lower()).suffix
    return write_whole(place, lambda: make(run, suffix, options))


def write_whole(place: Path, make: Callable[[], bytes]) -> Path:
    """Make a file and write it at a place, whole or not at all, and give the place; it is made only where it may be.

    Raises StitchLabError where the place is a folder, a link or a device, where its folder is not there, and where it
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
        raise StitchLabError(f"could not write {str(place)[:200]!r} ({why}); nothing was half-written. Choose another "
                             "place") from error
    return place


def export(run: Run, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a run as a file: ``run.export("grid.pdf", show="accuracy", size="one-column")``, and give its path.

    Args:
        run: what is written.
        path: of the file; its suffix says what it is, `stitchlab.export.formats.FORMATS` which there are.
        options: of `stitchlab.export.options.Options`.

    Raises as `write`.
    """
    return write(run, path, Options.of(**options))


def _check(place: Path) -> None:
    """Raises StitchLabError where a file should not be written; OSError where nobody can tell."""
    if not place.parent.is_dir():
        raise StitchLabError(f"there is no folder {place.parent}; make it first, or choose another")
    try:
        kind = place.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind):
        raise StitchLabError(f"{place} is no plain file but a link, a pipe or a device, which is left alone; choose "
                             "another name")
