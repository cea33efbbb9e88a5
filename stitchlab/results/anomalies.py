"""Find the anomalies of Balogh & Jelasity (2025) in a run's own numbers, as the lesson asks its readers to do.

No cell is fixed beforehand: the anomalies of another run may lie elsewhere, or there may be none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from stitchlab.catalog.check_rules import MIN_DISTANT_SHARE
from stitchlab.request import Cell, Method
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, Nativeness, accuracy_of, nativeness

ALPHA = 0.05  # the rate at which a grid without layers that are `unlike_itself` may be reported to have one


def depth_difference(run: Run, front_layer: str, end_layer: str) -> float:
    """Return how far apart two layers are among the compared layers.

    Args:
        run: the run.
        front_layer, end_layer: names of layers in it.

    Returns:
        0 for layers at the same place, 1 for the first and the last.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    return abs(rows.index(front_layer) / max(1, len(rows) - 1) - columns.index(end_layer) / max(1, len(columns) - 1))


def distant(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether two layers are at least half of the network apart, by the rule of the check *specificity*.

    Args:
        run: the run.
        front_layer, end_layer: names of layers in it.
    """
    rows, columns = run.request.front_layers, run.request.end_layers
    return abs(rows.index(front_layer) / len(rows) - columns.index(end_layer) / len(columns)) >= MIN_DISTANT_SHARE


def accurate_only_by_tlm(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether task loss matching is accurate or partly accurate in a cell where direct matching is inaccurate.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Raises:
        UnknownName: the run has no such layer.
    """
    tlm, dm = (accuracy_of(run, method, front_layer, end_layer) for method in ("tlm", "dm"))
    return tlm in ("accurate", "partly") and dm == "inaccurate"


def distant_and_accurate(run: Run) -> list[Cell]:
    """List the cells of distant layers in which TLM is accurate and DM is not, the most distant ones first.

    Equally distant cells are ordered by the difference of the two accuracies, the largest first.
    """
    cells = [cell for cell in run.request.cells if distant(run, *cell) and accurate_only_by_tlm(run, *cell)]
    return sorted(cells, key=lambda cell: (-depth_difference(run, *cell), -gap(run, *cell)))


def gap(run: Run, front_layer: str, end_layer: str) -> float:
    """Return TLM's accuracy minus DM's in a cell.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        -1..1; −inf if either accuracy is undefined or not computed yet.

    Raises:
        UnknownName: the run has no such layer.
    """
    tlm, dm = (run.value(method, "accuracy", front_layer, end_layer) for method in ("tlm", "dm"))
    return -math.inf if tlm is None or dm is None else tlm - dm


class Unlike(NamedTuple):
    """Describe a layer whose cell with itself has a lower accuracy (``own``) than an ``other`` cell (``value``)."""

    layer: str
    own: float
    other: Cell
    value: float


def is_within(run: Run) -> bool:
    """Tell whether a run compares a network with itself, layer by layer."""
    return run.request.front == run.request.end and run.request.front_layers == run.request.end_layers


def unlike_itself(run: Run, method: Method) -> list[Unlike]:
    """List the layers whose cell with itself is less accurate than another of its row or column, clearest first.

    A difference counts only if it is significant for the number of evaluation images, by two-sided tests with
    Bonferroni's correction over all compared pairs of the grid. ``run`` compares a network with itself (`is_within`).
    """
    values, layers = run.matrix(method, "accuracy"), run.request.front_layers
    pairs = max(1, 2 * len(layers) * (len(layers) - 1))
    unlike = []
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
            unlike.append(Unlike(layer, own, (layers[best[0]], layers[best[1]]), value))
    return sorted(unlike, key=lambda each: each.own - each.value)


def differ(first: float, second: float, images: int, tests: int = 1) -> bool:
    """Tell whether two shares of images differ significantly (normal approximation, 5 %).

    Args:
        first, second: the shares, 0..1.
        images: the number of images of each.
        tests: the number of such tests that are corrected for (Bonferroni).
    """
    standard_error = math.sqrt((first * (1 - first) + second * (1 - second)) / images)
    return abs(first - second) > NormalDist().inv_cdf(1 - ALPHA / (2 * tests)) * standard_error


@dataclass(frozen=True)
class Accurate:
    """Describe the cells in which both methods are accurate, and how native each method's activations are there.

    Attributes:
        cells: those in which the Fréchet ratio is computed and believed.
        ratios: by method, the Fréchet ratios of these cells.
        places: by method, how many of these cells are ``native``, ``off`` or ``out``.
    """

    cells: list[Cell]
    ratios: dict[Method, list[float]] = field(default_factory=dict)
    places: dict[Method, dict[Nativeness, int]] = field(default_factory=dict)

    def median(self, method: Method) -> float:
        """Return the median of a method's Fréchet ratios."""
        return float(np.median(self.ratios[method]))

    @property
    def farther(self) -> Method | None:
        """Return the method that is farther from native in most of these cells; None if neither is."""
        if not self.cells:
            return None
        pairs = list(zip(self.ratios["tlm"], self.ratios["dm"], strict=True))
        if 2 * sum(tlm > dm for tlm, dm in pairs) > len(pairs):
            return "tlm"
        return "dm" if 2 * sum(dm > tlm for tlm, dm in pairs) > len(pairs) else None


def both_accurate(results: DetectionResults) -> Accurate:
    """Find the cells in which both methods are accurate and the Fréchet ratio is believed."""
    cells = [
        (i, j)
        for i, j in accurate_by_both(results.run)
        if results.reliability(SET_DETECTOR, j).holds
        and all(nativeness(results, SET_DETECTOR, method, i, j) is not None for method in ("tlm", "dm"))
    ]
    accurate = Accurate(cells)
    for method in ("tlm", "dm"):
        accurate.ratios[method] = [
            results.interval(SET_DETECTOR, method, "ratio", *cell).value or 0.0 for cell in cells
        ]
        classes = [nativeness(results, SET_DETECTOR, method, *cell) for cell in cells]
        accurate.places[method] = {name: classes.count(name) for name in ("native", "off", "out")}
    return accurate


def accurate_by_both(run: Run) -> list[Cell]:
    """List the cells in which both methods are accurate."""
    return [
        cell
        for cell in run.request.cells
        if all(accuracy_of(run, method, *cell) == "accurate" for method in ("tlm", "dm"))
    ]


def accurate_by_tlm_alone(run: Run) -> list[Cell]:
    """List the cells in which TLM is accurate and DM is inaccurate."""
    return [
        cell
        for cell in run.request.cells
        if accuracy_of(run, "tlm", *cell) == "accurate" and accuracy_of(run, "dm", *cell) == "inaccurate"
    ]
