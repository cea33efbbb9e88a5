"""Check the JSON of a file: its depth and size are limited, and its values have the expected types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stitchlab.results.bundle.layout import MAX_TEXT

MAX_DEPTH = 12  # levels of a JSON text
MAX_VALUES = 1_000_000  # values of a JSON text
MAX_NUMBER = 1e300  # the largest absolute value of a number
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]|\][(:\[]")  # control characters; Markdown's links


class Wrong(Exception):
    """Report what is wrong with a file, in words that follow the file's name."""


def need(holds: bool, why: str) -> None:
    """Raise Wrong with this reason unless a condition holds."""
    if not holds:
        raise Wrong(why)


def plain(text: str) -> bool:
    """Tell whether a text is free of control characters and Markdown links, since pages show it.

    >>> plain("a story, [1] in two lines\\n(or more)"), plain("![x](http://example.org/x.png)")
    (True, False)
    """
    return _FORBIDDEN.search(text) is None


def parsed(name: str, data: bytes) -> Any:
    """Read a JSON entry: all numbers must be finite, all texts short and plain. Raises Wrong."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{name} is not readable JSON") from error
    values_left, level = MAX_VALUES, [value]
    for _ in range(MAX_DEPTH):
        values_left -= len(level)
        need(values_left >= 0, f"{name} has too many values")
        for text in {each for each in level if isinstance(each, str)}:  # a set, since names of fields occur often
            need(len(text) <= MAX_TEXT and plain(text), f"{name} has a text that is too long or not plain")
        finite = all(abs(each) < MAX_NUMBER for each in level if isinstance(each, (int, float)))  # false for NaN
        need(finite, f"{name} has a number that is not finite")
        inner = [each for each in level if isinstance(each, (dict, list))]
        level = [part for each in inner for part in each]
        level += [part for each in inner if isinstance(each, dict) for part in each.values()]
        if not level:
            return value
    raise Wrong(f"{name} is nested too deeply")


def fits(what: str, value: Any, kind: Any) -> None:
    """Check that a parsed JSON value is of a kind. Raises Wrong.

    Args:
        what: the name of the value, for the message.
        value: the parsed value.
        kind: a type (float also accepts whole numbers, and bool is no number); None; a tuple of alternatives; a list of
            one kind for lists; a dict of fields for objects (``?name`` may be missing, and unknown fields are allowed);
            a dict whose one key is ``str`` for objects with any names.
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
        fitting = isinstance(value, (int, float) if kind is float else kind)
        need(fitting and (kind is bool or not isinstance(value, bool)), f"{what} is not as expected")
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


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name appears twice")
    return fields


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it contains {name}")
