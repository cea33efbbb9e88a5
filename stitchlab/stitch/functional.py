"""Compare a stitched network's predictions with the end network's: agreement, divergence, error consistency.

Accuracy says how often a stitched network is right, but not whether it is right on the same images as the end network.
Three numbers compare both networks' predictions on the same images. Agreement is the share of images with equal
predicted classes. Prediction divergence is the mean Jensen–Shannon divergence of the predicted distributions,
½ KL(p‖m) + ½ KL(q‖m) with m = (p + q) / 2, in bits (Lin 1991). Error consistency is Cohen's κ of being right or wrong:
how much more often both networks are right, or both wrong, than their accuracies alone make likely (Geirhos, Meding &
Wichmann 2020).

On a CPU, NumPy computes them. The arrays are small, and where other processes are busy, PyTorch's threads wait for each
other longer than they compute (500 images of 10 classes, on two busy cores: 27 ms by PyTorch, .4 ms by NumPy).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.request import Cell
from stitchlab.stitch.numerics import to_float64
from stitchlab.stitch.undefined import END_LOGITS_NOT_FINITE, finite

Array = Any  # a float64 array of NumPy, or of PyTorch on a GPU
RIGHT_OR_WRONG_EVERYWHERE = "{} network is {} on every evaluation image"


@dataclass(frozen=True)
class Functional:
    """Hold agreement 0..1, divergence 0..1 bits and κ −1..1; None where undefined, with the reason by its name."""

    agreement: float | None
    jsd: float | None
    error_consistency: float | None
    reasons: dict[str, str] = field(default_factory=dict)


class EndPredictions:
    """Hold the end network's own predictions of a batch of images; those of stitched networks are compared with them.

    Args:
        logits: of the end network (n, classes).
        labels: of the images (n,).
    """

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        self.finite = finite(logits)
        self.log_probabilities = log_probabilities(logits) if self.finite else None
        self.classes = logits.argmax(1)
        self.right = self.classes == labels


@dataclass
class PredictionSums:
    """Hold sums over images.

    Attributes:
        own_right: number of images on which the end network is right.
        own_finite: whether all its logits are finite.
        same: by cell, number of images with equal predicted classes.
        bits: by cell, the sum of divergences.
        both: by cell, number of images on which both networks are right.
    """

    own_right: int
    own_finite: bool
    same: dict[Cell, int]
    bits: dict[Cell, float]
    both: dict[Cell, int]

    @classmethod
    def none(cls, cells: Iterable[Cell]) -> PredictionSums:
        """Return the sums over no images."""
        zeros = dict.fromkeys(cells, 0)
        return cls(0, True, zeros, dict.fromkeys(zeros, 0.0), dict(zeros))

    def copy(self) -> PredictionSums:
        """Copy these sums; the copy does not change when more is added to the original."""
        return PredictionSums(self.own_right, self.own_finite, dict(self.same), dict(self.bits), dict(self.both))

    def add_own(self, own: EndPredictions) -> None:
        """Add the end network's own predictions of a batch, once for all cells."""
        self.own_right += int(own.right.sum())
        self.own_finite = self.own_finite and own.finite

    def add(self, cell: Cell, logits: Tensor, right: Tensor, own: EndPredictions) -> None:
        """Add a stitched network's predictions of a batch.

        Args:
            cell: of the stitched network.
            logits: (n, classes), finite.
            right: bool (n,), whether the predicted class is the label.
            own: the end network's predictions of the same batch.
        """
        self.same[cell] += int((logits.argmax(1) == own.classes).sum())
        self.both[cell] += int((right & own.right).sum())
        if own.finite:
            self.bits[cell] += float(divergence(log_probabilities(logits), own.log_probabilities).sum())

    def functional(self, cell: Cell, images: int, right: int, reason: str) -> Functional:
        """Compute a cell's metrics from these sums.

        Args:
            cell: (front layer, end layer).
            images: number of images that were summed.
            right: number of images on which the stitched network is right.
            reason: why its logits are not finite; empty where they are finite.
        """
        if reason or not self.own_finite:
            return Functional(None, None, None, dict.fromkeys(FUNCTIONAL, reason or END_LOGITS_NOT_FINITE))
        kappa = consistency(self.both[cell], right, self.own_right, images)
        reasons = {"error_consistency": kappa} if isinstance(kappa, str) else {}
        return Functional(
            self.same[cell] / images, self.bits[cell] / images, None if isinstance(kappa, str) else kappa, reasons
        )


def log_probabilities(logits: Tensor) -> Array:
    """Compute logarithms of the predicted distributions (n, classes), in float64, from finite logits."""
    x = to_float64(logits)
    return log_softmax(x.numpy() if x.device.type == "cpu" else x)


def log_softmax(x: Array) -> Array:
    """Compute the logarithm of the softmax of each row of x (n, classes)."""
    library: Any = np if isinstance(x, np.ndarray) else torch
    x = x - library.amax(x, axis=1, keepdims=True)
    return x - library.log(library.exp(x).sum(axis=1, keepdims=True))


def divergence(p: Array, q: Array) -> Array:
    """Compute the Jensen–Shannon divergence in bits (n,) of distributions, given by their logarithms (n, classes).

    Each class adds −½ (p ln(m/p) + q ln(m/q)). With d = ln q − ln p, ln(m/p) is ln((1 + e^d) / 2), written so that no
    power overflows, equal distributions give 0 exactly, and nothing cancels where they are nearly equal.

    >>> p, q = (log_probabilities(torch.tensor(x)) for x in ([[0.0, 0.0], [9e9, 0.0]], [[0.0, 0.0], [0.0, 9e9]]))
    >>> divergence(p, q).tolist()
    [0.0, 1.0]
    """
    library: Any = np if isinstance(p, np.ndarray) else torch
    d = q - p
    shared = -library.log1p(library.expm1(-abs(d)) / 2)
    nats = library.exp(p) * (shared - (abs(d) + d) / 2) + library.exp(q) * (shared - (abs(d) - d) / 2)
    return nats.sum(axis=1) / (2 * math.log(2))


def consistency(both: int, right: int, own_right: int, images: int) -> float | str:
    """Compute Cohen's κ of two networks being right or wrong, or return the reason why it is undefined.

    Args:
        both: number of images on which both networks are right.
        right, own_right: number of images on which the stitched network is right, and the end network.
        images: number of all images.

    >>> consistency(2, 2, 2, 4), consistency(1, 2, 2, 4), consistency(0, 2, 2, 4), consistency(2, 4, 2, 4)
    (1.0, 0.0, -1.0, 'the stitched network is right on every evaluation image')
    """
    for network, count in (("the stitched", right), ("the end", own_right)):
        if count in (0, images):
            return RIGHT_OR_WRONG_EVERYWHERE.format(network, "right" if count else "wrong")
    return float(kappa(both, right, own_right, images))


def kappa(both: Any, right: Any, own_right: Any, images: Any) -> Any:
    """Compute Cohen's κ of two networks being right or wrong, from numbers or from arrays of equal shape.

    Args:
        both: number of images on which both networks are right.
        right, own_right: number of images on which the stitched network is right, and the end network.
        images: number of all images.

    Returns:
        −1..1. Where a network is right on all images or on none, κ is 0 / 0: arrays have NaN there, numbers raise.

    >>> kappa(torch.tensor([2.0, 1.0]), 2, 2, 4).tolist()
    [1.0, 0.0]
    """
    neither = images - right - own_right + both
    # (observed − expected) / (1 − expected) in whole numbers, divided once
    apart = right * (images - own_right) + own_right * (images - right)
    return 2 * (both * neither - (right - both) * (own_right - both)) / apart
