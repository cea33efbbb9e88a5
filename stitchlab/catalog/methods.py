"""List the methods that fit stitches, and the numbers that every stitched cell has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]  #: where more similar layers lie
Group = Literal["stitched", "functional"]

#: What each group is called, in the order in which pages show them; indices are the third, ``representational``.
GROUPS: dict[Group, str] = {"stitched": "Stitched networks", "functional": "Their predictions"}

METHOD_LABELS = {"tlm": "Task loss matching", "dm": "Direct matching"}


@dataclass(frozen=True)
class CellMetric:
    """Describe a number that every stitched cell has, for each method.

    Attributes:
        low, high: the range of its values; ``high`` is None where there is no upper end.
        better: where more similar layers lie.
        group: ``stitched``: how good the stitched network is, and how far its activations are; ``functional``: whether
            it answers as the end network does.
    """

    name: str
    label: str
    low: float
    high: float | None
    better: Direction
    meaning: str
    group: Group = "stitched"


METRICS = {
    metric.name: metric
    for metric in (
        CellMetric("accuracy", "Accuracy", 0, 1, "higher", "test accuracy of the stitched network"),
        CellMetric(
            "relative_accuracy",
            "Relative accuracy",
            0,
            1,
            "higher",
            "the stitched network's accuracy divided by the end network's own on the same images (Csiszárik "
            "et al. 2021)",
        ),
        CellMetric(
            "penalty",
            "Stitching penalty",
            0,
            1,
            "lower",
            "the end network's own accuracy minus the stitched network's (Bansal et al. 2021)",
        ),
        CellMetric(
            "distance",
            "Distance to native",
            0,
            None,
            "lower",
            "‖T(a) − b‖² / ‖b‖² over all evaluation images: how far stitched activations are from native ones, "
            "image by image",
        ),
        CellMetric(
            "agreement",
            "Agreement",
            0,
            1,
            "higher",
            "share of evaluation images on which the stitched network and the end network predict the same class",
            "functional",
        ),
        CellMetric(
            "jsd",
            "Prediction divergence",
            0,
            1,
            "lower",
            "mean Jensen–Shannon divergence, in bits, of the stitched network's predicted distribution and the "
            "end network's",
            "functional",
        ),
        CellMetric(
            "error_consistency",
            "Error consistency",
            -1,
            1,
            "higher",
            "Cohen's κ of the stitched network and the end network being right or wrong on the same images "
            "(Geirhos et al. 2020); 0 is what their accuracies alone make likely",
            "functional",
        ),
    )
}

#: Those that are computed, kept and named by a definition of their own (`stitchlab.stitch.functional`).
FUNCTIONAL = tuple(metric.name for metric in METRICS.values() if metric.group == "functional")
