"""Computes statistics that checks share: shares with intervals over networks, rank correlations, permutation tests."""

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

FEWEST = 3  # networks from which an interval over networks is given
PERMUTATIONS = 1999  # of a test, beside the observed order
EQUAL = 1e-12  # similarities that differ by less are ties
DECIMALS = 12  # to which numbers are rounded before they are ranked

Parts = Mapping[Ends, tuple[float, float]]  # of each run a numerator and a denominator


def share(parts: Parts, check: str, statistic: str, reason: str = "", none: str = "nothing to count") -> Number:
    """Give Σ numerators / Σ denominators over runs, with a 95 % interval over networks.

    The interval is the delete-one jackknife's over networks, all of whose runs are left out together, by Student's t:
    runs that share a network are no independent cases. It ends where the statistic's range does.

    Args:
        parts: by the networks of a run, how many cases are right, and of how many.
        check, statistic: which of the catalog it is, for its range.
        reason: what was left out.
        none: why there is no value, where there is no case.
    """
    total = sum(of for _, of in parts.values())
    if not total:
        return Number(reason="; ".join(filter(None, (none, reason))))
    value = sum(right for right, _ in parts.values()) / total
    low, high = _jackknife(parts, value)
    known = next(s for s in CHECKS[check].statistics if s.name == statistic)
    if low is not None and high is not None:
        low = low if known.low is None else max(low, float(known.low))
        high = high if known.high is None else min(high, float(known.high))
    return Number(float(value), low, high, reason=reason)


def _jackknife(parts: Parts, value: float) -> tuple[float | None, float | None]:
    names = sorted({network for ends in parts for network in ends})
    without = []
    for name in names:
        left = [part for ends, part in parts.items() if name not in ends]
        if of := sum(each for _, each in left):
            without.append(sum(right for right, _ in left) / of)
    m = len(without)
    if len(names) < FEWEST or m < len(names):
        return None, None
    error = sqrt((m - 1) / m * sum((each - sum(without) / m) ** 2 for each in without))
    reach = float(stats.t.ppf(0.975, m - 1)) * error
    return float(value - reach), float(value + reach)


def best_on_diagonal(matrix: Values, axis: int) -> tuple[float, float]:
    """Count, over columns (axis 0) or rows (axis 1), whether the best cell is on the diagonal; ties share the hit.

    A column whose own cell is undefined, or that has no other cell, is no case.

    >>> best_on_diagonal(np.array([[1.0, 0.0], [1.0, 2.0]]), axis=0)
    (1.5, 2.0)
    """
    lines = matrix.T if axis == 0 else matrix
    hits = cases = 0.0
    for k, line in enumerate(lines):
        if k >= len(line) or np.isnan(line[k]) or (~np.isnan(line)).sum() < 2:
            continue
        best = line >= np.nanmax(line) - EQUAL
        hits += float(best[k] / best.sum())
        cases += 1
    return hits, cases


def spearman(x: Values, y: Values) -> float | None:
    """Give Spearman's ρ of two lists of numbers (n,); None where it is undefined: fewer than 3, or all of one equal."""
    x, y = tied(x), tied(y)
    return float(stats.spearmanr(x, y).statistic) if _varies(x) and _varies(y) else None


def kendall(x: Values, y: Values) -> float | None:
    """Give Kendall's τ-b of two lists of numbers (n,); None where `spearman` is."""
    x, y = tied(x), tied(y)
    return float(stats.kendalltau(x, y).statistic) if _varies(x) and _varies(y) else None


def tied(x: Values) -> Values:
    """Round numbers so that those which differ by rounding alone are equal."""
    made: Values = np.round(x, DECIMALS)
    return made


def _varies(x: Values) -> bool:
    return len(x) >= 3 and bool(np.ptp(x))


def spearman_null(x: Values, shuffled: Values) -> Values:
    """Give Spearman's ρ (permutations,) of x (n,) with each row of ``shuffled`` (permutations, n)."""
    a, b = stats.rankdata(tied(x)), stats.rankdata(tied(shuffled), axis=1)
    return _cosines(a - a.mean(), b - b.mean(1, keepdims=True))


def kendall_null(x: Values, shuffled: Values) -> Values:
    """Give Kendall's τ-b (permutations,) of x (n,) with each row of ``shuffled`` (permutations, n)."""
    x, shuffled = tied(x), tied(shuffled)
    a = np.sign(x[:, None] - x).ravel()
    return _cosines(a, np.sign(shuffled[:, :, None] - shuffled[:, None, :]).reshape(len(shuffled), -1))


def _cosines(a: Values, b: Values) -> Values:
    """Compute cosines (n,) of a with the rows of b; where a row is 0, nothing correlates: 0."""
    size = np.linalg.norm(a) * np.linalg.norm(b, axis=1)
    made: Values = np.divide(b @ a, size, out=np.zeros(len(b)), where=size > 0)
    return made


def permutation_p(observed: float, nulls: Sequence[Values], orders: int) -> tuple[float, float]:
    """Give the one-sided p-value of a mean over cases, and the smallest that there can be.

    Args:
        observed: the mean over cases as they are.
        nulls: of each case what it is where its numbers are shuffled (`PERMUTATIONS`,), cases shuffled independently.
        orders: how many different orders all cases have together.
    """
    as_good = int((np.mean(nulls, axis=0) >= observed - EQUAL).sum())
    least = max(1 / (1 + PERMUTATIONS), 1 / orders)
    return max((1 + as_good) / (1 + PERMUTATIONS), least), least


def shuffles(length: int, *purpose: object) -> npt.NDArray[np.int64]:
    """Draw the permutations (`PERMUTATIONS`, length) of a case, from what they are for alone."""
    generator = np.random.default_rng(derived_seed("permutation test", *purpose))
    return generator.permuted(np.tile(np.arange(length), (PERMUTATIONS, 1)), axis=1)
