"""Check sensitivity: does a measure notice when a layer loses directions that the task needs? (Ding et al. 2021.)

The front network's activations at a layer keep only their r leading principal directions
(`stitchlab.stitch.truncation`). The measure compares them with the same layer of the end network, in cells (i, i) of
each network into the next. The accuracy of a linear probe on the remaining directions says how much the task loses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial, prod
from typing import Literal, NamedTuple

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.evidence import LinesFigure, Point, PointsFigure
from stitchlab.checks.material import Material, Values
from stitchlab.checks.statistics import (
    MAX_TIE,
    MIN_NETWORKS,
    kendall,
    kendall_null,
    permutation_p,
    share,
    shuffles,
    spearman,
    spearman_null,
)
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity

PROBE = "probe"


class Curve(NamedTuple):
    """Hold a measure, larger if more similar, and the probe's accuracy, over ranks of one layer of one run."""

    ends: Ends
    layer: str
    ranks: tuple[int, ...]
    probe: Values
    measure: Values

    @property
    def defined(self) -> bool:
        """Tell whether both have a number at every rank."""
        return not np.isnan(self.probe + self.measure).any()


def check(material: Material, subject: str) -> Answer:
    """Correlate a measure with the probe's accuracy over ranks, and compute how many directions can go unnoticed.

    Args:
        material: of the suite, with the ranks of each network into the `next`.
        subject: the measure.

    Returns:
        ``spearman`` and ``kendall`` in −1..1, the mean over layers and networks; ``unnoticed`` in 0..1, whose bound is
        the same share for the probe.
    """
    measure = Quantity.of(subject)
    curves = [curve for ends in material.checking.next for curve in _curves(material, ends, measure)]
    defined = [curve for curve in curves if curve.defined]
    left_out = len(curves) - len(defined)
    reason = f"{left_out} of {len(curves)} curves have undefined values: left out" if left_out else ""
    return Answer(
        {
            "spearman": _mean_correlation(defined, "spearman", spearman, spearman_null, reason),
            "kendall": _mean_correlation(defined, "kendall", kendall, kendall_null, reason),
            "unnoticed": _unnoticed(material, measure, defined, reason),
        },
        {
            "figures": [_scatter(material, measure, defined), *_lines(material, measure)],
            "runs": evidence.runs(material, _by_run(defined), material.checking.next),
        },
    )


def _curves(material: Material, ends: Ends, measure: Quantity) -> list[Curve]:
    """Read the curves of all layers of a run."""
    results = material.ranks(ends)
    return [
        Curve(
            ends,
            layer,
            results.ranks(layer),
            _values(results.curve(PROBE, "accuracy", layer)),
            measure.sign * _values(results.curve(measure.name, measure.metric, layer)),
        )
        for layer in results.layers
        if results.ranks(layer)
    ]


def _values(numbers: Sequence[float | None]) -> Values:
    return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)


def _mean_correlation(
    curves: Sequence[Curve],
    name: Literal["spearman", "kendall"],
    correlate: Callable[[Values, Values], float | None],
    null: Callable[[Values, Values], Values],
    reason: str,
) -> Number:
    """Average the correlation of the probe with the measure over curves, with its p-value.

    Args:
        curves: all of them defined.
        name: of the statistic.
        correlate: computes it of two lists of numbers; None where it is undefined.
        null: computes it of one list with many shuffled ones.
        reason: what was left out.
    """
    correlations = [(curve, rho) for curve in curves if (rho := correlate(curve.probe, curve.measure)) is not None]
    if constant := len(curves) - len(correlations):
        reason = "; ".join(filter(None, (reason, f"{constant} curves are constant or of too few ranks: left out")))
    parts: dict[Ends, tuple[float, float]] = {}
    for curve, rho in correlations:
        total, count = parts.get(curve.ends, (0.0, 0.0))
        parts[curve.ends] = total + rho, count + 1
    number = share(parts, "sensitivity", name, reason, none="no curve of three ranks or more whose values differ")
    if not correlations:
        return number
    nulls = [
        null(curve.probe, curve.measure[shuffles(len(curve.ranks), curve.layer, k)])
        for k, (curve, _) in enumerate(correlations)
    ]
    orders = prod(factorial(len(curve.ranks)) for curve, _ in correlations)
    p, least_p = permutation_p(float(np.mean([rho for _, rho in correlations])), nulls, orders)
    return number._replace(p=p, least_p=least_p)


def _unnoticed(material: Material, measure: Quantity, curves: Sequence[Curve], reason: str) -> Number:
    """Compute the share of directions that can go before a measure, and the probe, leave their range between seeds."""
    parts: dict[Ends, tuple[float, float]] = {}
    probe_shares = []
    for curve in curves:
        group = next(group for group in material.checking.alike if curve.ends[0] in group)
        if len(group) < MIN_NETWORKS:
            continue
        least = _least(material, measure, curve.layer, group)
        uncut_probes = [c.probe[-1] for c in curves if c.layer == curve.layer and c.ends[0] in group]
        total, count = parts.get(curve.ends, (0.0, 0.0))
        parts[curve.ends] = total + removable(curve.ranks, curve.measure, least), count + 1
        probe_shares.append(removable(curve.ranks, curve.probe, min(uncut_probes)))
    few = f"the spread of seeds needs {MIN_NETWORKS} networks with the same layers"
    number = share(parts, "sensitivity", "unnoticed", reason, none=few if curves else "no curve is defined")
    return number._replace(bound=float(np.mean(probe_shares)) if probe_shares else None)


def removable(ranks: Sequence[int], values: Values, least: float) -> float:
    """Compute the share of directions that can be removed while no value falls below ``least``.

    Args:
        ranks: ascending; the last is all directions.
        values: at these ranks, larger where more similar.
        least: the smallest value that counts as unchanged.

    Returns:
        0..1.

    >>> removable([1, 2, 4], np.array([0.1, 0.8, 0.9]), 0.7)
    0.5
    """
    smallest = ranks[-1]
    for rank, value in zip(reversed(ranks), reversed(values), strict=True):
        if value < least - MAX_TIE:
            break
        smallest = rank
    return 1 - smallest / ranks[-1]


def _least(material: Material, measure: Quantity, layer: str, group: Sequence[str]) -> float:
    """Find the least similarity between the same layers of two of these networks."""
    runs = [run for ends, run in material.checking.same_layers.items() if set(ends) <= set(group)]
    place = runs[0].request.front_layers.index(layer)
    return float(np.nanmin([material.matrix(run, measure)[place, place] for run in runs]))


def _by_run(curves: Sequence[Curve]) -> dict[Ends, float | None]:
    """Average Spearman's ρ over the layers of each run; None where no layer has one."""
    correlations: dict[Ends, list[float]] = {}
    for curve in curves:
        rho = spearman(curve.probe, curve.measure)
        correlations.setdefault(curve.ends, []).extend([] if rho is None else [rho])
    return {ends: float(np.mean(of_run)) if of_run else None for ends, of_run in correlations.items()}


def _scatter(material: Material, measure: Quantity, curves: Sequence[Curve]) -> PointsFigure:
    groups: dict[str, list[Point]] = {}
    for curve in curves:
        groups.setdefault(curve.layer, []).extend(
            (float(x), measure.sign * float(y), f"{r} of {curve.ranks[-1]} directions, {material.title(curve.ends)}")
            for r, x, y in zip(curve.ranks, curve.probe, curve.measure, strict=True)
        )
    defined = [rho for rho in _by_run(curves).values() if rho is not None]
    correlation = f": Spearman's ρ {np.mean(defined):.2f}, mean over layers and networks" if defined else ""
    return evidence.points(
        "The measure against the probe, at all ranks",
        measure.label + correlation,
        "accuracy of the probe",
        measure.label,
        groups,
    )


def _lines(material: Material, measure: Quantity) -> list[LinesFigure]:
    """Describe each layer's curves, means over networks with that layer: the probe, the measure in its own units."""
    figures: list[LinesFigure] = []
    group = [ends for ends in material.checking.next if set(ends) <= set(material.largest_group)]
    results = [material.ranks(ends) for ends in group]
    for layer in (layer for layer in results[0].layers if results[0].ranks(layer)):
        probe, values = (
            np.mean([_values(of_run.curve(name, metric, layer)) for of_run in results], axis=0)
            for name, metric in ((PROBE, "accuracy"), (measure.name, measure.metric))
        )
        ranks = list(results[0].ranks(layer))
        figures.append(
            {
                "kind": "lines",
                "title": layer,
                "subtitle": f"mean over {len(group)} networks, each into the next",
                "x_label": "directions that are kept",
                "y_label": "value",
                "lines": [
                    {"name": "linear probe: accuracy", "role": "probe", "x": ranks, "y": evidence.numbers(probe)},
                    {
                        "name": measure.label,
                        "role": "method" if measure.stitched else "measure",
                        "x": ranks,
                        "y": evidence.numbers(values),
                    },
                ],
            }
        )
    return figures
