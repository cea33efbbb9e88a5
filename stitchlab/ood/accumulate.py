"""Gathers what is kept of a set of activations: an entry an image or a channel, batch by batch, nothing raw."""

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
    """Projects on the two principal axes of native features: where images lie as seen by detectors without training.

    Args:
        features: (N, F) of native training images; None where they are not finite: then images lie nowhere, at NaN.
    """

    def __init__(self, features: Array | None) -> None:
        self._nowhere, self._pca = features is None, None
        if features is not None and np.ptp(features):
            self._pca = PCA(n_components=min(2, *features.shape), svd_solver="full").fit(features)

    def __call__(self, features: Array) -> Array:
        """Give the coordinates (n, 2) of features (n, F); 0 along axes that native features do not have."""
        made = np.full((len(features), 2), np.nan if self._nowhere else 0.0)
        if self._pca is not None:
            found = self._pca.transform(features)
            made[:, : found.shape[1]] = found
        return made


class Gathered:
    """Gathers batches of one set: native, stitched, or outliers.

    Args:
        form: of the activations.
        images: how many will come.
        scores: what detectors say, by name.
        plane: where images lie; None: statistics are not wanted.
        moments: whether second moments of rows are wanted.
    """

    def __init__(
        self,
        form: Layout,
        images: int,
        scores: Mapping[str, Score],
        plane: Plane | None = None,
        moments: bool = True,
    ) -> None:
        self.form, self._score, self._plane = form, scores, plane
        self.moments = RowMoments(form, images) if moments or plane is not None else None
        self._scores: dict[str, list[Array]] = {name: [] for name in scores}
        self._kept: dict[str, list[Tensor]] = {name: [] for name in ("predictions", "norms", "plane")}
        self._negative = self._zero = torch.zeros(form.channels, dtype=torch.float64)
        self._rows = 0
        self.strange = ""  # why not all that came was finite

    def add(self, batch: Batch) -> None:
        """Take in one batch of activations. Where one is not finite, no detector scores the batch: all NaN."""
        if not (self.strange or batch.finite):
            self.strange = batch.why()
        for name, score in self._score.items():
            self._scores[name].append(score(batch) if batch.finite else np.full(len(batch), np.nan))
        if self.moments is not None:
            self.moments.add(batch.activation)
        if self._plane is None:
            return
        x = positions(batch.activation, self.form)
        self._kept["predictions"].append(batch.predictions.cpu())
        self._kept["norms"].append(x.flatten(1).norm(dim=1).cpu())
        where = self._plane(batch.features) if batch.finite else np.full((len(batch), 2), np.nan)
        self._kept["plane"].append(torch.from_numpy(where).float())
        self._negative = self._negative + (x < 0).sum((0, 1)).cpu().double()
        self._zero = self._zero + (x == 0).sum((0, 1)).cpu().double()
        self._rows += x.shape[0] * x.shape[1]

    @property
    def scores(self) -> dict[str, Array]:
        """Give the scores (N,) of each detector."""
        return {name: np.concatenate(parts) for name, parts in self._scores.items()}

    def statistics(self) -> dict[str, Tensor]:
        """Give what is kept of images, and of channels over all rows, by name.

        Predictions (-1 where there is none), norms (N,), plane (N, 2) of images; mean, deviation, negative and zero
        shares (C,) of channels; spectrum (C,): eigenvalues of the rows' covariance, the largest first.
        Where this gives other numbers, `stitchlab.catalog.detectors.STATISTICS_VERSION` is raised.
        """
        assert self.moments is not None
        mean, covariance = self.moments.drawn(None)
        spectrum = torch.linalg.eigvalsh(covariance).flip(0) if self.moments.finite else torch.full_like(mean, np.nan)
        return {
            **{name: torch.cat(parts) for name, parts in self._kept.items()},
            "mean": mean,
            "deviation": covariance.diagonal().clamp_min(0).sqrt(),
            "negative": self._negative / self._rows,
            "zero": self._zero / self._rows,
            "spectrum": spectrum.clamp_min(0),
        }
