"""List the detectors of out-of-distribution activations; `stitchlab.ood.detectors` has their functions."""

from __future__ import annotations

from dataclasses import dataclass

from stitchlab.catalog.ood_metrics import SCORED

STATISTICS_VERSION = 1  # of the statistics that are kept beside the detectors' scores (`stitchlab.ood.accumulate`)


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Describe one detector.

    Attributes:
        compares: whether its function compares two sets as a whole, by second moments of their rows, to one number:
            the first of ``metrics``. Otherwise it is fitted on native activations and scores every image, larger for
            more native.
        metrics: those of `stitchlab.catalog.ood_metrics.OOD_METRICS` that it has.
        learns: whether fitting is training, on auxiliary outliers too: it takes long and is kept.
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
            meaning="energy of a classifier of native activations, fine-tuned on outliers: the paper's detector",
        ),
        Detector(
            name="mahalanobis",
            label="Mahalanobis",
            reference="Ledoit & Wolf 2004",
            meaning="distance to the native mean of channel means and deviations, covariance shrunk",
        ),
        Detector(
            name="mahalanobis-class",
            label="Mahalanobis by class",
            reference="Lee et al. 2018",
            meaning="the same distance to the nearest class",
        ),
        Detector(
            name="knn",
            label="Nearest neighbours",
            reference="Sun et al. 2022",
            meaning="distance to the fifth nearest native image, by channel means and deviations",
        ),
        Detector(
            name="pca-residual",
            label="PCA residual",
            reference="Wang et al. 2022",
            meaning="what native principal components (95 % of the variance) leave over",
        ),
        Detector(
            name="tail-energy",
            label="Tail energy",
            reference="Liu et al. 2020",
            meaning="energy of the end network's own logits: blind to whatever its tail ignores",
        ),
        Detector(
            name="frechet",
            label="Fréchet ratio",
            compares=True,
            metrics=("ratio",),
            reference="Dowson & Landau 1982",
            meaning="distance of means and covariances over native variance",
        ),
    )
}

#: Detectors that are fitted in a moment, and those that are trained.
QUICK = tuple(name for name, detector in DETECTORS.items() if not detector.learns)
LEARNING = tuple(name for name in DETECTORS if name not in QUICK)
