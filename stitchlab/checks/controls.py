"""Check controls: are fronts in which nothing was learned rated lower? (Smith et al. 2025; Bansal et al. 2021.)"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stitchlab.checks import evidence
from stitchlab.checks.evidence import Point, PointsFigure, RunRow
from stitchlab.checks.material import Material, Values, undefined
from stitchlab.checks.statistics import MAX_TIE, share
from stitchlab.results.checks.answers import Answer, Number
from stitchlab.results.checks.suite import CONTROLS, Ends
from stitchlab.results.quantity import Quantity

CONTROL_LABELS = {"random": "untrained", "noise": "noise"}

Matrices = Mapping[Ends, Values]


def check(material: Material, subject: str) -> Answer:
    """Count the end layers whose best trained front layer is more similar than the best layer of a control.

    Args:
        material: of the suite, with its runs `across` networks and those of controls.
        subject: the measure.

    Returns:
        ``random`` and ``noise`` in 0..1; ties count one half.
    """
    measure, checking = Quantity.of(subject), material.checking
    trained = material.matrices(checking.across, measure)
    controls = material.matrices(checking.controls, measure)
    runs: list[RunRow] = [
        {
            "id": run.id,
            "title": f"{CONTROL_LABELS[kind]} → {material.title((g, g)).partition(' → ')[0]}",
            "value": _mean(measure.sign * best(controls[kind, g])),
        }
        for (kind, g), run in checking.controls.items()
    ]
    return Answer(
        {kind: _share(kind, trained, controls) for kind in CONTROLS},
        {"figures": [_scatter(material, measure, trained, controls)], "runs": runs},
    )


def _share(kind: str, trained: Matrices, controls: Matrices) -> Number:
    parts = {(f, g): _higher(best(matrix), best(controls[kind, g])) for (f, g), matrix in trained.items()}
    left_out = undefined([*trained.values(), *(controls[kind, g] for _, g in trained)])
    return share(parts, "controls", kind, left_out, none="no end layer has a value with both fronts")


def _scatter(material: Material, measure: Quantity, trained: Matrices, controls: Matrices) -> PointsFigure:
    """Describe a scatter of each column's best: with a trained front, against that with each kind of control."""
    groups: dict[str, list[Point]] = {}
    for kind in CONTROLS:
        groups[CONTROL_LABELS[kind]] = [
            (measure.sign * float(x), measure.sign * float(y), f"{layer}, {material.title((f, g))}")
            for (f, g), matrix in trained.items()
            for layer, x, y in zip(
                material.checking.across[f, g].request.end_layers, best(controls[kind, g]), best(matrix), strict=True
            )
        ]
    return evidence.points(
        "The best of each column: trained front against control",
        measure.label,
        "with a control as front",
        "with a trained front",
        groups,
        line=True,
    )


def best(matrix: Values) -> Values:
    """Return the best of each column (end layers,); NaN where a column has no value."""
    largest = np.where(np.isnan(matrix), -np.inf, matrix).max(0)
    best_values: Values = np.where(np.isneginf(largest), np.nan, largest)
    return best_values


def _higher(trained: Values, control: Values) -> tuple[float, float]:
    """Count the end layers at which the trained front is more similar, and those that have both values."""
    differences = trained - control
    differences = differences[~np.isnan(differences)]
    wins = float((differences > MAX_TIE).sum() + 0.5 * (np.abs(differences) <= MAX_TIE).sum())
    return wins, float(len(differences))


def _mean(values: Values) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
