"""List the detectors of out-of-distribution activations; `stitchlab.ood.detectors` has their functions."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.catalog.ood_metrics import SCORED

STATISTICS_VERSION = 1  # of the statistics that are kept with the detectors' scores (`stitchlab.ood.accumulate`)


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Describe one detector.

    Attributes:
        compares: whether its function compares two sets as a whole, by second moments of their rows. It then gives one
            number, the first of ``metrics``. Otherwise it is fitted on native activations and scores every image; a
            larger score is more native.
        metrics: those of `stitchlab.catalog.ood_metrics.OOD_METRICS` that it gives.
        learns: whether it is trained, on known outliers too. Training takes long, so the trained detector is kept.
        version: of its definition; raise it when the same activations would get another number.
    """

    name: str
    label: str
    meaning: str
    reference: str
    compares: bool = False
    metrics: tuple[str, ...] = SCORED
    learns: bool = False
    version: int = 1


DETECTORS = {
    detector.name: detector
    for detector in (
        Detector(
            name="energy",
            label="Learned energy",
            learns=True,
            reference="Liu et al. 2020",
            meaning="energy of a classifier that is trained on native activations and fine-tuned on known outliers: "
            "the paper's detector",
        ),
        Detector(
            name="mahalanobis",
            label="Mahalanobis",
            reference="Ledoit & Wolf 2004",
            meaning="Mahalanobis distance of an image's channel means and standard deviations from their native mean, "
            "with a shrunk covariance",
        ),
        Detector(
            name="mahalanobis-class",
            label="Mahalanobis by class",
            reference="Lee et al. 2018",
            meaning="the same distance, from the mean of the nearest class",
        ),
        Detector(
            name="knn",
            label="Nearest neighbours",
            reference="Sun et al. 2022",
            meaning="distance to the fifth nearest native image, between channel means and standard deviations",
        ),
        Detector(
            name="pca-residual",
            label="PCA residual",
            reference="Wang et al. 2022",
            meaning="the part of an image's features that the native principal components with 95 % of the variance do "
            "not explain",
        ),
        Detector(
            name="tail-energy",
            label="Tail energy",
            reference="Liu et al. 2020",
            meaning="energy of the logits that the rest of the end network computes: it cannot see what the rest of "
            "the network ignores",
        ),
        Detector(
            name="frechet",
            label="Fréchet ratio",
            compares=True,
            metrics=("ratio",),
            reference="Dowson & Landau 1982",
            meaning="Fréchet distance, which compares means and covariances, divided by the native variance",
        ),
    )
}

#: Detectors that are fitted within a second or so.
QUICK = tuple(name for name, detector in DETECTORS.items() if not detector.learns)
#: Detectors that have to be trained.
LEARNING = tuple(name for name in DETECTORS if name not in QUICK)
