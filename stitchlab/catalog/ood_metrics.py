"""List the numbers that say how far activations are from native ones; `stitchlab.ood.metrics` computes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OodMetric:
    """Describe a number that tells two sets of activations apart; ``low`` and ``high`` are None if unbounded."""

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
            "0.5: cannot be told from native; 1: out of distribution; below 0.5: scores "
            "as more typical than native, no evidence of being native",
        ),
        OodMetric("aupr", "AUPR", 0, 1, "average precision with native as the positive class; 0.5 at chance"),
        OodMetric(
            "fpr95",
            "FPR95",
            0,
            1,
            "share of the others that pass where 95 % of native do; 0.95 at chance, 0: out of distribution",
        ),
        OodMetric(
            "shift",
            "Shift",
            None,
            None,
            "native median score minus the others', in native interquartile ranges: 0 is native, larger is farther out",
        ),
        OodMetric(
            "ratio",
            "Fréchet ratio",
            0,
            None,
            "Fréchet distance of rows, as sets, over the native variance: 0 is native; it never saturates",
        ),
    )
}

#: The numbers of a detector that scores every image.
SCORED = ("auroc", "aupr", "fpr95", "shift")
