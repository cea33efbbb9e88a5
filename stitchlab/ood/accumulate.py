"""Gather what is kept of a set of activations, batch by batch: numbers of images and of channels, nothing raw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from stitchlab.ood.detectors.frechet import RowMoments
from stitchlab.ood.inputs import Array, Batch, Score, positions
from stitchlab.results.activation_layout import Layout


class Plane:
    """Project features on the two principal axes of native ones.

    Args:
        features: (N, F) of native training images; None where they are not finite: then all coordinates are NaN.
    """

    def __init__(self, features: Array | None) -> None:
        self._undefined, self._pca = features is None, None
        if features is not None and np.ptp(features):
            self._pca = PCA(n_components=min(2, *features.shape), svd_solver="full").fit(features)

    def __call__(self, features: Array) -> Array:
        """Compute the coordinates (n, 2) of features (n, F); 0 along axes that native features do not have."""
        coordinates = np.full((len(features), 2), np.nan if self._undefined else 0.0)
        if self._pca is not None:
            components = self._pca.transform(features)
            coordinates[:, : components.shape[1]] = components
        return coordinates


class GatheredSet:
    """Gather the batches of one set of activations: native, stitched, or of outliers.

    Args:
        layout: of the activations.
        images: how many will come.
        scores: functions of the fitted detectors, by name.
        plane: projects images; None: statistics are not wanted.
        moments: whether second moments of rows are wanted.

    Attributes:
        moments: of the rows; None if they are not wanted.
        why_not_finite: why some activations are not finite; empty if all are.
    """

    def __init__(
        self,
        layout: Layout,
        images: int,
        scores: Mapping[str, Score],
        plane: Plane | None = None,
        moments: bool = True,
    ) -> None:
        self.layout, self._score_functions, self._plane = layout, scores, plane
        self.moments = RowMoments(layout, images) if moments or plane is not None else None
        self._scores: dict[str, list[Array]] = {name: [] for name in scores}
        self._of_images: dict[str, list[Tensor]] = {name: [] for name in ("predictions", "norms", "plane")}
        self._negative_count = self._zero_count = torch.zeros(layout.channels, dtype=torch.float64)
        self._rows = 0
        self.why_not_finite = ""

    def add(self, batch: Batch) -> None:
        """Add one batch of activations. If one of them is not finite, all scores of the batch are NaN."""
        if not (self.why_not_finite or batch.finite):
            self.why_not_finite = batch.why_not_finite()
        for name, score in self._score_functions.items():
            self._scores[name].append(score(batch) if batch.finite else np.full(len(batch), np.nan))
        if self.moments is not None:
            self.moments.add(batch.activation)
        if self._plane is None:
            return
        x = positions(batch.activation, self.layout)
        self._of_images["predictions"].append(batch.predictions.cpu())
        self._of_images["norms"].append(x.flatten(1).norm(dim=1).cpu())
        coordinates = self._plane(batch.features) if batch.finite else np.full((len(batch), 2), np.nan)
        self._of_images["plane"].append(torch.from_numpy(coordinates).float())
        self._negative_count = self._negative_count + (x < 0).sum((0, 1)).cpu().double()
        self._zero_count = self._zero_count + (x == 0).sum((0, 1)).cpu().double()
        self._rows += x.shape[0] * x.shape[1]

    @property
    def scores(self) -> dict[str, Array]:
        """Return the scores (N,) of each detector, by its name."""
        return {name: np.concatenate(parts) for name, parts in self._scores.items()}

    def statistics(self) -> dict[str, Tensor]:
        """Compute what is kept of images, and of channels over all rows, by name.

        Of images: predictions (N,) (-1 where there is none), norms (N,) and coordinates in the plane (N, 2). Of
        channels, (C,) each: mean, standard deviation, the shares of negative and zero values, and the spectrum, which
        are the eigenvalues of the rows' covariance, the largest first.
        Raise `stitchlab.catalog.detectors.STATISTICS_VERSION` if a change here gives other numbers.
        """
        assert self.moments is not None
        mean, covariance = self.moments.mean_and_covariance(None)
        spectrum = torch.linalg.eigvalsh(covariance).flip(0) if self.moments.finite else torch.full_like(mean, np.nan)
        return {
            **{name: torch.cat(parts) for name, parts in self._of_images.items()},
            "mean": mean,
            "deviation": covariance.diagonal().clamp_min(0).sqrt(),
            "negative": self._negative_count / self._rows,
            "zero": self._zero_count / self._rows,
            "spectrum": spectrum.clamp_min(0),
        }
