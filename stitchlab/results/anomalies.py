"""Find the anomalies of Balogh & Jelasity (2025) in a run's own numbers, as the lesson asks its readers to do.

Nothing here knows which cell it should be: another run has other ones, or none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from stitchlab.catalog.check_rules import DISTANT
from stitchlab.request import Cell, Method
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, Nativeness, accuracy_of, nativeness

ALPHA = 0.05  # how often a grid without such layers may be said to have one


def depth_difference(run: Run, front_layer: str, end_layer: str) -> float:
    """Return how far two layers are apart among the layers compared.

    Args:
        run: the run.
        front_layer, end_layer: names of layers in it.

    Returns:
        from 0 at the same place to 1 for first and last.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    return abs(rows.index(front_layer) / max(1, len(rows) - 1) - columns.index(end_layer) / max(1, len(columns) - 1))


def distant(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether two layers are at least half of the compared layers apart, as the check of specificity does.

    Args:
        run: the run.
        front_layer, end_layer: names of layers in it.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    return abs(rows.index(front_layer) / len(rows) - columns.index(end_layer) / len(columns)) >= DISTANT


def called_alike(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether task loss matching is accurate or partly so in a cell where direct matching is not.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Raises:
        UnknownName: the run has no such layer.
    """
    tlm, dm = (accuracy_of(run, method, front_layer, end_layer) for method in ("tlm", "dm"))
    return tlm in ("accurate", "partly") and dm == "inaccurate"


def distant_alike(run: Run) -> list[Cell]:
    """List the cells of distant layers that TLM calls similar and DM does not, the most distant ones first.

    Among equally distant ones the cell comes first in which both accuracies are farthest apart.
    """
    found = [cell for cell in run.request.cells if distant(run, *cell) and called_alike(run, *cell)]
    return sorted(found, key=lambda cell: (-depth_difference(run, *cell), -gap(run, *cell)))


def gap(run: Run, front_layer: str, end_layer: str) -> float:
    """Return TLM's accuracy minus DM's in a cell.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        -1..1; −inf if either accuracy is not known.

    Raises:
        UnknownName: the run has no such layer.
    """
    tlm, dm = (run.value(method, "accuracy", front_layer, end_layer) for method in ("tlm", "dm"))
    return -math.inf if tlm is None or dm is None else tlm - dm


class Unlike(NamedTuple):
    """Describe a layer that is rated less similar to itself than another cell of its row or column is."""

    layer: str
    own: float
    other: Cell
    value: float


def is_within(run: Run) -> bool:
    """Tell whether a run compares a network with itself, layer by layer."""
    return run.request.front == run.request.end and run.request.front_layers == run.request.end_layers


def unlike_itself(run: Run, method: Method) -> list[Unlike]:
    """List the layers whose cell with itself is less accurate than another of its row or column, clearest first.

    Differences that the number of evaluation images leaves open do not count, by two-sided tests of all pairs that are
    held against each other in the grid (Bonferroni). ``run`` `is_within`.
    """
    values, layers = run.matrix(method, "accuracy"), run.request.front_layers
    pairs = max(1, 2 * len(layers) * (len(layers) - 1))
    found = []
    for k, layer in enumerate(layers):
        cross = [
            (r, c)
            for r, c in [*((k, c) for c in range(len(layers))), *((r, k) for r in range(len(layers)))]
            if (r, c) != (k, k) and not np.isnan(values[r, c])
        ]
        if not cross or np.isnan(values[k, k]):
            continue
        best = max(cross, key=lambda cell: values[cell])
        own, value = float(values[k, k]), float(values[best])
        if value > own and differ(own, value, run.request.eval_images, pairs):
            found.append(Unlike(layer, own, (layers[best[0]], layers[best[1]]), value))
    return sorted(found, key=lambda each: each.own - each.value)


def differ(one: float, other: float, images: int, tests: int = 1) -> bool:
    """Tell whether two shares of so many images differ beyond chance (normal approximation, 5 %).

    Args:
        one, other: the shares, 0..1.
        images: of each.
        tests: how many such questions are asked together.
    """
    error = math.sqrt((one * (1 - one) + other * (1 - other)) / images)
    return abs(one - other) > NormalDist().inv_cdf(1 - ALPHA / (2 * tests)) * error


@dataclass(frozen=True)
class Accurate:
    """Describe the cells in which both methods are accurate, and how native each method's activations are there.

    Attributes:
        cells: those whose Fréchet ratios are there and believed.
        ratios: by method, of these cells.
        places: by method, how many of them are ``native``, ``off`` or ``out``.
    """

    cells: list[Cell]
    ratios: dict[str, list[float]] = field(default_factory=dict)
    places: dict[str, dict[Nativeness, int]] = field(default_factory=dict)

    def median(self, method: Method) -> float:
        """Return the median of a method's Fréchet ratios."""
        return float(np.median(self.ratios[method]))

    @property
    def farther(self) -> str | None:
        """Return the method that is farther from native in most of these cells; None if neither is."""
        if not self.cells:
            return None
        pairs = list(zip(self.ratios["tlm"], self.ratios["dm"], strict=True))
        for method, sign in (("tlm", 1), ("dm", -1)):
            if 2 * sum(sign * (tlm - dm) > 0 for tlm, dm in pairs) > len(pairs):
                return method
        return None


def both_accurate(found: DetectionResults) -> Accurate:
    """Find the cells in which both methods are accurate and the Fréchet ratio can be trusted."""
    cells = [
        (i, j)
        for i, j in accurate_twice(found.run)
        if found.reliability(SET_DETECTOR, j).holds
        and all(nativeness(found, SET_DETECTOR, method, i, j) is not None for method in ("tlm", "dm"))
    ]
    made = Accurate(cells)
    for method in ("tlm", "dm"):
        made.ratios[method] = [found.interval(SET_DETECTOR, method, "ratio", *cell).value or 0.0 for cell in cells]
        there = [nativeness(found, SET_DETECTOR, method, *cell) for cell in cells]
        made.places[method] = {name: there.count(name) for name in ("native", "off", "out")}
    return made


def accurate_twice(run: Run) -> list[Cell]:
    """List the cells in which both methods are accurate."""
    return [
        cell
        for cell in run.request.cells
        if all(accuracy_of(run, method, *cell) == "accurate" for method in ("tlm", "dm"))
    ]


def only_trained(run: Run) -> list[Cell]:
    """List the cells in which TLM is accurate and DM is inaccurate."""
    return [
        cell
        for cell in run.request.cells
        if accuracy_of(run, "tlm", *cell) == "accurate" and accuracy_of(run, "dm", *cell) == "inaccurate"
    ]
