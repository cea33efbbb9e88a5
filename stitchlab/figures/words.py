"""Write in sentences what the numbers of a cell mean, and no more than they show.

Accuracy and distribution are in one sentence, because each alone is misleading (`stitchlab.results.similarity`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.request import Method
from stitchlab.results.detection import DetectionResults, MethodCell
from stitchlab.results.similarity import FAR, SET_DETECTOR, Accuracy, Nativeness, accuracy_of, nativeness

Tone = Literal["similar", "no evidence", "no claim", "open"]  #: what a sentence concludes about similarity
MIN_LARGELY_OUT_AUROC = 0.75  # of a set that is off: largely out of distribution, below it partly
MIN_FAR_DISTANCE = 1.0  # distance to native that an activation of zeros has
MAX_NEAR_DISTANCE = 0.5  # distance to native up to which a stitch is near

#: How the two kinds of numbers relate, shown wherever a page has both.
IMAGES_AND_SETS = (
    "Distance to native compares image by image: is each image's activation where it should be? The Fréchet ratio and "
    "the detectors compare sets: could the end network itself have produced these activations? So the two may "
    "disagree. Activations may be far image by image, yet in distribution (where other images' native activations "
    "are); or near, yet not native (least squares shrinks what it cannot predict)."
)


#: Where a set is, in words; for ``off`` they depend on the number.
NATIVENESS_WORDS: dict[Nativeness, str] = {
    "out": "out of distribution",
    "native": "close to native",
    "typical": "more typical than native",
}


class Conclusion(NamedTuple):
    """Hold the conclusion about one method in one cell: a sentence, and its tone."""

    sentence: str
    tone: Tone


def conclusions(
    detections: DetectionResults, detector: str | None, front_layer: str, end_layer: str
) -> dict[str, Conclusion]:
    """Conclude from accuracy and activations together, for each method whose stitch is computed in a cell.

    Args:
        detections: what detectors say about the run's cells.
        detector: the one that decides (`stitchlab.results.similarity.deciding`); None if none does.
        front_layer, end_layer: of the cell.
    """
    return {
        method: _conclusion(detections, detector, method, front_layer, end_layer)
        for method in detections.run.request.methods
        if (method, front_layer, end_layer) in detections.run.cells
    }


def _conclusion(detections: DetectionResults, detector: str | None, method: Method, i: str, j: str) -> Conclusion:
    run = detections.run
    value, own, level = run.value(method, "accuracy", i, j), run.own_accuracy, accuracy_of(run, method, i, j)
    if value is None:
        why = run.reason(method, "accuracy", i, j)
        return Conclusion(f"accuracy undefined ({why}): it says nothing of similarity.", "open")
    if level is None:
        problem = "is not known" if own is None else f"({own:.2f}) is no better than guessing"
        return Conclusion(
            f"{value:.2f} accurate. The end network's own accuracy {problem}, so what that means cannot be said.",
            "open",
        )
    native = None if detector is None else nativeness(detections, detector, method, i, j)
    scale = "" if level == "accurate" or own is None else f" (the end network alone: {own:.2f})"
    distribution = _distribution(detections, detector, native, level, (method, i, j))
    consequence, tone = _consequence(level, native)
    return Conclusion(f"{value:.2f} accurate{scale}{distribution}: {consequence}.", tone)


def _consequence(level: Accuracy, native: Nativeness | None) -> tuple[str, Tone]:
    """Write what accuracy and distribution together mean for similarity."""
    if level == "inaccurate":
        return "it makes no claim of similarity", "no claim"
    if native == "out":
        return "its accuracy is no evidence of similarity", "no evidence"
    if native == "off":
        return "its accuracy is weak evidence of similarity", "no evidence"
    if native == "typical":
        return "that is no evidence of being native, so its accuracy is no evidence of similarity", "no evidence"
    if native is None:
        return "whether its accuracy is evidence of similarity cannot be said", "open"
    return ("" if level == "accurate" else "partly ") + "similar, as far as this can tell", "similar"


def _distribution(
    detections: DetectionResults, detector: str | None, native: Nativeness | None, level: Accuracy, cell: MethodCell
) -> str:
    """Write the part of the sentence that says how native the activations are, with its number."""
    method, i, j = cell
    if detector is None:
        return f"; no detector that is believed at {j} has judged its activations" + _yet(detections, j)
    entry = DETECTORS[detector]
    metric = OOD_METRICS[entry.metrics[0]]
    value = detections.interval(detector, method, metric.name, i, j).value
    if value is None or native is None:
        return f"; {entry.label} undefined ({detections.reason(detector, method, i, j)})"
    number = f"{metric.label} {value:.2f}" + ("" if entry.compares else f" by {entry.label}")
    if native == "off" and entry.compares:
        words = "not quite native"
    elif native == "off":
        words = f"{'largely' if value >= MIN_LARGELY_OUT_AUROC else 'partly'} out of distribution"
    else:
        words = NATIVENESS_WORDS[native]
    conjunction = ", though" if level != "inaccurate" and native != "native" else " and"
    return f"{conjunction} {words} ({number})"


def _yet(detections: DetectionResults, end_layer: str) -> str:
    """Return " yet" if detectors are still to be computed at an end layer."""
    return " yet" if any(detections.reliability(name, end_layer).holds is None for name in DETECTORS) else ""


def believed_count_sentence(detections: DetectionResults, front_layer: str, end_layer: str) -> str:
    """Count the detectors believed at this end layer that call each method's activations out of distribution.

    Args:
        detections: what detectors say about the run's cells.
        front_layer, end_layer: of the cell.

    Returns: a sentence; empty if no detector is believed yet.
    """
    believed = [
        name
        for name, detector in DETECTORS.items()
        if "auroc" in detector.metrics and detections.reliability(name, end_layer).holds
    ]
    if not believed:
        return ""
    counts = []
    for method in detections.run.request.methods:
        aurocs = (detections.interval(name, method, "auroc", front_layer, end_layer).value for name in believed)
        counts.append(f"{sum(value is not None and value >= FAR for value in aurocs)} call {method.upper()}'s")
    plural = len(believed) != 1
    return (
        f"{len(believed)} detector{'s' * plural} that score{'s' * (not plural)} images {'are' if plural else 'is'} "
        f"believed at {end_layer}: {', '.join(counts)} activations out of distribution (AUROC {FAR} or more)."
    )


def disagreements(detections: DetectionResults, front_layer: str, end_layer: str) -> list[str]:
    """Explain disagreements of distance to native and the Fréchet ratio in a cell.

    Args:
        detections: what detectors say about the run's cells.
        front_layer, end_layer: of the cell.

    Returns: a sentence for each method where they disagree; none if a number is missing or the ratio is not believed.
    """
    run, sentences = detections.run, []
    for method in run.request.methods if detections.reliability(SET_DETECTOR, end_layer).holds else ():
        distance = run.value(method, "distance", front_layer, end_layer)
        ratio = detections.interval(SET_DETECTOR, method, "ratio", front_layer, end_layer).value
        native = nativeness(detections, SET_DETECTOR, method, front_layer, end_layer)
        if distance is None or ratio is None:
            continue
        numbers = f"distance to native {distance:.2f}, Fréchet ratio {ratio:.2f}"
        if distance >= MIN_FAR_DISTANCE and native == "native":
            sentences.append(
                f"{METHOD_LABELS[method]} is far from native image by image, yet in the distribution "
                f"({numbers}): it is where other images' native activations are."
            )
        elif distance <= MAX_NEAR_DISTANCE and native != "native":
            why = "least squares shrinks what it cannot predict" if method == "dm" else "as a set it differs"
            sentences.append(
                f"{METHOD_LABELS[method]} is near native image by image, yet not native as a set ({numbers}): {why}."
            )
    return sentences
