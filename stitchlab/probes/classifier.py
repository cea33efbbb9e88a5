"""Train the classifier of a linear probe: multinomial logistic regression on standardised features.

Features are standardised by the mean and standard deviation over the training images; channels that are constant there
become 0. Then scikit-learn's `LogisticRegression` minimises the sum of cross-entropies + ‖W‖² / (2C) with C = 1 by
L-BFGS, starting from zero, in at most 1,000 steps. The problem is convex and has one solution, so the probe does not
depend on a seed, a learning rate or the order of images. Another usual way to train probes is Adam (learning rate 1e-3)
for 10 epochs, which stops before it has converged: docs/reproducing.md says how far the two differ.

G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016, arXiv 1610.01644.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from stitchlab.probes.features import Features, Labels

# C and the most steps of L-BFGS are those of version 1 of a probe's definition (`stitchlab.results.probes`).
C = 1.0
MAX_STEPS = 1000
MIN_DEVIATION_RATIO = 1e-6  # a channel whose standard deviation is below this share of its largest number is constant


@dataclass(frozen=True)
class Probe:
    """Hold a classifier that was trained on features (N, C).

    Attributes:
        mean, scale: (C,) each; standardised features are (features − mean) · scale, and 0 for constant channels.
        model: the classifier of scikit-learn.
        train_accuracy: accuracy on the training images, 0..1.
        iterations: number of steps of L-BFGS.
        converged: whether L-BFGS converged within `MAX_STEPS`.
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    model: LogisticRegression
    train_accuracy: float
    iterations: int
    converged: bool

    def predict(self, features: Features) -> Labels:
        """Predict the classes (N,) of features (N, C)."""
        classes: Labels = self.model.predict((features - self.mean) * self.scale)
        return classes


def fit(features: Features, labels: Labels) -> Probe | str:
    """Train a probe on features (N, C) and labels (N,), or return the reason why it is undefined.

    >>> x = np.array([[0.0, 1], [1, 1], [2, 1], [3, 1]], dtype=np.float32)
    >>> fit(x, np.array([0, 0, 1, 1])).predict(x).tolist(), fit(x, np.zeros(4, dtype=np.int64))
    ([0, 0, 1, 1], 'the training images are all of one class: a probe needs two or more')
    """
    if not np.isfinite(features).all():
        return "the activations of some training images are not finite"
    if len(np.unique(labels)) < 2:
        if len(labels) == 1:
            return "there is one training image: a probe needs two or more classes"
        return "the training images are all of one class: a probe needs two or more"
    mean = features.mean(0, dtype=np.float64)
    standard_deviation = features.std(0, dtype=np.float64)
    varies = standard_deviation > MIN_DEVIATION_RATIO * np.abs(features).max(0)
    scale = np.divide(1.0, standard_deviation, out=np.zeros_like(standard_deviation), where=varies)
    model = LogisticRegression(C=C, solver="lbfgs", max_iter=MAX_STEPS)
    with warnings.catch_warnings(record=True) as raised_warnings:
        warnings.simplefilter("always")
        model.fit((features - mean) * scale, labels)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in raised_warnings)
    untested = Probe(mean, scale, model, 0.0, int(model.n_iter_.max()), converged)
    return replace(untested, train_accuracy=float((untested.predict(features) == labels).mean()))
