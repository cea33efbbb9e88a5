"""Small things that tests use everywhere: a value that must be there, an interval's three numbers, calls noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from stitchlab.results.interval import Interval

T = TypeVar("T")


def sure(value: T | None) -> T:
    """The value, which is not None."""
    assert value is not None
    return value


def bounds(found: Interval) -> tuple[float, float, float]:
    """Where an interval begins, its value, and where it ends: all three are there."""
    return sure(found.low), sure(found.value), sure(found.high)


def width(found: Interval) -> float:
    low, _, high = bounds(found)
    return high - low


def noting(note: Callable[..., object], function: Callable[..., T]) -> Callable[..., T]:
    """The function, which tells ``note`` first what it is given."""

    def noted(*given: Any, **named: Any) -> T:
        note(*given, **named)
        return function(*given, **named)

    return noted
