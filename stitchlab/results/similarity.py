"""Classify stitched cells: is the stitched network accurate, and are its activations native?

Accuracy alone is no evidence of similarity (Balogh & Jelasity 2025): a trained map may be accurate by activations that
the end network never makes. Here are both classifications, and the only thresholds for them in StitchLab.

**Accurate** is relative to the end network. A stitched network keeps a share of the end network's own accuracy above
chance, which is 1 / number of classes (`share_kept`). It is accurate from a share of `ACCURATE` on, inaccurate below
`MAX_INACCURATE_SHARE`, and partly accurate between them.

**Native** is decided by one detector (`deciding`): by the chosen one where it is believed; else by the Fréchet ratio,
which needs no fit and no training and never saturates; else by any other detector that is believed. A detector that is
not believed never decides.
"""

from __future__ import annotations

from typing import Literal

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.request import Method
from stitchlab.results.detection import OUTLIERS, DetectionResults
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run

Accuracy = Literal["accurate", "partly", "inaccurate"]
Nativeness = Literal["out", "off", "native", "typical"]

ACCURATE, MAX_INACCURATE_SHARE = 0.8, 0.5  # shares of the end network's accuracy above chance
FAR, PARTLY = 0.9, 0.6  # AUROC from which a set is out of distribution, and partly out
MIN_OUT_RATIO, MAX_NEAR_RATIO = (
    0.5,
    0.1,
)  # Fréchet ratios from which a set is out of distribution, and up to which it is native
SET_DETECTOR = "frechet"  # the detector that compares sets as a whole


def share_kept(run: Run, method: Method, front_layer: str, end_layer: str) -> float | None:
    """Return the share of the end network's accuracy above chance that a stitched network keeps.

    Args:
        run, method: the run, and tlm or dm.
        front_layer, end_layer: of the cell.

    Returns:
        1 for all, 0 for none, negative for less than chance; None if an accuracy is undefined or not computed yet, or
        the end network is no better than chance.

    Raises:
        UnknownName: as `Run.value`.
    """
    accuracy, own = run.value(method, "accuracy", front_layer, end_layer), run.own_accuracy
    chance = 1 / max(1, len(run.record["data"]["classes"]))
    if accuracy is None or own is None or own <= chance:
        return None
    return (accuracy - chance) / (own - chance)


def accuracy_of(run: Run, method: Method, front_layer: str, end_layer: str) -> Accuracy | None:
    """Tell whether a stitched network is accurate, relative to its end network.

    Args:
        run, method, front_layer, end_layer: as in `share_kept`.

    Returns:
        None where `share_kept` is None.

    Raises:
        UnknownName: as `Run.value`.
    """
    share = share_kept(run, method, front_layer, end_layer)
    if share is None:
        return None
    return "accurate" if share >= ACCURATE else "partly" if share >= MAX_INACCURATE_SHARE else "inaccurate"


def nativeness_by_auroc(number: Interval) -> Nativeness | None:
    """Classify a set by its AUROC against native activations; ``typical`` (below 0.5): more typical than native."""
    if number.value is None:
        return None
    if number.value >= PARTLY:
        return "out" if number.value >= FAR else "off"
    return "typical" if (number.value if number.high is None else number.high) < 0.5 else "native"


def nativeness_by_ratio(ratio: float | None, outliers: float | None = None) -> Nativeness | None:
    """Classify a set by its Fréchet ratio; a set that is as far from native as known outliers is never native.

    >>> nativeness_by_ratio(1.23, 0.12), nativeness_by_ratio(0.04, 0.12), nativeness_by_ratio(0.04, 0.03)
    ('out', 'native', 'off')
    """
    if ratio is None:
        return None
    if ratio >= MIN_OUT_RATIO:
        return "out"
    return "native" if ratio <= MAX_NEAR_RATIO and (outliers is None or ratio < outliers) else "off"


def nativeness(
    results: DetectionResults, detector: str, method: Method, front_layer: str, end_layer: str
) -> Nativeness | None:
    """Classify a method's activations in a cell by a detector.

    Args:
        results, detector: the results of detectors, and the name of one of them.
        method: tlm or dm.
        front_layer, end_layer: of the cell.

    Returns:
        None if the detector's number is undefined or not computed yet.
    """
    number = results.interval(detector, method, DETECTORS[detector].metrics[0], front_layer, end_layer)
    if DETECTORS[detector].compares:
        return nativeness_by_ratio(number.value, results.interval(detector, OUTLIERS, "ratio", "", end_layer).value)
    return nativeness_by_auroc(number)


def deciding(
    results: DetectionResults, chosen: str, front_layer: str, end_layer: str, *, scores: bool = False
) -> str | None:
    """Choose the detector that decides whether a cell is native: the chosen one, the Fréchet ratio, or any other.

    Args:
        results: the results of detectors.
        chosen: the detector to try first.
        front_layer, end_layer: of the cell.
        scores: whether to consider only detectors that score single images.

    Returns:
        the first that is believed at the end layer and has results for all stitched activations of the cell; None if
        there is none, or not yet.
    """
    run = results.run
    cells = [cell for m in run.request.methods if (cell := (m, front_layer, end_layer)) in run.cells]
    for name in dict.fromkeys([chosen, SET_DETECTOR, *DETECTORS]):
        if scores and DETECTORS[name].compares:
            continue
        if (
            cells
            and results.reliability(name, end_layer).holds
            and all(results.entry(name, *cell) is not None for cell in cells)
        ):
            return name
    return None


def frechet_quotient(results: DetectionResults, front_layer: str, end_layer: str) -> float | None:
    """Return TLM's Fréchet ratio divided by DM's, in a cell where both are accurate, TLM is far and DM is native.

    Args:
        results: the results of detectors.
        front_layer, end_layer: of the cell.

    Returns:
        None unless both are accurate, TLM's activations are out of distribution and DM's are native.

    Raises:
        UnknownName: as `Run.value`.
    """
    cell = front_layer, end_layer
    if any(accuracy_of(results.run, method, *cell) != "accurate" for method in ("tlm", "dm")) or not (
        results.reliability(SET_DETECTOR, end_layer).holds
    ):
        return None
    if [nativeness(results, SET_DETECTOR, method, *cell) for method in ("tlm", "dm")] != ["out", "native"]:
        return None
    far, near = (results.interval(SET_DETECTOR, method, "ratio", *cell).value or 0.0 for method in ("tlm", "dm"))
    return far / max(near, 1e-9)


def telling_cell(results: DetectionResults) -> tuple[str, str]:
    """Return the cell (front layer, end layer) that shows best that accuracy is no evidence of similarity.

    It is the cell with the largest `frechet_quotient`, the deepest one of equal cells. Where no cell has a quotient, or
    none is computed yet, it is the last front layer with the last end layer.
    """
    run = results.run
    quotients = {
        cell: quotient
        for cell in reversed(run.request.cells)
        if (quotient := frechet_quotient(results, *cell)) is not None
    }
    last = run.request.front_layers[-1], run.request.end_layers[-1]
    return max(quotients, key=quotients.__getitem__) if quotients else last
