"""Train the classifier of a linear probe: multinomial logistic regression on standardised features.

Features are standardised by the mean and deviation of the training images' (channels that are constant there stay 0);
then scikit-learn's `LogisticRegression` minimises the sum of cross-entropies + ‖W‖² / (2C) with C = 1 by L-BFGS, from
zero, in at most 1,000 steps. That is convex, so it has one solution: nothing depends on a seed, a learning rate or an
order. The other usual probe, Adam (learning rate 1e-3) for 10 epochs, stops early, wherever its steps have got to:
docs/reproducing.md says how far the two lie apart.

G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2016, arXiv 1610.01644.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from stitchlab.probes.features import Features, Labels

C, STEPS = 1.0, 1000  # of version 1 of what a probe is (`stitchlab.results.probes`)
ROUNDING = 1e-6  # a channel is constant whose deviation is below this share of its largest number


@dataclass(frozen=True)
class Probe:
    """Hold a classifier that was trained on features (N, C).

    Attributes:
        mean, scale: what features are standardised with, (C,) each; the scale of a constant channel is 0.
        model: scikit-learn's.
        train_accuracy: on the images that it was trained on, 0..1.
        iterations: steps that it took.
        converged: whether they were enough.
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    model: LogisticRegression
    train_accuracy: float
    iterations: int
    converged: bool

    def predict(self, features: Features) -> Labels:
        """Predict the classes (N,) of features (N, C)."""
        made: Labels = self.model.predict((features - self.mean) * self.scale)
        return made


def fit(features: Features, labels: Labels) -> Probe | str:
    """Train a probe on features (N, C) and labels (N,), or return the reason why there is none.

    >>> x = np.array([[0.0, 1], [1, 1], [2, 1], [3, 1]], dtype=np.float32)
    >>> fit(x, np.array([0, 0, 1, 1])).predict(x).tolist(), fit(x, np.zeros(4, dtype=np.int64))
    ([0, 0, 1, 1], 'the training images are all of one class: a probe needs two or more')
    """
    if not np.isfinite(features).all():
        return "the activations of some training images are not finite"
    if len(np.unique(labels)) < 2:
        one = "there is one training image" if len(labels) == 1 else "the training images are all of one class"
        return f"{one}: a probe needs two or more" + (" classes" if len(labels) == 1 else "")
    mean = features.mean(0, dtype=np.float64)
    deviation = features.std(0, dtype=np.float64)
    varies = deviation > ROUNDING * np.abs(features).max(0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    model = LogisticRegression(C=C, solver="lbfgs", max_iter=STEPS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit((features - mean) * scale, labels)
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    made = Probe(mean, scale, model, 0.0, int(model.n_iter_.max()), converged)
    return Probe(mean, scale, model, float((made.predict(features) == labels).mean()), made.iterations, converged)
