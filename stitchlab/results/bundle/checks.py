"""Check what somebody's file says: JSON of limited depth and size, whose values are of the expected types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stitchlab.results.bundle.layout import TEXT

DEPTH, VALUES = 12, 1_000_000  # of a JSON text: how deep, and how many values
LARGEST = 1e300  # number
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]|\][(:\[]")  # control characters; Markdown's links


class Wrong(Exception):
    """Report that something in a file is not as it should be; the text follows the file's name."""


def need(holds: bool, why: str) -> None:
    """Raise Wrong with this reason unless a condition holds."""
    if not holds:
        raise Wrong(why)


def plain(text: str) -> bool:
    """Tell whether a text is free of control characters and Markdown links, since pages show it.

    >>> plain("a story, [1] in two lines\\n(or more)"), plain("![x](http://example.org/x.png)")
    (True, False)
    """
    return _NO_TEXT.search(text) is None


def parsed(name: str, data: bytes) -> Any:
    """Read a JSON entry: all numbers must be finite, all texts short and plain. Raises Wrong."""
    try:
        made = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{name} is not readable JSON") from error
    left, level = VALUES, [made]
    for _ in range(DEPTH):
        left -= len(level)
        need(left >= 0, f"{name} has too many values")
        for text in {each for each in level if isinstance(each, str)}:  # names of fields stand there many times
            need(len(text) <= TEXT and plain(text), f"{name} has a text that is too long or not plain")
        right = all(abs(each) < LARGEST for each in level if isinstance(each, (int, float)))  # NaN is not
        need(right, f"{name} has a number that is not finite")
        inner = [each for each in level if isinstance(each, (dict, list))]
        level = [value for each in inner for value in each]
        level += [value for each in inner if isinstance(each, dict) for value in each.values()]
        if not level:
            return made
    raise Wrong(f"{name} is nested too deeply")


def fits(what: str, value: Any, kind: Any) -> None:
    """Check that a parsed JSON value is of a kind. Raises Wrong.

    Args:
        what: the value, for the message.
        value: that was parsed.
        kind: a type (float takes whole numbers too, and bool is none of them); None; a tuple of alternatives; a list of
            one kind for lists; a dict of fields (``?name`` may be missing, others may be there); a dict whose one key
            is ``str`` for objects of any names.
    """
    if isinstance(kind, tuple):
        for each in kind:
            try:
                return fits(what, value, each)
            except Wrong:
                continue
        raise Wrong(f"{what} is not as expected")
    if isinstance(kind, list):
        need(isinstance(value, list), f"{what} is not a list")
        for each in value:
            fits(what, each, kind[0])
    elif isinstance(kind, dict):
        _fields(what, value, kind)
    elif kind is None:
        need(value is None, f"{what} is not empty")
    else:
        right = isinstance(value, (int, float) if kind is float else kind)
        need(right and (kind is bool or not isinstance(value, bool)), f"{what} is not as expected")
    return None


def _fields(what: str, value: Any, kind: Mapping[Any, Any]) -> None:
    need(isinstance(value, dict), f"{what} is not an object")
    if str in kind:
        for name, each in value.items():
            fits(f"{what}: {name[:60]}", each, kind[str])
        return
    for name, inner in kind.items():
        if (plain := name.removeprefix("?")) in value:
            fits(f"{what}: {plain}", value[plain], inner)
        else:
            need(name.startswith("?"), f"{what} has no {name}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name appears twice")
    return made


def _no_number(name: str) -> Any:
    raise ValueError(f"it contains {name}")
