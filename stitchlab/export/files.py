"""Writes exported files to a path of the user's: completely or not at all, and only over plain files."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stitchlab.errors import StitchLabError
from stitchlab.export.formats import file_name, format_of, make
from stitchlab.export.options import Options
from stitchlab.results.run import Run


def write(run: Run, path: str | os.PathLike[str], options: Options | None = None) -> Path:
    """Write a run as the kind of file that the suffix of the path stands for, and return the path.

    Args:
        run: the run to export.
        path: of the file; ``~`` is the home folder.
        options: what a figure shows, and how; None: the defaults.

    Raises UnknownName for an unknown suffix, and if the run lacks something that is shown; StitchLabError if the path
    is a folder, a link or a device, if its folder does not exist, or if it cannot be written.
    """
    target = Path(path).expanduser()
    with contextlib.suppress(OSError, ValueError):
        if target.is_dir():
            raise StitchLabError(
                f"expected a file name such as {file_name(run, 'pdf', options)}, got the folder {target}"
            )
    suffix = format_of(target.suffix.removeprefix(".").lower()).suffix
    return write_whole(target, lambda: make(run, suffix, options))


def write_whole(path: Path, make: Callable[[], bytes]) -> Path:
    """Call ``make`` and write what it returns, completely or not at all; return the path.

    Nothing is made if the path cannot be written to. Raises StitchLabError if the path is a folder, a link or a device,
    if its folder does not exist, or if it cannot be written.
    """
    try:
        _check(path)
        data = make()
        temporary = path.with_name(f".stitchlab-{uuid.uuid4().hex}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StitchLabError(
            f"could not write {str(path)[:200]!r} ({why}); nothing was half-written. Choose another path"
        ) from error
    return path


def export(run: Run, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a run as a file, ``run.export("grid.pdf", show="accuracy", size="one-column")``, and return its path.

    Args:
        run: the run to export.
        path: of the file; its suffix is a key of `stitchlab.export.formats.FORMATS`.
        options: of `stitchlab.export.options.Options`.

    Raises as `write`.
    """
    return write(run, path, Options.of(**options))


def _check(path: Path) -> None:
    """Raise StitchLabError if a file may not be written here; OSError if that cannot be found out."""
    if not path.parent.is_dir():
        raise StitchLabError(f"there is no folder {path.parent}; make it first, or choose another")
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(kind):
        raise StitchLabError(f"{path} is a link, a pipe or a device, which is not overwritten; choose another name")
