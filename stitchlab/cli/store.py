"""Check, clean and measure the store (command ``store``)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from stitchlab.cli import Command, table
from stitchlab.results.cleaning import Amount, clean, sizes
from stitchlab.store import Store
from stitchlab.store.checking import check

DAMAGED_STATUS = 1  # the exit status if a file is damaged


def add(command: Command) -> None:
    """Add the command to a parser."""
    parser = command("store", _store, "Check, clean or measure the store, in which all results are kept.")
    parser.add_argument(
        "what",
        choices=list(_ACTIONS),
        help="check: verify every file; clean: remove what nothing "
        "refers to any more and what did not change within the hour; size: list how large each part is",
    )


def _store(options: argparse.Namespace, store: Store) -> int:
    return _ACTIONS[options.what](store)


def _check(store: Store) -> int:
    files = damaged = 0
    for path, problem in check(store):
        files += 1
        if problem:
            damaged += 1
            print(f"{path.relative_to(store.root)}: {problem}")
    if not damaged:
        print(f"{files} files match their checksums")
    return DAMAGED_STATUS if damaged else 0


def _clean(store: Store) -> int:
    freed = clean(store)
    if freed:
        _table(freed)
    else:
        print("nothing to remove: a run, a network or data refers to every file, or it changed within the hour")
    return 0


def _size(store: Store) -> int:
    _table(sizes(store))
    return 0


def _table(rooms: Sequence[Amount]) -> None:
    total = Amount("all", sum(room.files for room in rooms), sum(room.bytes for room in rooms))
    table(("room", "files", "MB"), ((room.room, room.files, f"{room.bytes / 1e6:.1f}") for room in (*rooms, total)))


_ACTIONS = {"check": _check, "clean": _clean, "size": _size}
