"""Computes ranges of axes and colours, and the round numbers along them, for pages and for files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]


def ends(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest of those values that are finite; 0 and 0 where none is."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def with_room(values: Values, share: float) -> tuple[float, float]:
    """Return the ends of an axis, with room of that share around all values that are finite; 0 and 1 where none is.

    >>> with_room(np.array([0.0, 10.0]), 0.1), with_room(np.array([np.nan]), 0.1)
    ((-1.0, 11.0), (0.0, 1.0))
    """
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = ends(values)
    room = share * (high - low or 1.0)
    return low - room, high + room


def shared_range(values: list[Values], low: float, high: float | None) -> tuple[float, float]:
    """Return one colour range for all heatmaps of a quantity, wide enough for every number.

    Args:
        values: matrices of any shape; NaN is left out.
        low, high: ends of the quantity itself; ``high`` None: the largest value.
    """
    known = np.concatenate([np.ravel(v) for v in values])
    known = known[~np.isnan(known)]
    if not known.size:
        return low, high if high is not None else low + 1.0
    return min(low, float(known.min())), max(high if high is not None else 0.0, float(known.max()))


def log_ticks(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic scale: 1, 2 and 5 times powers of ten within the range; its ends where none is."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    named = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [tick for tick in named if low <= tick <= high] or [low, high]


def round_ticks(low: float, high: float, most: int = 5, *, percent: bool = False) -> Ticks:
    """Return round numbers within a range, with their texts, at most one more than asked for.

    Args:
        low, high: ends of the range.
        most: how many numbers are wanted at most.
        percent: whether the texts are percentages.

    >>> round_ticks(-0.5, 0.5, 2), round_ticks(0, 0.4, 2, percent=True)
    (((-0.5, '−0.5'), (0.0, '0.0'), (0.5, '0.5')), ((0.0, '0%'), (0.2, '20%'), (0.4, '40%')))
    """
    wide = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(wide / most))
    step = next(step * power for step in (1, 2, 5, 10) if wide / (step * power) <= most + 1e-3)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) - 2 * percent)
    places = [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return tuple(
        (round(place, 12), f"{place:z.{digits}{'%' if percent else 'f'}}".replace("-", "−")) for place in places
    )
