"""Compute histograms of sets of activations before they are drawn, and the stretched axis of detectors' scores.

The axis counts native interquartile ranges from the native median. It is stretched by asinh, because native scores
fill about two ranges, while stitched ones may be a thousand ranges away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.figures.ranges import ends

Array = npt.NDArray[Any]

BINS = 60
DECADES = (-1000, -100, -10, -3, -1, 0, 1, 3, 10, 100)  # ticks of the stretched axis, in interquartile ranges


def stretched(by_set: Mapping[str, Array]) -> dict[str, Array]:
    """Return where the scores (N,) of each set lie on the stretched axis; native is one of the sets."""
    native = by_set["native"]
    low, middle, high = np.quantile(native, [0.25, 0.5, 0.75]) if np.isfinite(native).all() else (0.0, 0.0, 1.0)
    return {
        name: np.arcsinh((values[np.isfinite(values)] - middle) / max(high - low, 1e-12))
        for name, values in by_set.items()
    }


def stretched_ticks(edges: Array) -> tuple[Array, list[str]]:
    """Return places and texts of ticks on the stretched axis, which reaches from the first edge to the last."""
    ticks = [tick for tick in DECADES if edges[0] <= np.arcsinh(tick) <= edges[-1]]
    return np.arcsinh(ticks), [f"{tick:,}".replace("-", "−") for tick in ticks]


def histograms(by_set: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Return the edges of bins, and the share of each set that lies in each bin.

    Values that are not finite lie in no bin. The bins cover 0, and there is an empty one at both ends, so that each
    outline starts and ends at 0.
    """
    low, high = ends(np.concatenate([[0.0], *by_set.values()]))
    width = max(high - low, 1e-6) * (1 + 1e-6) / BINS  # a little wider, so that rounding loses no largest value
    edges = low + width * np.arange(-1, BINS + 2)
    return edges, {
        name: np.histogram(values[np.isfinite(values)], edges)[0] / max(1, len(values))
        for name, values in by_set.items()
    }
