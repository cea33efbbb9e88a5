"""Check specificity: are same layers of different seeds closer than distant layers of one? (Ding et al. 2021.)"""

from __future__ import annotations

import numpy as np

from stitchlab.catalog.check_rules import MIN_DISTANT_SHARE
from stitchlab.checks import evidence
from stitchlab.checks.evidence import Point, PointsFigure
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import MAX_TIE, share
from stitchlab.results.checks.answers import Answer
from stitchlab.results.quantity import Quantity


def check(material: Material, subject: str) -> Answer:
    """Compute the probability that a layer is more similar to the same layer of another seed than to a distant one.

    Args:
        material: of the suite, with its runs `within` and `across` networks.
        subject: the measure.

    Returns:
        ``distant`` in 0..1; ties count one half.
    """
    measure, checking = Quantity.of(subject), material.checking
    within = material.matrices(checking.within, measure)
    across = material.matrices(checking.same_layers, measure)
    parts = {(f, g): _closer(matrix, within[f, f]) for (f, g), matrix in across.items()}
    number = share(
        parts,
        "specificity",
        "distant",
        undefined([*within.values(), *across.values()]),
        none="no layer has a value and a distant one to compare it with",
    )
    return Answer(
        {"distant": number},
        {
            "figures": [_scatter(material, measure)],
            "runs": evidence.runs(material, evidence.quotients(parts), checking.same_layers),
        },
    )


def distant(matrix: Values, layer: int) -> Values:
    """List the similarities of a layer with layers half of the network or more away, in both directions."""
    count = len(matrix)
    far = [k for k in range(count) if abs(k - layer) >= MIN_DISTANT_SHARE * count]
    return np.concatenate([matrix[layer, far], matrix[far, layer]])


def _closer(across: Values, within: Values) -> tuple[float, float]:
    """Count the pairs in which the same layer is more similar than a distant one, and all pairs that are defined."""
    wins = cases = 0.0
    for layer, same in enumerate(across.diagonal()):
        differences = same - distant(within, layer)
        differences = differences[~np.isnan(differences)]
        wins += float((differences > MAX_TIE).sum() + 0.5 * (np.abs(differences) <= MAX_TIE).sum())
        cases += len(differences)
    return wins, cases


def _scatter(material: Material, measure: Quantity) -> PointsFigure:
    same: list[Point] = []
    far: list[Point] = []
    for ends, run in material.checking.same_layers.items():
        values = run.matrix(measure.name, measure.metric).diagonal()
        same += [
            (float(k), float(value), f"{layer}, {material.title(ends)}")
            for k, (layer, value) in enumerate(zip(run.request.front_layers, values, strict=True))
        ]
    for ends, run in material.checking.within.items():
        matrix = run.matrix(measure.name, measure.metric)
        far += [
            (float(k), float(value), f"{layer} and a distant layer of {material.title(ends).partition(' → ')[0]}")
            for k, layer in enumerate(run.request.front_layers)
            for value in distant(matrix, k)
        ]
    return evidence.points(
        "Same layer of another seed, distant layers of one network",
        measure.label,
        "layer (its number)",
        measure.label,
        {"same layer, another network": same, "distant layer, same network": far},
    )
