"""Says in sentences what a cell's numbers mean, and nothing that they do not say.

Accuracy and distribution stand in one sentence, since either misleads alone (`stitchlab.results.similarity`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.request import Method
from stitchlab.results.detection import DetectionResults, MethodCell
from stitchlab.results.similarity import FAR, SET_DETECTOR, Accuracy, Nativeness, accuracy_of, nativeness

Tone = Literal["similar", "no evidence", "no claim", "open"]
LARGELY = 0.75  # AUROC from which a set that is off is called largely out of distribution
FAR_APART, NEAR = 1.0, 0.5  # distance to native: what an activation of zeros has; what is near

#: How the two kinds of numbers relate, wherever both may be looked at.
IMAGES_AND_SETS = (
    "Distance to native compares image by image: is each image's activation where it should be? The Fréchet ratio and "
    "the detectors compare sets: are these activations that the end network makes of any image? So the two may "
    "disagree: far image by image, yet in the distribution (the native activations of other images); or near, yet not "
    "native (least squares shrinks what it cannot predict)."
)


class Conclusion(NamedTuple):
    """Holds what follows for one method in one cell: a sentence, and its tone."""

    sentence: str
    tone: Tone


def conclusions(
    found: DetectionResults, detector: str | None, front_layer: str, end_layer: str
) -> dict[str, Conclusion]:
    """Say for each method that is stitched in a cell what its accuracy and its activations mean together.

    Args:
        found: what detectors say about the run's cells.
        detector: the one that decides (`stitchlab.results.similarity.deciding`); None where none does.
        front_layer, end_layer: of the cell.
    """
    return {
        method: _conclusion(found, detector, method, front_layer, end_layer)
        for method in found.run.request.methods
        if (method, front_layer, end_layer) in found.run.cells
    }


def _conclusion(found: DetectionResults, detector: str | None, method: Method, i: str, j: str) -> Conclusion:
    run = found.run
    value, own, level = run.value(method, "accuracy", i, j), run.own_accuracy, accuracy_of(run, method, i, j)
    if value is None:
        why = run.reason(method, "accuracy", i, j)
        return Conclusion(f"accuracy undefined ({why}): it says nothing of similarity.", "open")
    if level is None:
        beside = "is not known" if own is None else f"({own:.2f}) is no better than guessing"
        return Conclusion(
            f"{value:.2f} accurate. The end network's own accuracy {beside}, so what that means cannot be said.",
            "open",
        )
    there = None if detector is None else nativeness(found, detector, method, i, j)
    scale = "" if level == "accurate" or own is None else f" (the end network alone: {own:.2f})"
    followed, tone = _follows(level, there)
    return Conclusion(
        f"{value:.2f} accurate{scale}{_placed(found, detector, there, level, (method, i, j))}: {followed}.", tone
    )


def _follows(level: Accuracy, there: Nativeness | None) -> tuple[str, Tone]:
    """Say what accuracy and distribution together mean for similarity."""
    if level == "inaccurate":
        return "it makes no claim of similarity", "no claim"
    if there == "out":
        return "its accuracy is no evidence of similarity", "no evidence"
    if there == "off":
        return "its accuracy is weak evidence of similarity", "no evidence"
    if there == "typical":
        return "that is no evidence of being native, so its accuracy is no evidence of similarity", "no evidence"
    if there is None:
        return "whether its accuracy is evidence of similarity cannot be said", "open"
    return ("" if level == "accurate" else "partly ") + "similar, as far as this can tell", "similar"


def _placed(
    found: DetectionResults, detector: str | None, there: Nativeness | None, level: Accuracy, cell: MethodCell
) -> str:
    """Write the part of the sentence that says where the activations are, with the number behind it."""
    method, i, j = cell
    if detector is None:
        return f"; no detector that is believed at {j} has judged its activations" + _yet(found, j)
    known = DETECTORS[detector]
    metric = OOD_METRICS[known.metrics[0]]
    value = found.interval(detector, method, metric.name, i, j).value
    if value is None or there is None:
        return f"; {known.label} undefined ({found.reason(detector, method, i, j)})"
    number = f"{metric.label} {value:.2f}" + ("" if known.compares else f" by {known.label}")
    far = {"out": "out of distribution", "native": "close to native", "typical": "more typical than native"}.get(there)
    if far is None:
        far = (
            "not quite native"
            if known.compares
            else (f"{'largely' if value >= LARGELY else 'partly'} out of distribution")
        )
    though = level != "inaccurate" and there != "native"
    return f"{', though' if though else ' and'} {far} ({number})"


def _yet(found: DetectionResults, end_layer: str) -> str:
    """Return " yet" where detectors are still expected at an end layer."""
    return " yet" if any(found.reliability(name, end_layer).holds is None for name in DETECTORS) else ""


def counted(found: DetectionResults, front_layer: str, end_layer: str) -> str:
    """Say how many of the detectors believed at this end layer call each method's activations far out.

    Args:
        found: what detectors say about the run's cells.
        front_layer, end_layer: of the cell.

    Returns: a sentence; empty where no detector is believed yet.
    """
    believed = [
        name
        for name, detector in DETECTORS.items()
        if "auroc" in detector.metrics and found.reliability(name, end_layer).holds
    ]
    if not believed:
        return ""
    counts = []
    for method in found.run.request.methods:
        aurocs = (found.interval(name, method, "auroc", front_layer, end_layer).value for name in believed)
        counts.append(f"{sum(value is not None and value >= FAR for value in aurocs)} call {method.upper()}'s")
    many = len(believed) != 1
    return (
        f"{len(believed)} detector{'s' * many} that score{'s' * (not many)} images {'are' if many else 'is'} "
        f"believed at {end_layer}: {', '.join(counts)} activations out of distribution (AUROC {FAR} or more)."
    )


def disagreements(found: DetectionResults, front_layer: str, end_layer: str) -> list[str]:
    """Say where distance to native and the Fréchet ratio disagree in a cell.

    Args:
        found: what detectors say about the run's cells.
        front_layer, end_layer: of the cell.

    Returns: a sentence for each such method; none where either number is missing or the ratio is not believed.
    """
    run, said = found.run, []
    for method in run.request.methods if found.reliability(SET_DETECTOR, end_layer).holds else ():
        distance = run.value(method, "distance", front_layer, end_layer)
        ratio = found.interval(SET_DETECTOR, method, "ratio", front_layer, end_layer).value
        there = nativeness(found, SET_DETECTOR, method, front_layer, end_layer)
        if distance is None or ratio is None:
            continue
        numbers = f"distance to native {distance:.2f}, Fréchet ratio {ratio:.2f}"
        if distance >= FAR_APART and there == "native":
            said.append(
                f"{METHOD_LABELS[method]} is far from native image by image, yet in the distribution "
                f"({numbers}): other images' native activations are, too."
            )
        elif distance <= NEAR and there != "native":
            why = "least squares shrinks what it cannot predict" if method == "dm" else "as a set it differs"
            said.append(
                f"{METHOD_LABELS[method]} is near native image by image, yet not native as a set ({numbers}): {why}."
            )
    return said
