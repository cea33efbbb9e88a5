"""Compares a stitched network's answers with the end network's: agreement, divergence, error consistency.

Accuracy says how often a stitched network is right, and not whether it is right where the end network is. Of both
predictions on the same images: the share of equal classes; the mean Jensen–Shannon divergence of the distributions,
½ KL(p‖m) + ½ KL(q‖m) with m = (p + q) / 2, in bits (Lin 1991); and Cohen's κ of being right or wrong, which is how much
more often both are than their accuracies make likely (Geirhos, Meding & Wichmann 2020).

On the CPU that is NumPy's work: arrays are small, and PyTorch's threads wait for each other longer than they compute
where others compute too (500 images of 10 classes, on two busy cores: 27 ms by PyTorch, .4 ms by NumPy).
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
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.undefined import OWN_LOGITS, finite

Array = Any  # float64, of NumPy, or of PyTorch on a GPU
CONSTANT = "{} network is {} on every evaluation image"


@dataclass(frozen=True)
class Functional:
    """Holds agreement 0..1, divergence 0..1 bits and κ −1..1; None where undefined, and the reason by its name."""

    agreement: float | None
    jsd: float | None
    error_consistency: float | None
    reasons: dict[str, str] = field(default_factory=dict)


class Own:
    """Holds the end network's own predictions of a batch of images, to compare stitched networks' with.

    Args:
        logits: its own (n, classes).
        labels: of the images (n,).
    """

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        self.finite = finite(logits)
        self.log_shares = log_shares(logits) if self.finite else None
        self.classes = logits.argmax(1)
        self.right = self.classes == labels


@dataclass
class Answers:
    """Counts over images: how often the end network alone is right; by cell equal answers, bits, both right."""

    own_right: int
    own_finite: bool
    same: dict[Cell, int]
    bits: dict[Cell, float]
    both: dict[Cell, int]

    @classmethod
    def none(cls, cells: Iterable[Cell]) -> Answers:
        """Make the sums before anything was seen."""
        made = dict.fromkeys(cells, 0)
        return cls(0, True, made, dict.fromkeys(made, 0.0), dict(made))

    def copy(self) -> Answers:
        """Copy these sums; the copy stays as it is when more is added to the original."""
        return Answers(self.own_right, self.own_finite, dict(self.same), dict(self.bits), dict(self.both))

    def see(self, own: Own) -> None:
        """Add a batch of the end network's own predictions, once for all cells."""
        self.own_right += int(own.right.sum())
        self.own_finite = self.own_finite and own.finite

    def add(self, cell: Cell, logits: Tensor, right: Tensor, own: Own) -> None:
        """Add a stitched network's predictions of a batch.

        Args:
            cell: whose network it is.
            logits: (n, classes), finite.
            right: bool (n,), whether its largest logit is the label's.
            own: the end network's predictions of the same batch.
        """
        self.same[cell] += int((logits.argmax(1) == own.classes).sum())
        self.both[cell] += int((right & own.right).sum())
        if own.finite:
            self.bits[cell] += float(divergence(log_shares(logits), own.log_shares).sum())

    def functional(self, cell: Cell, images: int, right: int, reason: str) -> Functional:
        """Say what these sums over so many images amount to for a cell.

        Args:
            cell: that is meant.
            images: how many there were.
            right: on how many the stitched network is right.
            reason: why its logits are not finite; empty where they are.
        """
        if reason or not self.own_finite:
            return Functional(None, None, None, dict.fromkeys(FUNCTIONAL, reason or OWN_LOGITS))
        kappa = consistency(self.both[cell], right, self.own_right, images)
        reasons = {"error_consistency": kappa} if isinstance(kappa, str) else {}
        return Functional(
            self.same[cell] / images, self.bits[cell] / images, None if isinstance(kappa, str) else kappa, reasons
        )


def log_shares(logits: Tensor) -> Array:
    """Compute logarithms of the predicted distributions (n, classes), in float64, of finite logits."""
    x = exact(logits)
    return normalised(x.numpy() if x.device.type == "cpu" else x)


def normalised(x: Array) -> Array:
    """Compute logarithms of the softmax of each row of x (n, classes)."""
    maths: Any = np if isinstance(x, np.ndarray) else torch
    x = x - maths.amax(x, axis=1, keepdims=True)
    return x - maths.log(maths.exp(x).sum(axis=1, keepdims=True))


def divergence(p: Array, q: Array) -> Array:
    """Compute the Jensen–Shannon divergence in bits (n,) of distributions, given by their logarithms (n, classes).

    Each class adds −½ (p ln(m/p) + q ln(m/q)). With d = ln q − ln p, ln(m/p) is ln((1 + e^d) / 2), written so that no
    power overflows, equal distributions give 0 exactly, and nothing cancels where they are nearly equal.

    >>> one, other = (log_shares(torch.tensor(x)) for x in ([[0.0, 0.0], [9e9, 0.0]], [[0.0, 0.0], [0.0, 9e9]]))
    >>> divergence(one, other).tolist()
    [0.0, 1.0]
    """
    maths: Any = np if isinstance(p, np.ndarray) else torch
    d = q - p
    shared = -maths.log1p(maths.expm1(-abs(d)) / 2)
    nats = maths.exp(p) * (shared - (abs(d) + d) / 2) + maths.exp(q) * (shared - (abs(d) - d) / 2)
    return nats.sum(axis=1) / (2 * math.log(2))


def consistency(both: int, right: int, own_right: int, images: int) -> float | str:
    """Compute Cohen's κ of two networks being right or wrong, or say why it is undefined.

    Args:
        both: on how many images both are right.
        right, own_right: on how many the stitched network is, and the end network alone.
        images: how many there are.

    >>> consistency(2, 2, 2, 4), consistency(1, 2, 2, 4), consistency(0, 2, 2, 4), consistency(2, 4, 2, 4)
    (1.0, 0.0, -1.0, 'the stitched network is right on every evaluation image')
    """
    for who, count in (("the stitched", right), ("the end", own_right)):
        if count in (0, images):
            return CONSTANT.format(who, "right" if count else "wrong")
    return float(kappa(both, right, own_right, images))


def kappa(both: Any, right: Any, own_right: Any, images: Any) -> Any:
    """Compute Cohen's κ of two networks being right or wrong: of numbers, or of arrays of any one shape.

    Args:
        both: on how many images both are right.
        right, own_right: on how many the stitched network is, and the end network alone.
        images: how many there are.

    Returns:
        −1..1; not a number or an error (0 / 0) where a network is right on all or on none.

    >>> kappa(torch.tensor([2.0, 1.0]), 2, 2, 4).tolist()
    [1.0, 0.0]
    """
    neither = images - right - own_right + both
    # (observed − expected) / (1 − expected) in whole numbers, divided once
    apart = right * (images - own_right) + own_right * (images - right)
    return 2 * (both * neither - (right - both) * (own_right - both)) / apart
