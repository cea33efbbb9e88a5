"""List the numbers that say how far a set of activations is from native ones; `stitchlab.ood.metrics` computes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OodMetric:
    """Describe a number that compares a set of activations with native ones.

    Attributes:
        low, high: the range of its values; None where there is no limit.
    """

    name: str
    label: str
    low: float | None
    high: float | None
    meaning: str


OOD_METRICS = {
    metric.name: metric
    for metric in (
        OodMetric(
            "auroc",
            "AUROC",
            0,
            1,
            "how well a detector separates a set of activations from native ones; 0.5: not at all; 1: the set is out "
            "of distribution; below 0.5: it scores as more typical than native, which is no evidence of being native",
        ),
        OodMetric(
            "aupr",
            "AUPR",
            0,
            1,
            "area under the curve of precision against recall, with native as the positive class; 0.5 at chance",
        ),
        OodMetric(
            "fpr95",
            "FPR95",
            0,
            1,
            "share of the set that passes as native, at the threshold that 95 % of native activations pass; 0.95 at "
            "chance, 0: out of distribution",
        ),
        OodMetric(
            "shift",
            "Shift",
            None,
            None,
            "median score of native activations minus that of the set, in native interquartile ranges: 0 is native, "
            "larger is farther out",
        ),
        OodMetric(
            "ratio",
            "Fréchet ratio",
            0,
            None,
            "Fréchet distance between a set of activations and the native ones, divided by the native variance: 0 is "
            "native, larger is farther out, without an upper limit",
        ),
    )
}

#: The numbers of a detector that scores every image.
SCORED = ("auroc", "aupr", "fpr95", "shift")
