"""Claim results before computing them, so that no two processes or threads compute the same ones at once.

A process that claims keys locks one file for all of them, ``claims/TOKEN.lock``, and lists the keys beside it in
``claims/TOKEN.json``. The operating system frees the lock when the process ends, however it ends. So the claim of a
killed process is free at once, and that of a running process stays, without any signs of life. Processes claim one
after the other: each holds ``claims/turn.lock`` for a moment, so that no two get the same key.

On a network file system, claims are as reliable as its locks. NFS 4, and NFS 3 with its lock service, share locks
between machines; the locks of a machine that is gone are freed when the server's lease ends, after a minute or two.
Where locks hold within one machine only (NFS mounted with ``nolock`` or ``local_lock``, Lustre with ``localflock``),
two machines may compute the same cell. That costs time and nothing else, since a result is renamed into place when it
is complete, under a key that says what it is. Where a file system has no locks at all, filelock makes files instead.
They outlive a killed process; remove ``claims/`` then.
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
_TURN_LOCK = "turn.lock"
_POLL_INTERVAL_S = 0.01  # between two tries to lock a file


@contextlib.contextmanager
def claimed(store: Store, keys: Iterable[str]) -> Iterator[set[str]]:
    """Claim those keys that are not claimed yet, and release them when the context ends.

    Raises StitchLabError if the store cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with claimed(Store(root), "ab") as first, claimed(Store(root), "bc") as second:
    ...         print(sorted(first), sorted(second))
    ['a', 'b'] ['c']
    """
    with contextlib.ExitStack() as releases:
        yield _claim(store, set(keys), releases)


def stands(path: Path) -> bool:
    """Tell whether a claim's file must stay: its owner is alive, or all processes take turns by it."""
    return path.name == _TURN_LOCK or (path.suffix in (".json", ".lock") and _lives(path.with_suffix(".json")))


def _claim(store: Store, keys: set[str], releases: contextlib.ExitStack) -> set[str]:
    """Claim the keys that are free, and add what releases them: first the list is removed, then the lock."""
    claim = store.path(ROOM, uuid.uuid4().hex, ".json")
    try:
        claim.parent.mkdir(parents=True, exist_ok=True)
        with _lock(claim.parent / _TURN_LOCK):
            free = keys.difference(*(_listed(other) for other in claim.parent.glob("*.json") if _lives(other)))
            releases.callback(claim.with_suffix(".lock").unlink, missing_ok=True)
            releases.enter_context(_lock(claim.with_suffix(".lock")))
            releases.callback(claim.unlink, missing_ok=True)
            store.write(claim, json.dumps(sorted(free)).encode())
    except OSError as error:
        raise unwritable(claim.parent, error) from error
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
    except FileNotFoundError:  # its owner has released it just now
        return []
    return keys


def _lock(path: Path, timeout: float = -1) -> contextlib.AbstractContextManager[object]:
    """Lock a file until the context ends. Raises Timeout."""
    return FileLock(path, thread_local=False).acquire(timeout=timeout, poll_interval=_POLL_INTERVAL_S)
