"""Score activations by the Mahalanobis distance to the native mean, with the covariance of Ledoit & Wolf (2004)."""

from __future__ import annotations

from sklearn.covariance import LedoitWolf

from stitchlab.ood.inputs import Array, Batch, Native, Score

MIN_IMAGES = 10  # of fewer, the covariance is little but what it is shrunk to


def mahalanobis(native: Native) -> Score:
    """Score −(x − μ)ᵀ Σ⁻¹ (x − μ), with μ and the Ledoit–Wolf Σ of the native features (N, F).

    Raises CannotFit for fewer than 10 images, or constant features.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> score = mahalanobis(Native(features=x, labels=np.zeros(100, int), classes=1, layout=layout_of((3,))))
    >>> near, far = score(Batch(torch.tensor([[0.0, 0, 0], [9, 9, 9]]), layout_of((3,)), tail=torch.nn.Identity()))
    >>> bool(near > far)
    True
    """
    native.enough(MIN_IMAGES)
    estimate = LedoitWolf().fit(native.features)

    def score(batch: Batch) -> Array:
        squared: Array = estimate.mahalanobis(batch.features)
        return -squared

    return score
