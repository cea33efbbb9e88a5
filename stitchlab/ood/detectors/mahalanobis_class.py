"""Score activations by the Mahalanobis distance to the nearest class (Lee et al. 2018)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from stitchlab.ood.inputs import Array, Batch, CannotFit, Native, Score


def mahalanobis_class(native: Native) -> Score:
    """Score −min_c (x − μ_c)ᵀ Σ⁻¹ (x − μ_c): means μ_c by class, one Ledoit–Wolf Σ of the features minus these means.

    Raises CannotFit where a class has fewer than 2 images, or features are constant within all classes.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> labels = np.arange(100) % 2
    >>> x = np.random.default_rng(0).normal(size=(100, 2)) + 20 * labels[:, None]
    >>> score = mahalanobis_class(Native(features=x, labels=labels, classes=2, layout=layout_of((2,))))
    >>> near, between = score(Batch(torch.tensor([[20.0, 20], [10, 10]]), layout_of((2,)), tail=torch.nn.Identity()))
    >>> bool(near > between)
    True
    """
    counts = np.bincount(native.labels, minlength=native.classes)
    native.enough(2 * native.classes)
    if counts.min() < 2:
        raise CannotFit(f"expected 2 training images or more of every class; one class has {counts.min()}")
    means = np.stack([native.features[native.labels == c].mean(0) for c in range(native.classes)])
    within = native.features - means[native.labels]
    if not within.any():
        raise CannotFit("native activations of this layer are constant within every class: there is nothing to fit")
    # In whitened coordinates Σ is the identity, and the distance is Euclidean.
    whiten = np.linalg.cholesky(LedoitWolf(assume_centered=True).fit(within).precision_)

    def score(batch: Batch) -> Array:
        squared: Array = cdist(batch.features @ whiten, means @ whiten, "sqeuclidean")
        nearest: Array = squared.min(1)
        return -nearest

    return score
