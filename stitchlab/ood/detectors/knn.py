"""Score activations by the distance to the k-th nearest native neighbour.

Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors"; but on features as they
are: scaling them to length 1, as Sun et al. do, would hide how large activations are.
"""

from __future__ import annotations

from sklearn.neighbors import NearestNeighbors

from stitchlab.ood.inputs import Array, Batch, Native, Score

NEIGHBOURS = 5


def knn(native: Native) -> Score:
    """Score −‖x − x₍₅₎‖₂, the Euclidean distance to the fifth nearest of the native features (N, F).

    Raises CannotFit for fewer than 10 images, or constant features.

    >>> import numpy as np, torch
    >>> from stitchlab.results.activation_layout import layout_of
    >>> x = np.arange(20.0)[:, None]
    >>> score = knn(Native(features=x, labels=np.zeros(20, int), classes=1, layout=layout_of((1,))))
    >>> score(Batch(torch.tensor([[0.0], [29.0]]), layout_of((1,)), tail=torch.nn.Identity())).tolist()
    [-4.0, -14.0]
    """
    native.enough(2 * NEIGHBOURS)
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(native.features)

    def score(batch: Batch) -> Array:
        distances: Array = neighbours.kneighbors(batch.features)[0]
        return -distances[:, -1]

    return score
