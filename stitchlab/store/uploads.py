"""Files that came through a browser, on their way to whoever reads them: room ``uploads`` of the store."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from stitchlab.errors import StitchLabError
from stitchlab.store import Store

ROOM = "uploads"
LIMIT_MB = 500  # megabytes; larger files come in on the command line
SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt")
OLD = 86_400.0  # seconds after which a file that nobody read goes


def keep(store: Store, name: str, content: memoryview) -> str:
    """Keep a file under a key of its own; only the end of its name is used.

    Raises StitchLabError where it is too large, empty, or not called as weights are.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise StitchLabError(f"weights are files that end in {', '.join(SUFFIXES)}; {name!r} came")
    if not 0 < content.nbytes <= LIMIT_MB * 2**20:
        raise StitchLabError(
            f"a file of 1 byte to {LIMIT_MB} MB was expected; {name} has {content.nbytes / 2**20:.0f} MB. Larger ones "
            "come in by `python -m stitchlab import`"
        )
    clean(store)
    key = f"{uuid.uuid4().hex}{suffix}"
    store.write(place(store, key), content)
    return key


def place(store: Store, key: str) -> Path:
    """Where it lies."""
    return store.path(ROOM, key, "")


def remove(store: Store, key: str) -> None:
    """It goes; no matter if it is gone."""
    place(store, key).unlink(missing_ok=True)


def clean(store: Store) -> None:
    """What nobody came to read goes."""
    for path in (store.root / ROOM).glob("*"):
        if time.time() - path.stat().st_mtime > OLD:
            path.unlink(missing_ok=True)
