"""Claim results before computing them, so that no two processes or threads compute the same ones at once.

Whoever claims keys locks one file, ``claims/TOKEN.lock``, however many keys there are, and lists them beside it in
``claims/TOKEN.json``. The operating system frees the lock when the process ends, however it ends. So a claim needs no
signs of life, nobody takes over that of a process that lives, and a killed one's is free at once. Who claims does it
one after the other (``claims/turn.lock``, held for moments), so no two get the same key.

On a network file system this holds as far as its locks do. NFS 4, and NFS 3 with its lock service, pass locks between
machines; a machine that vanishes keeps its own until the server's lease ends, a minute or two. Where locks hold within
a machine only (NFS mounted with ``nolock`` or ``local_lock``, Lustre with ``localflock``), two machines may compute the
same cell. That costs time and nothing else: results are renamed into place whole, under keys of what they are. Where a
file system has no locks at all, filelock makes files instead, which outlive a killed process: remove ``claims/`` then.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from stitchlab.store import Store, unwritable

ROOM = "claims"
_TURN = "turn.lock"
_LOOK = 0.01  # seconds between looks whether a lock is free


@contextlib.contextmanager
def claimed(store: Store, keys: Iterable[str]) -> Iterator[set[str]]:
    """Claim those keys that nobody else has claimed, and release them when the context ends.

    Raises StitchLabError where the store cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with claimed(Store(root), "ab") as mine, claimed(Store(root), "bc") as theirs:
    ...         print(sorted(mine), sorted(theirs))
    ['a', 'b'] ['c']
    """
    with contextlib.ExitStack() as held:
        yield _claim(store, set(keys), held)


def stands(path: Path) -> bool:
    """Tell whether a claim's file must stay: its owner is alive, or it is the lock by which all take turns."""
    return path.name == _TURN or (path.suffix in (".json", ".lock") and _lives(path.with_suffix(".json")))


def _claim(store: Store, keys: set[str], held: contextlib.ExitStack) -> set[str]:
    """Claim the keys that are free; ``held`` releases them: first the list is removed, then the lock."""
    mine = store.path(ROOM, uuid.uuid4().hex, ".json")
    try:
        mine.parent.mkdir(parents=True, exist_ok=True)
        with _lock(mine.parent / _TURN):
            free = keys.difference(*(_listed(other) for other in mine.parent.glob("*.json") if _lives(other)))
            held.callback(mine.with_suffix(".lock").unlink, missing_ok=True)
            held.enter_context(_lock(mine.with_suffix(".lock")))
            held.callback(mine.unlink, missing_ok=True)
            store.write(mine, json.dumps(sorted(free)).encode())
    except OSError as error:
        raise unwritable(mine.parent, error) from error
    return free


def _lives(claim: Path) -> bool:
    """Tell whether a claim's owner is alive; remove the claim's files if not."""
    try:
        with _lock(claim.with_suffix(".lock"), timeout=0):
            claim.unlink(missing_ok=True)
    except Timeout:
        return True
    claim.with_suffix(".lock").unlink(missing_ok=True)
    return False


def _listed(claim: Path) -> list[str]:
    try:
        keys: list[str] = json.loads(claim.read_bytes())
    except FileNotFoundError:  # given back just now
        return []
    return keys


def _lock(path: Path, timeout: float = -1) -> contextlib.AbstractContextManager[object]:
    """Lock a file until the context ends. Raises Timeout."""
    return FileLock(path, thread_local=False).acquire(timeout=timeout, poll_interval=_LOOK)
