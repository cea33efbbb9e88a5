"""List the methods that fit stitches, and the numbers that every stitched cell has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]  #: the values of a number that mean more similar layers
Group = Literal["stitched", "functional"]

#: Name of each group on pages, in the order in which they show them; indices follow as a third, ``representational``.
GROUPS: dict[Group, str] = {"stitched": "Stitched networks", "functional": "Their predictions"}

METHOD_LABELS = {"tlm": "Task loss matching", "dm": "Direct matching"}


@dataclass(frozen=True)
class CellMetric:
    """Describe a number that every stitched cell has, for each method.

    Attributes:
        low, high: the range of its values; ``high`` is None where there is no upper limit.
        better: whether higher or lower values mean more similar layers.
        group: ``stitched``: how accurate the stitched network is, and how far its activations are from native ones;
            ``functional``: whether it predicts what the end network predicts.
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
            "the stitched network's accuracy divided by the end network's own accuracy on the same images (Csiszárik "
            "et al. 2021)",
        ),
        CellMetric(
            "penalty",
            "Stitching penalty",
            0,
            1,
            "lower",
            "the end network's own accuracy minus the stitched network's accuracy (Bansal et al. 2021)",
        ),
        CellMetric(
            "distance",
            "Distance to native",
            0,
            None,
            "lower",
            "‖T(a) − b‖² / ‖b‖² over all evaluation images: how far stitched activations T(a) are from native ones b, "
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
            "mean Jensen–Shannon divergence, in bits, between the class probabilities that the stitched network and "
            "the end network predict",
            "functional",
        ),
        CellMetric(
            "error_consistency",
            "Error consistency",
            -1,
            1,
            "higher",
            "how often the stitched network and the end network are right or wrong on the same images, as Cohen's κ "
            "(Geirhos et al. 2020): 0 is as often as their accuracies alone would give, 1 is always",
            "functional",
        ),
    )
}

#: Metrics of predictions, which are computed and kept under a definition of their own (`stitchlab.stitch.functional`).
FUNCTIONAL = tuple(metric.name for metric in METRICS.values() if metric.group == "functional")
