"""Compute statistics of checks: shares with intervals over networks, rank correlations, permutation tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stitchlab.catalog.checks import CHECKS
from stitchlab.checks.material import Values
from stitchlab.request import derived_seed
from stitchlab.results.checks.answers import Number
from stitchlab.results.checks.suite import Ends

MIN_NETWORKS = 3  # for an interval over networks
PERMUTATIONS = 1999  # of a test, beside the observed order
MAX_TIE = 1e-12  # difference of two similarities that are ties
DECIMALS = 12  # to which numbers are rounded before they are ranked

Parts = Mapping[Ends, tuple[float, float]]  #: the numerator and the denominator of each run, by its networks


def share(parts: Parts, check: str, statistic: str, reason: str = "", none: str = "nothing to count") -> Number:
    """Compute Σ numerators / Σ denominators over runs, with a 95 % interval over networks.

    The interval is that of the delete-one jackknife, by Student's t. Each replicate leaves out one network with all of
    its runs, since runs that share a network are not independent. The interval is cut to the statistic's range.

    Args:
        parts: how many cases of a run are right, and how many cases it has, by its networks.
        check, statistic: names in the catalog, which has the range.
        reason: what was left out.
        none: why there is no value, if there is no case.
    """
    cases = sum(denominator for _, denominator in parts.values())
    if not cases:
        return Number(reason="; ".join(filter(None, (none, reason))))
    value = sum(numerator for numerator, _ in parts.values()) / cases
    low, high = _jackknife(parts, value)
    entry = next(s for s in CHECKS[check].statistics if s.name == statistic)
    if low is not None and high is not None:
        low = low if entry.low is None else max(low, float(entry.low))
        high = high if entry.high is None else min(high, float(entry.high))
    return Number(float(value), low, high, reason=reason)


def _jackknife(parts: Parts, value: float) -> tuple[float | None, float | None]:
    """Compute the ends of the interval; None where there are too few networks."""
    networks = sorted({network for ends in parts for network in ends})
    replicates = []
    for network in networks:
        remaining = [part for ends, part in parts.items() if network not in ends]
        if cases := sum(denominator for _, denominator in remaining):
            replicates.append(sum(numerator for numerator, _ in remaining) / cases)
    m = len(replicates)
    if len(networks) < MIN_NETWORKS or m < len(networks):
        return None, None
    standard_error = sqrt((m - 1) / m * sum((replicate - sum(replicates) / m) ** 2 for replicate in replicates))
    half_width = float(stats.t.ppf(0.975, m - 1)) * standard_error
    return float(value - half_width), float(value + half_width)


def best_on_diagonal(matrix: Values, axis: int) -> tuple[float, float]:
    """Count columns (axis 0) or rows (axis 1) whose best cell is on the diagonal, and all cases; ties share the hit.

    A column whose own cell is undefined, or that has no other cell, is no case.

    >>> best_on_diagonal(np.array([[1.0, 0.0], [1.0, 2.0]]), axis=0)
    (1.5, 2.0)
    """
    lines = matrix.T if axis == 0 else matrix
    hits = cases = 0.0
    for k, line in enumerate(lines):
        if k >= len(line) or np.isnan(line[k]) or (~np.isnan(line)).sum() < 2:
            continue
        best = line >= np.nanmax(line) - MAX_TIE
        hits += float(best[k] / best.sum())
        cases += 1
    return hits, cases


def spearman(x: Values, y: Values) -> float | None:
    """Compute Spearman's ρ of two lists (n,); None if it is undefined: for n < 3, or if one list is constant."""
    x, y = tied(x), tied(y)
    return float(stats.spearmanr(x, y).statistic) if _varies(x) and _varies(y) else None


def kendall(x: Values, y: Values) -> float | None:
    """Compute Kendall's τ-b of two lists (n,); None if it is undefined, as in `spearman`."""
    x, y = tied(x), tied(y)
    return float(stats.kendalltau(x, y).statistic) if _varies(x) and _varies(y) else None


def tied(x: Values) -> Values:
    """Round numbers, so that those which differ by rounding errors alone become ties."""
    rounded: Values = np.round(x, DECIMALS)
    return rounded


def _varies(x: Values) -> bool:
    return len(x) >= 3 and bool(np.ptp(x))


def spearman_null(x: Values, shuffled: Values) -> Values:
    """Compute Spearman's ρ (permutations,) of x (n,) with each row of ``shuffled`` (permutations, n)."""
    a, b = stats.rankdata(tied(x)), stats.rankdata(tied(shuffled), axis=1)
    return _cosines(a - a.mean(), b - b.mean(1, keepdims=True))


def kendall_null(x: Values, shuffled: Values) -> Values:
    """Compute Kendall's τ-b (permutations,) of x (n,) with each row of ``shuffled`` (permutations, n)."""
    x, shuffled = tied(x), tied(shuffled)
    a = np.sign(x[:, None] - x).ravel()
    return _cosines(a, np.sign(shuffled[:, :, None] - shuffled[:, None, :]).reshape(len(shuffled), -1))


def _cosines(a: Values, b: Values) -> Values:
    """Compute the cosines (n,) of a with the rows of b; 0 for rows of zeros, which correlate with nothing."""
    norms = np.linalg.norm(a) * np.linalg.norm(b, axis=1)
    cosines: Values = np.divide(b @ a, norms, out=np.zeros(len(b)), where=norms > 0)
    return cosines


def permutation_p(observed: float, nulls: Sequence[Values], orders: int) -> tuple[float, float]:
    """Compute the one-sided p-value of a mean over cases, and the smallest p-value that is possible.

    Args:
        observed: the mean over cases in their observed order.
        nulls: for each case the statistic of its shuffled numbers (`PERMUTATIONS`,); cases are shuffled independently.
        orders: how many different orders all cases have together.
    """
    as_good = int((np.mean(nulls, axis=0) >= observed - MAX_TIE).sum())
    least_p = max(1 / (1 + PERMUTATIONS), 1 / orders)
    return max((1 + as_good) / (1 + PERMUTATIONS), least_p), least_p


def shuffles(length: int, *purpose: object) -> npt.NDArray[np.int64]:
    """Draw the permutations (`PERMUTATIONS`, length) of a case; the same purpose always gives the same ones."""
    generator = np.random.default_rng(derived_seed("permutation test", *purpose))
    return generator.permuted(np.tile(np.arange(length), (PERMUTATIONS, 1)), axis=1)
