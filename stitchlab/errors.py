"""The one family of errors a user can meet. Every message says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StitchLabError(Exception):
    """Base of everything StitchLab raises for a user to read; its text is one plain line."""


class UnknownName(StitchLabError):
    """A network, layer, data set, architecture, ... that is not there; names the nearest ones.

    Args:
        kind: what was looked for, as it should read in the message ("network", "layer", ...).
        name: what came.
        known: the names that exist.
        hint: what to do when none of them is meant.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(set(known))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            there = f"nearest: {', '.join(near)}"
        elif names:
            there = f"there are: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
        else:
            there = "there are none yet"
        super().__init__(f"no {kind} is called {name!r}; {there}{'. ' + hint if hint else ''}")


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UnknownName for the first of these names that is not known."""
    known = list(known)
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, known)


class Damaged(StitchLabError):
    """A file of the store does not match its checksum."""


class Cancelled(StitchLabError):
    """Raised by a progress callback to stop the work; what is finished by then is kept."""
