"""Score activations by what native principal components do not explain (the residual of Wang et al. 2022, "ViM")."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from stitchlab.ood.inputs import Array, Batch, Native, Score

EXPLAINED_VARIANCE = 0.95  # share of the native variance that the components explain


def pca_residual(native: Native) -> Score:
    """Score −‖x − x̂‖₂, x̂ the projection on as many principal components as explain 95 % of the native variance.

    Raises CannotFit for fewer than 10 images, or constant features.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> x = np.outer(np.arange(20.0), [1, 1])
    >>> score = pca_residual(Native(features=x, labels=np.zeros(20, int), classes=1, layout=layout_of((2,))))
    >>> off = torch.tensor([[50.0, 50.0], [0.0, 2.0]])
    >>> score(Batch(off, layout_of((2,)), tail=torch.nn.Identity())).round(6).tolist()
    [-0.0, -1.414214]
    """
    native.enough(10)
    components = PCA(n_components=EXPLAINED_VARIANCE, svd_solver="full").fit(native.features)

    def score(batch: Batch) -> Array:
        explained = components.inverse_transform(components.transform(batch.features))
        residual: Array = np.linalg.norm(batch.features - explained, axis=1)
        return -residual

    return score
