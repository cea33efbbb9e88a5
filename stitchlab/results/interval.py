"""A number with its bootstrap interval, as detectors give it and as the store keeps it."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """A number with its 95 % bootstrap interval; None where it is undefined, or there are too few images for one."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
