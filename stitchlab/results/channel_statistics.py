"""Compare the channels and predictions of stitched activations with native ones (`stitchlab.ood.accumulate`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Statistics = Mapping[str, Values]


def effective_rank(spectrum: Values) -> float | None:
    """Return exp of the entropy of eigenvalues (C,) normalised to sum 1 (Roy & Vetterli 2007): 1..C; None if all 0.

    >>> effective_rank(np.array([2.0, 2.0, 0.0]))
    2.0
    """
    total = spectrum.sum()
    if not total > 0:
        return None
    share = spectrum[spectrum > 0] / total
    return round(float(np.exp(-(share * np.log(share)).sum())), 12)


def negatives(native: Statistics, stitched: Statistics) -> float | None:
    """Return the share 0..1 of negative values in channels that have no native ones; None if there is no such channel.

    A stitch into a layer after a ReLU has no ReLU of its own: negative values there are certainly out of distribution.
    """
    never_negative = native["negative"] == 0
    return float(stitched["negative"][never_negative].mean()) if never_negative.any() else None


def moved(native: Statistics, stitched: Statistics) -> Values:
    """Return the channels (C,), those first whose mean is farthest from the native mean, in native deviations.

    Deviations count as at least 1/1000 of the largest.
    """
    scale = np.maximum(native["deviation"], 1e-3 * native["deviation"].max() + 1e-12)
    order: Values = np.argsort(-np.abs(stitched["mean"] - native["mean"]) / scale, kind="stable")
    return order


def confusion(labels: Values, predictions: Values, classes: int) -> Values:
    """Return the share of each label's images that get each prediction.

    Args:
        labels: int (N,), from 0.
        predictions: int (N,), from 0.
        classes: the number of classes.

    Returns:
        (classes, classes), 0..1: rows are labels and sum to 1, or to 0 for a label without images.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, predictions), 1)
    shares: Values = counts / np.maximum(1, counts.sum(1, keepdims=True))
    return shares
