"""Measure how far two sets of scores are apart: AUROC, AUPR, FPR95 and the shift, with bootstrap intervals.

Native is the positive class, and larger scores are more native. At AUROC 0.5 the sets cannot be told apart, at 1 the
other set is out of distribution. Below 0.5 it scores as more typical than native, which is no evidence of being native.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.ood_metrics import SCORED
from stitchlab.ood.inputs import Array
from stitchlab.results.interval import Interval

REPLICATES = 100  # of the bootstrap
COVERAGE = 0.95  # share of replicates within an interval
FPR_RECALL = 0.95  # share of native scores above the threshold at which FPR95 counts the others


def interval(value: float, replicates: Array) -> Interval:
    """Return a value with the range of the middle 95 % of its bootstrap replicates (percentile method, Efron 1981)."""
    if not np.isfinite(value):
        return Interval()
    defined = replicates[np.isfinite(replicates)]
    if not len(defined):
        return Interval(float(value))
    low, high = np.quantile(defined, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(value), float(low), float(high))


def ood_metrics(native: Array, other: Array, *, paired: bool, bounds: bool = True) -> dict[str, Interval]:
    """Compute AUROC, AUPR, FPR95 and shift of scores, each with its interval.

    Args:
        native, other: scores (N,) and (M,), larger where more native.
        paired: whether both score the same images in the same order, so that images are drawn together.
        bounds: whether the intervals are wanted.

    Returns:
        intervals by name in `SCORED`; undefined (None) where a score is not finite, or the native interquartile
        range is 0 (shift).

    >>> numbers = ood_metrics(np.array([2.0, 3, 4]), np.array([0.0, 1, 2]), paired=True)
    >>> {name: round(number.value, 4) for name, number in numbers.items()}
    {'auroc': 0.9444, 'aupr': 0.9167, 'fpr95': 0.3333, 'shift': 2.0}
    """
    if not (len(native) and len(other) and np.isfinite(native).all() and np.isfinite(other).all()):
        return {name: Interval() for name in SCORED}
    weights = np.ones((1, len(native))), np.ones((1, len(other)))
    values = {**curves(native, other, *weights), "shift": _shift(native[None], other[None])}
    replicates = {name: np.array([]) for name in values}
    if bounds:
        native_draws = _draws(len(native), 0)
        other_draws = native_draws if paired else _draws(len(other), 1)
        replicates = {
            **curves(native, other, _counts(native_draws), _counts(other_draws)),
            "shift": _shift(native[native_draws], other[other_draws]),
        }
    return {name: interval(float(value[0]), replicates[name]) for name, value in values.items()}


def curves(native: Array, other: Array, weights: Array, other_weights: Array) -> dict[str, Array]:
    """Compute AUROC, AUPR and FPR95 of weighted scores.

    Equal scores share a threshold, as in scikit-learn: AUROC goes straight between thresholds, AUPR is the average
    precision, FPR95 is read at the highest threshold that 95 % of native pass.

    Args:
        native, other: scores (N,) and (M,), larger where more native.
        weights, other_weights: (B, N) and (B, M), how often each score counts in each of B replicates.

    Returns:
        ``auroc``, ``aupr`` and ``fpr95``, (B,) each, in 0..1.
    """
    scores = np.concatenate([native, other])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # the last of equal scores
    true = np.concatenate([weights, np.zeros_like(other_weights)], 1)[:, order].cumsum(1)[:, ends]
    false = np.concatenate([np.zeros_like(weights), other_weights], 1)[:, order].cumsum(1)[:, ends]
    tpr, fpr = true / true[:, -1:], false / false[:, -1:]
    steps = np.diff(tpr, prepend=0.0)
    auroc = ((1 - fpr + (1 - np.concatenate([np.zeros((len(fpr), 1)), fpr[:, :-1]], 1))) / 2 * steps).sum(1)
    precision = true / np.maximum(true + false, 1e-300)
    first = (tpr >= FPR_RECALL).argmax(1)
    return {"auroc": auroc, "aupr": (steps * precision).sum(1), "fpr95": fpr[np.arange(len(fpr)), first]}


def _shift(native: Array, other: Array) -> Array:
    """Compute the shift of each replicate (B,) from its scores (B, N) and (B, M)."""
    low, middle, high = np.quantile(native, [0.25, 0.5, 0.75], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift: Array = (middle - np.median(other, axis=1)) / (high - low)
    return shift


@lru_cache(maxsize=8)  # the same for every detector and every cell
def _draws(count: int, stream: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([count, stream]).integers(0, count, (REPLICATES, count))


def _counts(draws: npt.NDArray[np.int64]) -> Array:
    return np.stack([np.bincount(row, minlength=draws.shape[1]) for row in draws]).astype(np.float64)
