"""Check stability: would other images or other seeds change what a measure says? (Half samples: Shao & Wu 1989.)"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.evidence import IntervalsFigure
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import MAX_TIE, MIN_NETWORKS, share
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity

HALF_WIDTH_95 = 1.96  # standard deviations to either side of the mean, in a normal 95 % interval


def check(material: Material, subject: str) -> Answer:
    """Compare the contrast between same and other layers with the amount by which cells of same layers change.

    Args:
        material: of the suite, with half samples of each network into the `next`, and the runs `across` networks.
        subject: the measure.

    Returns:
        ``images`` and ``seeds``: the contrast divided by the widths of intervals, below 0 where other cells are more
        similar. For direct matching also ``training-images``: the contrast divided by the mean change with half of its
        training images.
    """
    measure, checking = Quantity.of(subject), material.checking
    matrices = material.matrices(checking.next, measure)
    statistics = {"images": _images(material, measure, matrices), "seeds": _seeds(material, measure)}
    if measure.name == "dm":
        fewer = material.matrices(checking.fewer, measure)
        changes = {ends: _mean(np.abs(fewer[ends] - matrix).diagonal()) for ends, matrix in matrices.items()}
        none = "nothing changes with fewer images"
        statistics["training-images"] = _contrast_in_widths(matrices, changes, "training-images", none)
    return Answer(
        statistics,
        {
            "figures": _intervals(material, measure),
            "runs": evidence.runs(material, {e: contrast(m) for e, m in matrices.items()}, checking.next),
        },
    )


def contrast(matrix: Values) -> float | None:
    """Compute how much more similar same layers are than others, on average; None if either kind has no value."""
    same = np.eye(*matrix.shape, dtype=np.bool_)
    if np.isnan(matrix[same]).all() or np.isnan(matrix[~same]).all():
        return None
    return float(np.nanmean(matrix[same]) - np.nanmean(matrix[~same]))


def _contrast_in_widths(
    matrices: Mapping[Ends, Values], widths: Mapping[Ends, float], statistic: str, none: str
) -> Number:
    """Divide the sum of the contrasts of some runs by the sum of their widths.

    The ratio of sums keeps a run with a narrow interval from deciding alone.

    Args:
        matrices, widths: of the runs, by their networks.
        statistic: its name in the catalog.
        none: why there is no value, if no run has a width above 0.
    """
    parts = {
        ends: (of_run, widths[ends])
        for ends, matrix in matrices.items()
        if (of_run := contrast(matrix)) is not None and widths[ends] > MAX_TIE
    }
    has_widths = any(np.isfinite(width) for width in widths.values())
    return share(
        parts,
        "stability",
        statistic,
        undefined(matrices.values()),
        none=none if has_widths else "no cell of same layers is defined",
    )


def _images(material: Material, measure: Quantity, matrices: Mapping[Ends, Values]) -> Number:
    """Compare with the widths of the intervals by half samples of the images."""
    across = {ends: matrix for ends, matrix in matrices.items() if ends[0] != ends[1]}
    widths: dict[Ends, float] = {}
    if not across:
        return Number(reason="needs two networks with the same layers: a layer and itself do not change")
    for ends in across:
        halves = material.halves(ends)
        if measure.name in halves.left_out:
            return Number(reason=halves.left_out[measure.name])
        low, high = halves.interval(measure.name, measure.metric)
        widths[ends] = _mean((high - low).diagonal())
    return _contrast_in_widths(across, widths, "images", "no cell of same layers moves with the images")


def _seeds(material: Material, measure: Quantity) -> Number:
    """Compare with the spread between seeds, within the largest group of networks with the same layers."""
    group = set(material.largest_group)
    matrices = {
        ends: m for ends, m in material.matrices(material.checking.same_layers, measure).items() if set(ends) <= group
    }
    if len(group) < MIN_NETWORKS:
        return Number(reason=f"the spread of seeds needs {MIN_NETWORKS} networks with the same layers")
    same_layers = np.array([matrix.diagonal() for matrix in matrices.values()])  # (runs, layers)
    same_layers = same_layers[:, (~np.isnan(same_layers)).sum(0) > 1]  # fewer values have no spread
    spread = np.nanstd(same_layers, axis=0, ddof=1).mean() if same_layers.size else np.nan
    widths = dict.fromkeys(matrices, 2 * HALF_WIDTH_95 * float(spread))
    number = _contrast_in_widths(matrices, widths, "seeds", "no cell of same layers moves with the seed")
    return number._replace(low=None, high=None)  # the spread is one number of all networks together


def _mean(values: Values) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _intervals(material: Material, measure: Quantity) -> list[IntervalsFigure]:
    """Describe cells of same layers with their intervals by half samples, and the mean of the other cells."""
    figures: list[IntervalsFigure] = []
    for ends, run in material.checking.next.items():
        halves = material.halves(ends)
        if measure.name in halves.left_out:
            continue
        values, (low, high) = run.matrix(measure.name, measure.metric), halves.interval(measure.name, measure.metric)
        others = values[~np.eye(*values.shape, dtype=np.bool_)]
        figures.append(
            {
                "kind": "intervals",
                "title": material.title(ends),
                "subtitle": "same layers, with 95 % intervals by 100 "
                "half samples of the images; the line is the mean of all other cells",
                "x_label": measure.label,
                "rows": [
                    {
                        "label": layer,
                        "value": evidence.number(values[k, k]),
                        "low": evidence.number(low[k, k]),
                        "high": evidence.number(high[k, k]),
                    }
                    for k, layer in enumerate(run.request.end_layers)
                ],
                "reference": evidence.number(_mean(others)),
            }
        )
    return figures
