"""Detectors: can activations be told from native ones? A new one is a file beside this one and an entry here.

A detector is fitted on native activations of training images (`stitchlab.ood.inputs.Native`) and scores batches of any
activations, or compares two sets as a whole (`frechet`). None of them ever sees stitched activations while fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stitchlab.ood.detectors.energy import energy
from stitchlab.ood.detectors.frechet import frechet
from stitchlab.ood.detectors.knn import knn
from stitchlab.ood.detectors.mahalanobis import mahalanobis
from stitchlab.ood.detectors.mahalanobis_class import mahalanobis_class
from stitchlab.ood.detectors.pca_residual import pca_residual
from stitchlab.ood.detectors.tail_energy import tail_energy
from stitchlab.ood.inputs import Native, Score
from stitchlab.ood.metrics import SCORED, Interval


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One detector.

    Attributes:
        fit: from native activations to a score, larger for more native; or
        compare: from second moments of rows, native and other, to one number, the first of ``metrics``.
        metrics: of `stitchlab.ood.metrics.METRICS`, that it has.
        learns: whether fitting is training, on auxiliary outliers too: it takes long and is kept.
        version: of its definition; raise it when the same activations would get another number.
    """

    name: str
    label: str
    meaning: str
    reference: str
    fit: Callable[[Native], Score] | None = None
    compare: Callable[..., Interval] | None = None
    metrics: tuple[str, ...] = SCORED
    learns: bool = False
    version: int = 1


REGISTRY = {
    detector.name: detector
    for detector in (
        Detector(name="energy", label="Learned energy", fit=energy, learns=True, reference="Liu et al. 2020",
                 meaning="energy of a classifier of native activations, fine-tuned on outliers: the paper's detector"),
        Detector(name="mahalanobis", label="Mahalanobis", fit=mahalanobis, reference="Ledoit & Wolf 2004",
                 meaning="distance to the native mean of channel means and deviations, covariance shrunk"),
        Detector(name="mahalanobis-class", label="Mahalanobis by class", fit=mahalanobis_class,
                 reference="Lee et al. 2018", meaning="the same distance to the nearest class"),
        Detector(name="knn", label="Nearest neighbours", fit=knn, reference="Sun et al. 2022",
                 meaning="distance to the fifth nearest native image, by channel means and deviations"),
        Detector(name="pca-residual", label="PCA residual", fit=pca_residual, reference="Wang et al. 2022",
                 meaning="what native principal components (95 % of the variance) leave over"),
        Detector(name="tail-energy", label="Tail energy", fit=tail_energy, reference="Liu et al. 2020",
                 meaning="energy of the end network's own logits: blind to whatever its tail ignores"),
        Detector(name="frechet", label="Fréchet ratio", compare=frechet, metrics=("ratio",),
                 reference="Dowson & Landau 1982", meaning="distance of means and covariances over native variance"),
    )
}

#: Detectors that are fitted in a moment, and those that are trained.
QUICK = tuple(name for name, detector in REGISTRY.items() if not detector.learns)
LEARNING = tuple(name for name in REGISTRY if name not in QUICK)
