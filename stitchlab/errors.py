"""Define the errors that users can meet. Every message says what was expected, what came instead and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StitchLabError(Exception):
    """Report a problem to the user in one plain line; the base of all errors that StitchLab raises on purpose."""


class UnknownName(StitchLabError):
    """Report a name that does not exist (of a network, layer, data set, …) and suggest the nearest ones.

    Args:
        kind: what the name should be of, as it reads in the message ("network", "layer", …).
        name: the name that does not exist.
        known: the names that exist.
        hint: what the user can do if none of them is meant.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(set(known))
        nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if nearest:
            suggestion = f"nearest: {', '.join(nearest)}"
        elif names:
            suggestion = f"there are: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
        else:
            suggestion = "there are none yet"
        super().__init__(f"no {kind} is called {name!r}; {suggestion}{'. ' + hint if hint else ''}")


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Check that every name is known.

    Args:
        kind: what the names are of, as it reads in the message ("layer", "method", …).
        names: the names to check.
        known: the names that exist.

    Raises:
        UnknownName: for the first name that is not among them.
    """
    known_names = list(known)
    for name in names:
        if name not in known_names:
            raise UnknownName(kind, name, known_names)


class Damaged(StitchLabError):
    """Report a file of the store that does not match its checksum."""


class Cancelled(StitchLabError):
    """Stop the work: progress callbacks raise this. What is finished by then is kept."""


def one_line(error: BaseException) -> str:
    """Write an error as one line, with its type unless it is StitchLab's own."""
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, StitchLabError) else f"{type(error).__name__}: {line}"
