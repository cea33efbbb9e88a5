"""Counts sets of activations into histograms, before anything draws them, and stretches the axis of detectors' scores.

The axis counts native interquartile ranges from the native median. It is stretched (asinh), since stitched scores may
be a thousand ranges away where native ones fill two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.figures.ranges import ends

Array = npt.NDArray[Any]

BINS = 60
DECADES = (-1000, -100, -10, -3, -1, 0, 1, 3, 10, 100)  # ticks of the stretched axis


def stretched(by_set: Mapping[str, Array]) -> dict[str, Array]:
    """Place scores (N,) of each set on an axis of native interquartile ranges from the native median, by asinh."""
    native = by_set["native"]
    low, middle, high = np.quantile(native, [0.25, 0.5, 0.75]) if np.isfinite(native).all() else (0.0, 0.0, 1.0)
    return {
        name: np.arcsinh((values[np.isfinite(values)] - middle) / max(high - low, 1e-12))
        for name, values in by_set.items()
    }


def stretched_ticks(edges: Array) -> tuple[Array, list[str]]:
    """Return places and texts of ticks on that axis, which reaches from the first edge to the last."""
    shown = [d for d in DECADES if edges[0] <= np.arcsinh(d) <= edges[-1]]
    return np.arcsinh(shown), [f"{d:,}".replace("-", "−") for d in shown]


def histograms(by_set: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Return the edges of bins and each set's share in them, of all that is finite; 0 lies in one of them.

    An empty bin at either end brings each outline down to nothing.
    """
    low, high = ends(np.concatenate([[0.0], *by_set.values()]))
    width = max(high - low, 1e-6) * (1 + 1e-6) / BINS  # so that rounding drops no largest value
    edges = low + width * np.arange(-1, BINS + 2)
    return edges, {
        name: np.histogram(values[np.isfinite(values)], edges)[0] / max(1, len(values))
        for name, values in by_set.items()
    }
