"""Checks sensitivity: does a measure notice when a layer loses directions that the task needs? (Ding et al. 2021.)

The front's activations at a layer keep their r leading principal directions (`stitchlab.stitch.truncation`), and are
held against the same layer of the end network: cells (i, i) of each network into the next. A linear probe on what is
kept tells what is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial, prod
from typing import Any, NamedTuple

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values
from stitchlab.checks.statistics import (
    EQUAL,
    FEWEST,
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
    """Holds a measure, more for more similar, and the probe's accuracy over ranks of one layer of one network."""

    ends: Ends
    layer: str
    ranks: tuple[int, ...]
    probe: Values
    measure: Values

    @property
    def whole(self) -> bool:
        """Tell whether there is a number at every rank."""
        return not np.isnan(self.probe + self.measure).any()


def check(material: Material, subject: str) -> Answer:
    """Correlate a measure with the probe's accuracy over ranks, and see how many directions can go unnoticed.

    Args:
        material: of the suite, with the ranks of each network into the `next`.
        subject: the measure.

    Returns:
        ``spearman`` and ``kendall`` in −1..1, the mean over layers and networks; ``unnoticed`` in 0..1, whose bound is
        the probe's own.
    """
    measure = Quantity.of(subject)
    curves = [curve for ends in material.checking.next for curve in _curves(material, ends, measure)]
    whole = [curve for curve in curves if curve.whole]
    left_out = len(curves) - len(whole)
    reason = f"{left_out} of {len(curves)} curves have undefined values: left out" if left_out else ""
    return Answer(
        {
            "spearman": _correlated(whole, "spearman", spearman, spearman_null, reason),
            "kendall": _correlated(whole, "kendall", kendall, kendall_null, reason),
            "unnoticed": _unnoticed(material, measure, whole, reason),
        },
        {
            "figures": [_scatter(material, measure, whole), *_lines(material, measure)],
            "runs": evidence.runs(material, _each(whole), material.checking.next),
        },
    )


def _curves(material: Material, ends: Ends, measure: Quantity) -> list[Curve]:
    known = material.ranks(ends)
    return [
        Curve(
            ends,
            layer,
            known.ranks(layer),
            _values(known.curve(PROBE, "accuracy", layer)),
            measure.sign * _values(known.curve(measure.name, measure.metric, layer)),
        )
        for layer in known.layers
        if known.ranks(layer)
    ]


def _values(numbers: Sequence[float | None]) -> Values:
    return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)


def _correlated(
    curves: Sequence[Curve],
    name: str,
    correlate: Callable[[Values, Values], float | None],
    null: Callable[[Values, Values], Values],
    reason: str,
) -> Number:
    each = [(curve, rho) for curve in curves if (rho := correlate(curve.probe, curve.measure)) is not None]
    if constant := len(curves) - len(each):
        reason = "; ".join(filter(None, (reason, f"{constant} curves are constant or of too few ranks: left out")))
    parts: dict[Ends, tuple[float, float]] = {}
    for curve, rho in each:
        total, count = parts.get(curve.ends, (0.0, 0.0))
        parts[curve.ends] = total + rho, count + 1
    number = share(parts, "sensitivity", name, reason, none="no curve of three ranks or more whose values differ")
    if not each:
        return number
    nulls = [
        null(curve.probe, curve.measure[shuffles(len(curve.ranks), curve.layer, k)])
        for k, (curve, _) in enumerate(each)
    ]
    p, least = permutation_p(
        float(np.mean([rho for _, rho in each])), nulls, prod(factorial(len(curve.ranks)) for curve, _ in each)
    )
    return number._replace(p=p, least_p=least)


def _unnoticed(material: Material, measure: Quantity, curves: Sequence[Curve], reason: str) -> Number:
    """Give the share of directions that can go before a measure, and the probe, leave their range between seeds."""
    parts: dict[Ends, tuple[float, float]] = {}
    of_probe = []
    for curve in curves:
        group = next(group for group in material.checking.alike if curve.ends[0] in group)
        if len(group) < FEWEST:
            continue
        least = _least(material, measure, curve.layer, group)
        probes = [c.probe[-1] for c in curves if c.layer == curve.layer and c.ends[0] in group]
        total, count = parts.get(curve.ends, (0.0, 0.0))
        parts[curve.ends] = total + gone(curve.ranks, curve.measure, least), count + 1
        of_probe.append(gone(curve.ranks, curve.probe, min(probes)))
    few = f"the spread of seeds needs {FEWEST} networks with the same layers"
    number = share(parts, "sensitivity", "unnoticed", reason, none=few if curves else "no curve is defined")
    return number._replace(bound=float(np.mean(of_probe)) if of_probe else None)


def gone(ranks: Sequence[int], values: Values, least: float) -> float:
    """Give the share of directions that can go, from all of them down, with no value below ``least``.

    Args:
        ranks: ascending; the last is all directions.
        values: at these ranks, larger where more similar.
        least: the smallest value that counts as unchanged.

    Returns:
        0..1.

    >>> gone([1, 2, 4], np.array([0.1, 0.8, 0.9]), 0.7)
    0.5
    """
    smallest = ranks[-1]
    for rank, value in zip(reversed(ranks), reversed(values), strict=True):
        if value < least - EQUAL:
            break
        smallest = rank
    return 1 - smallest / ranks[-1]


def _least(material: Material, measure: Quantity, layer: str, group: Sequence[str]) -> float:
    """Give the least similarity of same layers of two of these networks."""
    runs = [run for ends, run in material.checking.same_layers.items() if set(ends) <= set(group)]
    place = runs[0].request.front_layers.index(layer)
    return float(np.nanmin([material.matrix(run, measure)[place, place] for run in runs]))


def _each(curves: Sequence[Curve]) -> dict[Ends, float | None]:
    found: dict[Ends, list[float]] = {}
    for curve in curves:
        rho = spearman(curve.probe, curve.measure)
        found.setdefault(curve.ends, []).extend([] if rho is None else [rho])
    return {ends: float(np.mean(each)) if each else None for ends, each in found.items()}


def _scatter(material: Material, measure: Quantity, curves: Sequence[Curve]) -> dict[str, Any]:
    groups: dict[str, list[tuple[float, float, str]]] = {}
    for curve in curves:
        groups.setdefault(curve.layer, []).extend(
            (float(x), measure.sign * float(y), f"{r} of {curve.ranks[-1]} directions, {material.title(curve.ends)}")
            for r, x, y in zip(curve.ranks, curve.probe, curve.measure, strict=True)
        )
    each = [rho for rho in _each(curves).values() if rho is not None]
    correlation = f": Spearman's ρ {np.mean(each):.2f}, mean over layers and networks" if each else ""
    return evidence.points(
        "The measure against the probe, at all ranks",
        measure.label + correlation,
        "accuracy of the probe",
        measure.label,
        groups,
    )


def _lines(material: Material, measure: Quantity) -> list[dict[str, Any]]:
    """Describe each layer's curves, means over the networks that have it: the probe, the measure in its own units."""
    made = []
    group = [ends for ends in material.checking.next if set(ends) <= set(material.largest)]
    for layer in (layer for layer in material.ranks(group[0]).layers if material.ranks(group[0]).ranks(layer)):
        known = [material.ranks(ends) for ends in group]
        probe, values = (
            np.mean([_values(each.curve(name, metric, layer)) for each in known], axis=0)
            for name, metric in ((PROBE, "accuracy"), (measure.name, measure.metric))
        )
        ranks = list(known[0].ranks(layer))
        made.append(
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
    return made
