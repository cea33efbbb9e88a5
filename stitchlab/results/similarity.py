"""Judge what a stitched cell says of similarity: does its accuracy claim any, and are its activations native?

Accuracy alone cannot tell (Balogh & Jelasity 2025): a trained map may be accurate by activations that the end network
never makes. So two judgements stand beside each other here, and nothing else in the house has thresholds for them.

**Accurate** is relative to the end network: of its own accuracy above chance (1 / number of classes), a stitched
network keeps a share (`share_kept`). From `ACCURATE` on it is accurate, below `INACCURATE` it is not, between them
partly.

**Native** is said by one detector (`deciding`): the chosen one where it is believed, else the Fréchet ratio, which is
fitted on nothing, needs no training and never saturates, else any other that is believed. What is not believed never
decides.
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

ACCURATE, INACCURATE = 0.8, 0.5  # share of the end network's accuracy above chance
FAR, PARTLY = 0.9, 0.6  # AUROC from which a set is out of distribution, and partly out
FAR_RATIO, NEAR_RATIO = 0.5, 0.1  # Fréchet
SET_DETECTOR = "frechet"  # the detector that compares sets as a whole


def share_kept(run: Run, method: Method, front_layer: str, end_layer: str) -> float | None:
    """Return the share of the end network's accuracy above chance that a stitched network keeps.

    Args:
        run, method: the run, and tlm or dm.
        front_layer, end_layer: of the cell.

    Returns:
        1 for all, 0 for none, below 0 for less than guessing; None if an accuracy is undefined or not computed yet, or
        the end network is no better than guessing.

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
    return "accurate" if share >= ACCURATE else "partly" if share >= INACCURATE else "inaccurate"


def nativeness_by_auroc(number: Interval) -> Nativeness | None:
    """Classify a set by its AUROC against native activations; ``typical`` is below 0.5: more typical than native."""
    if number.value is None:
        return None
    if number.value >= PARTLY:
        return "out" if number.value >= FAR else "off"
    return "typical" if (number.value if number.high is None else number.high) < 0.5 else "native"


def nativeness_by_ratio(ratio: float | None, outliers: float | None = None) -> Nativeness | None:
    """Classify a set by its Fréchet ratio; one that is as far as known outliers is never native.

    >>> nativeness_by_ratio(1.23, 0.12), nativeness_by_ratio(0.04, 0.12), nativeness_by_ratio(0.04, 0.03)
    ('out', 'native', 'off')
    """
    if ratio is None:
        return None
    if ratio >= FAR_RATIO:
        return "out"
    return "native" if ratio <= NEAR_RATIO and (outliers is None or ratio < outliers) else "off"


def nativeness(
    found: DetectionResults, detector: str, method: Method, front_layer: str, end_layer: str
) -> Nativeness | None:
    """Classify a method's activations in a cell by a detector.

    Args:
        found, detector: what detectors found, and the name of one.
        method: tlm or dm.
        front_layer, end_layer: of the cell.

    Returns:
        None if the detector's number is undefined or not computed yet.
    """
    number = found.interval(detector, method, DETECTORS[detector].metrics[0], front_layer, end_layer)
    if DETECTORS[detector].compares:
        return nativeness_by_ratio(number.value, found.interval(detector, OUTLIERS, "ratio", "", end_layer).value)
    return nativeness_by_auroc(number)


def deciding(
    found: DetectionResults, chosen: str, front_layer: str, end_layer: str, *, scores: bool = False
) -> str | None:
    """Choose the detector that decides whether a cell is native: the chosen one, the Fréchet ratio, any other.

    Args:
        found: what detectors found.
        chosen: the detector to try first.
        front_layer, end_layer: of the cell.
        scores: whether to consider only those that score single images.

    Returns:
        the first that is believed at the end layer and has judged all that is stitched in the cell; None if there is
        none, or not yet.
    """
    cells = [cell for m in found.run.request.methods if (cell := (m, front_layer, end_layer)) in found.run.cells]
    for name in dict.fromkeys([chosen, SET_DETECTOR, *DETECTORS]):
        if scores and DETECTORS[name].compares:
            continue
        if (
            cells
            and found.reliability(name, end_layer).holds
            and all(found.entry(name, *cell) is not None for cell in cells)
        ):
            return name
    return None


def frechet_quotient(found: DetectionResults, front_layer: str, end_layer: str) -> float | None:
    """Return how many times farther from native TLM is than DM, by the Fréchet ratio, where both are accurate.

    Args:
        found: what detectors found.
        front_layer, end_layer: of the cell.

    Returns:
        None unless both are accurate, TLM's activations are out of distribution and DM's are native.

    Raises:
        UnknownName: as `Run.value`.
    """
    cell = front_layer, end_layer
    if any(accuracy_of(found.run, method, *cell) != "accurate" for method in ("tlm", "dm")) or not (
        found.reliability(SET_DETECTOR, end_layer).holds
    ):
        return None
    if [nativeness(found, SET_DETECTOR, method, *cell) for method in ("tlm", "dm")] != ["out", "native"]:
        return None
    far, near = (found.interval(SET_DETECTOR, method, "ratio", *cell).value or 0.0 for method in ("tlm", "dm"))
    return far / max(near, 1e-9)


def telling_cell(found: DetectionResults) -> tuple[str, str]:
    """Return the cell (front layer, end layer) that shows best that accuracy does not tell similarity.

    It is the one that is farthest `apart`, the deeper one where some are equal. Where none is, and while numbers are
    lacking, it is the last front layer with the last end layer.
    """
    run = found.run
    known = {
        cell: quotient
        for cell in reversed(run.request.cells)
        if (quotient := frechet_quotient(found, *cell)) is not None
    }
    last = run.request.front_layers[-1], run.request.end_layers[-1]
    return max(known, key=known.__getitem__) if known else last
