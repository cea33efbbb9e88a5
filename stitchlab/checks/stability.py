"""Checks stability: would other images or other seeds change what a measure says? (Half samples: Shao & Wu 1989.)"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import EQUAL, FEWEST, share
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity

NORMAL = 1.96  # standard deviations to either side, of a 95 % interval


def check(material: Material, subject: str) -> Answer:
    """Compare the contrast of same layers with others to how far cells of same layers move.

    Args:
        material: of the suite, with half samples of each network into the `next`, and the runs `across` networks.
        subject: the measure.

    Returns:
        ``images`` and ``seeds``: the contrast in widths of intervals, below 0 where other cells are more similar; of
        direct matching ``training-images``, the contrast in mean changes by half its training images.
    """
    measure, checking = Quantity.of(subject), material.checking
    matrices = material.matrices(checking.next, measure)
    statistics = {"images": _images(material, measure, matrices), "seeds": _seeds(material, measure)}
    if measure.name == "dm":
        fewer = material.matrices(checking.fewer, measure)
        moved = {ends: _mean(np.abs(fewer[ends] - matrix).diagonal()) for ends, matrix in matrices.items()}
        statistics["training-images"] = _held(matrices, moved, "training-images", "nothing changes with fewer images")
    return Answer(
        statistics,
        {
            "figures": _intervals(material, measure),
            "runs": evidence.runs(material, {e: contrast(m) for e, m in matrices.items()}, checking.next),
        },
    )


def contrast(matrix: Values) -> float | None:
    """Give how much more similar same layers are than others, on average; None where one of both has no value."""
    same = np.eye(*matrix.shape, dtype=np.bool_)
    if np.isnan(matrix[same]).all() or np.isnan(matrix[~same]).all():
        return None
    return float(np.nanmean(matrix[same]) - np.nanmean(matrix[~same]))


def _held(matrices: Mapping[Ends, Values], widths: Mapping[Ends, float], statistic: str, none: str) -> Number:
    """Give the contrasts of some runs in these widths: sum over sum, so that no run with a narrow one decides alone."""
    parts = {
        ends: (apart, widths[ends])
        for ends, matrix in matrices.items()
        if (apart := contrast(matrix)) is not None and widths[ends] > EQUAL
    }
    known = any(np.isfinite(width) for width in widths.values())
    return share(
        parts,
        "stability",
        statistic,
        undefined(matrices.values()),
        none=none if known else "no cell of same layers is defined",
    )


def _images(material: Material, measure: Quantity, matrices: Mapping[Ends, Values]) -> Number:
    widths, across = {}, {ends: matrix for ends, matrix in matrices.items() if ends[0] != ends[1]}
    if not across:
        return Number(reason="needs two networks with the same layers: a layer and itself do not change")
    for ends in across:
        known = material.halves(ends)
        if measure.name in known.left_out:
            return Number(reason=known.left_out[measure.name])
        low, high = known.interval(measure.name, measure.metric)
        widths[ends] = _mean((high - low).diagonal())
    return _held(across, widths, "images", "no cell of same layers moves with the images")


def _seeds(material: Material, measure: Quantity) -> Number:
    """Compare within the largest group of networks with the same layers."""
    group = set(material.largest)
    every = {
        ends: m for ends, m in material.matrices(material.checking.same_layers, measure).items() if set(ends) <= group
    }
    if len(group) < FEWEST:
        return Number(reason=f"the spread of seeds needs {FEWEST} networks with the same layers")
    each = np.array([matrix.diagonal() for matrix in every.values()])
    each = each[:, (~np.isnan(each)).sum(0) > 1]  # of fewer values there is no spread
    width = 2 * NORMAL * float(np.nanstd(each, axis=0, ddof=1).mean()) if each.size else float("nan")
    found = _held(every, dict.fromkeys(every, width), "seeds", "no cell of same layers moves with the seed")
    return found._replace(low=None, high=None)  # the spread is one number of all networks together


def _mean(values: Values) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _intervals(material: Material, measure: Quantity) -> list[dict[str, object]]:
    """Describe cells of same layers with their intervals by half samples, against the mean of the others."""
    made: list[dict[str, object]] = []
    for ends, run in material.checking.next.items():
        known = material.halves(ends)
        if measure.name in known.left_out:
            continue
        values, (low, high) = run.matrix(measure.name, measure.metric), known.interval(measure.name, measure.metric)
        others = values[~np.eye(*values.shape, dtype=np.bool_)]
        made.append(
            {
                "kind": "intervals",
                "title": material.title(ends),
                "subtitle": "same layers, with 95 % intervals by 100 "
                "half samples of the images; the line is the mean of all other cells",
                "x_label": measure.label,
                "rows": [
                    {
                        "label": layer,
                        "value": evidence.numbers(values[k, k]),
                        "low": evidence.numbers(low[k, k]),
                        "high": evidence.numbers(high[k, k]),
                    }
                    for k, layer in enumerate(run.request.end_layers)
                ],
                "reference": evidence.numbers(_mean(others)),
            }
        )
    return made
