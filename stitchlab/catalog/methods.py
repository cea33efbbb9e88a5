"""The methods that fit stitches, and the numbers that every stitched cell has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

METHOD_LABELS = {"tlm": "Task loss matching", "dm": "Direct matching"}


@dataclass(frozen=True)
class CellMetric:
    """A number that every stitched cell has, for each method.

    Attributes:
        low, high: the range of its values; ``high`` is None where there is no upper end.
        better: where more similar layers lie.
    """

    name: str
    label: str
    low: float
    high: float | None
    better: Literal["higher", "lower"]
    meaning: str


METRICS = {
    metric.name: metric
    for metric in (
        CellMetric("accuracy", "Accuracy", 0, 1, "higher",
                   "test accuracy of the stitched network"),
        CellMetric("relative_accuracy", "Relative accuracy", 0, 1, "higher",
                   "that, divided by the end network's own accuracy on the same images (Csiszárik et al. 2021)"),
        CellMetric("penalty", "Stitching penalty", 0, 1, "lower",
                   "the end network's own accuracy minus the stitched network's (Bansal et al. 2021)"),
        CellMetric("distance", "Distance to native", 0, None, "lower",
                   "‖T(a) − b‖² / ‖b‖² over all evaluation images: how far stitched activations are from native ones, "
                   "image by image"),
    )
}
