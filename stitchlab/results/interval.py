"""Represent a number with its bootstrap interval, as detectors compute it and the store keeps it."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """Hold a number with its 95 % bootstrap interval; the interval is None if there are too few images for one."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    def contains(self, number: float) -> bool:
        """Tell whether a number lies in the interval; always true without an interval, since nothing contradicts it.

        >>> exact, wide, bare = Interval(0.0, 0.0, 0.0), Interval(0.6, 0.4, 0.7), Interval(0.6)
        >>> exact.contains(0.5), wide.contains(0.5), bare.contains(0.5)
        (False, True, True)
        """
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)
