"""Checks specificity: are same layers of different seeds closer than distant layers of one? (Ding et al. 2021.)"""

from __future__ import annotations

import numpy as np

from stitchlab.catalog.check_rules import DISTANT
from stitchlab.checks import evidence
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import EQUAL, share
from stitchlab.results.checks.answers import Answer
from stitchlab.results.quantity import Quantity


def check(material: Material, subject: str) -> Answer:
    """Give the probability that a layer is more similar to the same layer of another seed than to a distant one.

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
            "runs": evidence.runs(material, evidence.each(parts), checking.same_layers),
        },
    )


def distant(matrix: Values, layer: int) -> Values:
    """List the similarities of a layer with those half of the network or more away, in both directions."""
    layers = len(matrix)
    far = [k for k in range(layers) if abs(k - layer) >= DISTANT * layers]
    return np.concatenate([matrix[layer, far], matrix[far, layer]])


def _closer(across: Values, within: Values) -> tuple[float, float]:
    wins = cases = 0.0
    for layer, same in enumerate(across.diagonal()):
        apart = same - distant(within, layer)
        apart = apart[~np.isnan(apart)]
        wins += float((apart > EQUAL).sum() + 0.5 * (np.abs(apart) <= EQUAL).sum())
        cases += len(apart)
    return wins, cases


def _scatter(material: Material, measure: Quantity) -> dict[str, object]:
    same: list[tuple[float, float, str]] = []
    far: list[tuple[float, float, str]] = []
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
