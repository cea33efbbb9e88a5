"""Keep files that were uploaded in a browser until a worker reads them (room ``uploads`` of the store)."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from stitchlab.errors import StitchLabError
from stitchlab.store import Store

ROOM = "uploads"
LIMIT_MB = 500  # larger files are imported on the command line
SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt")
UPLOAD_TTL_S = 86_400.0  # after which a file that no worker has read is removed


def keep(store: Store, name: str, content: memoryview) -> str:
    """Keep an uploaded file of weights under a new key.

    Args:
        store: where to keep it.
        name: of the file; only its suffix is used.
        content: its bytes, at most `LIMIT_MB` megabytes.

    Returns:
        the key.

    Raises:
        StitchLabError: it is too large or empty, or its suffix is not one of `SUFFIXES`.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise StitchLabError(f"expected a file of weights that ends in {', '.join(SUFFIXES)}, got {name!r}")
    if not 0 < content.nbytes <= LIMIT_MB * 2**20:
        raise StitchLabError(
            f"expected a file of 1 byte to {LIMIT_MB} MB; {name} has {content.nbytes / 2**20:.0f} MB. Import larger "
            "ones with `python -m stitchlab import`"
        )
    clean(store)
    key = f"{uuid.uuid4().hex}{suffix}"
    store.write(place(store, key), content)
    return key


def place(store: Store, key: str) -> Path:
    """Return the path of an uploaded file."""
    return store.path(ROOM, key, "")


def remove(store: Store, key: str) -> None:
    """Remove an uploaded file; do nothing if it was removed already."""
    place(store, key).unlink(missing_ok=True)


def clean(store: Store) -> None:
    """Remove uploaded files that no worker has read within a day."""
    for path in (store.root / ROOM).glob("*"):
        if time.time() - path.stat().st_mtime > UPLOAD_TTL_S:
            path.unlink(missing_ok=True)
