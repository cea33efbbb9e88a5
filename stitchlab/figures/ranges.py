"""Compute ranges of axes and colours, and round numbers for their ticks, for pages and for files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]  #: (place, text) of each


def ends(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; 0 and 0 if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def with_room(values: Values, room_share: float) -> tuple[float, float]:
    """Return the ends of an axis that has room around all finite values; 0 and 1 if no value is finite.

    The room on each side is a share of the range of the values.

    >>> with_room(np.array([0.0, 10.0]), 0.1), with_room(np.array([np.nan]), 0.1)
    ((-1.0, 11.0), (0.0, 1.0))
    """
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = ends(values)
    room = room_share * (high - low or 1.0)
    return low - room, high + room


def shared_range(values: list[Values], low: float, high: float | None) -> tuple[float, float]:
    """Return one colour range for all heatmaps of a quantity, wide enough for every number.

    Args:
        values: matrices of any shape; NaN is left out.
        low, high: range of the quantity; ``high`` None: no upper limit, so the largest value is taken, or 0 if
            all are negative.
    """
    numbers = np.concatenate([np.ravel(matrix) for matrix in values])
    numbers = numbers[~np.isnan(numbers)]
    if not numbers.size:
        return low, high if high is not None else low + 1.0
    return min(low, float(numbers.min())), max(high if high is not None else 0.0, float(numbers.max()))


def log_ticks(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic scale: 1, 2 and 5 times powers of ten within the range; its ends if there are none.

    A range that touches more than three decades has only the powers of ten.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [tick for tick in ticks if low <= tick <= high] or [low, high]


def round_ticks(low: float, high: float, most: int = 5, *, percent: bool = False) -> Ticks:
    """Return round numbers within a range, with their texts.

    Args:
        low, high: ends of the range.
        most: largest number of steps between the ends; there may be one tick more than steps.
        percent: whether the texts are percentages.

    >>> round_ticks(-0.5, 0.5, 2), round_ticks(0, 0.4, 2, percent=True)
    (((-0.5, '−0.5'), (0.0, '0.0'), (0.5, '0.5')), ((0.0, '0%'), (0.2, '20%'), (0.4, '40%')))
    """
    width = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(step * power for step in (1, 2, 5, 10) if width / (step * power) <= most + 1e-3)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) - 2 * percent)
    places = [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return tuple(
        (round(place, 12), f"{place:z.{digits}{'%' if percent else 'f'}}".replace("-", "−")) for place in places
    )
