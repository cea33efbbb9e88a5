"""What each similarity index is by other people's packages, from activations and not from what the engine keeps.

Functions take activations (N, ...) of images for Gram indices and rows (n, C), (n, D) for indices of channels, and give
None where the index is undefined.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import ot
import reference
from scipy.linalg import orth, subspace_angles
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

from benchmarks import plain

Array = npt.NDArray[np.float64]
Reference = Callable[[Array, Array], float | None]


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def cka_rbf(x: Array, y: Array) -> float:
    """CKA as the cosine of centred Gaussian Gram matrices, by distances of SciPy."""
    middle = np.eye(len(x)) - 1 / len(x)
    made = []
    for v in (x, y):
        distances = pdist(_flat(v))
        kernel = np.exp(-(squareform(distances) ** 2) / (2 * (np.median(distances) / 2) ** 2))
        made.append((middle @ kernel @ middle).ravel())
    return float(made[0] @ made[1] / np.linalg.norm(made[0]) / np.linalg.norm(made[1]))


def rsa(x: Array, y: Array) -> float:
    """Spearman's correlation of SciPy, of dissimilarities of SciPy."""
    return float(spearmanr(*(pdist(_flat(v), "correlation").round(10) for v in (x, y))).statistic)


def mutual_knn(x: Array, y: Array) -> float | None:
    """The share of 10 nearest neighbours, found by scikit-learn."""
    if len(x) < 12:
        return None
    near = [
        NearestNeighbors(n_neighbors=10, algorithm="brute").fit(_flat(v)).kneighbors(return_distance=False)
        for v in (x, y)
    ]
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)]))


def cca(x: Array, y: Array) -> float | None:
    """The mean cosine of SciPy's angles between the spaces of columns."""
    bases = [orth(v - v.mean(0), rcond=1e-6) for v in (x, y)]
    if len(x) - 1 < sum(basis.shape[1] for basis in bases):
        return None
    return float(np.cos(subspace_angles(*bases)).mean())


def svcca(x: Array, y: Array) -> float | None:
    """The same of scikit-learn's principal components."""
    return cca(*(PCA(n_components=0.99, svd_solver="full").fit_transform(v) for v in (x, y)))


def regression(x: Array, y: Array) -> float | None:
    """R² of scikit-learn's least squares, channels weighted by their variance."""
    if cca(x, y) is None:
        return None
    return float(r2_score(y, LinearRegression().fit(x, y).predict(x), multioutput="variance_weighted"))


def soft_matching(x: Array, y: Array) -> float:
    """The root of POT's transport cost between channels of norm 1."""
    points = []
    for v in (x, y):
        centred = v - v.mean(0)
        sizes = np.linalg.norm(centred, axis=0)
        varies = sizes > 1e-6 * np.linalg.norm(v, axis=0)
        points.append(np.where(varies, centred / np.where(varies, sizes, 1), 0).T)
    cost = ((points[0][:, None] - points[1]) ** 2).sum(-1)
    shares = [np.full(len(p), 1 / len(p)) for p in points]
    return float(np.sqrt(max(ot.emd2(*shares, cost), 0)))


REFERENCES: dict[str, Reference] = {
    "cka": reference.cka,
    "cka-debiased": reference.cka_debiased,
    "pwcca": plain.pwcca,
    "opd": plain.opd,
    "cka-rbf": cka_rbf,
    "rsa": rsa,
    "mutual-knn": mutual_knn,
    "cca": cca,
    "svcca": svcca,
    "regression": regression,
    "regression-reverse": lambda x, y: regression(y, x),
    "soft-matching": soft_matching,
}
