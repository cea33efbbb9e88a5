"""What a grid shows, in sentences built from its numbers; nothing is said that they do not say."""

from __future__ import annotations

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run

FAR, LARGELY, PARTLY = 0.9, 0.75, 0.6  # AUROC from which a set is out of distribution, largely, partly
FAR_RATIO, NEAR_RATIO = 0.5, 0.1  # Fréchet


def finding(run: Run) -> list[str]:
    """Sentences on a grid's corners: last → first beside first → first, TLM beside DM; none before they exist."""
    first, last = run.request.front_layers[0], run.request.front_layers[-1]
    into = run.request.end_layers[0]
    tlm, dm = (run.value(method, "accuracy", last, into) for method in ("tlm", "dm"))
    here, matched = (run.value(method, "accuracy", first, into) for method in ("tlm", "dm"))
    if tlm is None or dm is None or here is None or matched is None or run.own_accuracy is None or first == last:
        return []
    verdict = (
        "Read as a measure, TLM would call them more similar than two corresponding first layers; "
        "what it measures is what a trained map can still bring through the end network, not similarity."
        if tlm > here else "Here TLM rates the corresponding first layers higher than that."
    )
    return [
        f"Bottom left: the last layer of the front network ({last}), put in at the first layer of the end network "
        f"({into}). **Task loss matching rates it {tlm:.2f}, direct matching {dm:.2f}**; the end network alone has "
        f"{run.own_accuracy:.2f}.",
        f"Top left: first layer into first layer, which TLM rates {here:.2f} and DM {matched:.2f}. {verdict}",
    ]


def verdicts(found: Distribution, detector: str, front_layer: str, end_layer: str) -> dict[str, str]:
    """A sentence for each method whose numbers are there: how accurate, how far from native, and what follows."""
    known, said = DETECTORS[detector], {}
    for method in found.run.request.methods:
        accuracy = found.run.value(method, "accuracy", front_layer, end_layer)
        metric = OOD_METRICS[known.metrics[0]]
        number = found.interval(detector, method, metric.name, front_layer, end_layer)
        why = found.run.reason(method, "accuracy", front_layer, end_layer)
        if (accuracy is None and not why) or found.entry(detector, method, front_layer, end_layer) is None:
            continue
        right = f"accuracy undefined ({why})" if accuracy is None else f"{accuracy:.2f} accurate"
        if number.value is None:
            reason = found.reason(detector, method, front_layer, end_layer)
            said[method] = f"{right}, {metric.label} undefined: {reason}."
            continue
        bounds = "" if number.low is None else f" ({number.low:.2f} to {number.high:.2f})"
        judged = _ratio(number.value) if metric.name == "ratio" else _auroc(number.value, number.high)
        said[method] = f"{right}, {metric.label} {number.value:.2f}{bounds}: {judged}."
    return said


def agreement(found: Distribution, front_layer: str, end_layer: str) -> str:
    """How many of the detectors that are believed at this end layer call each method's activations far out; empty
    where none is believed yet."""
    believed = [name for name, detector in DETECTORS.items()
                if "auroc" in detector.metrics and found.belief(name, end_layer).holds]
    if not believed:
        return ""
    counts = []
    for method in found.run.request.methods:
        aurocs = (found.interval(name, method, "auroc", front_layer, end_layer).value for name in believed)
        counts.append(f"{sum(value is not None and value >= FAR for value in aurocs)} call {method.upper()}'s")
    return (f"Of {len(believed)} detectors that score images and are believed at {end_layer}, {', '.join(counts)} "
            f"activations out of distribution (AUROC {FAR} or more).")


def _auroc(value: float, high: float | None) -> str:
    if value >= FAR:
        return "these activations are out of distribution"
    if value >= PARTLY:
        return f"these activations are {'largely' if value >= LARGELY else 'partly'} out of distribution"
    if (value if high is None else high) < 0.5:
        return "they score as more typical than native ones, which is no evidence of being native"
    return "close to native: this detector can hardly tell them apart"


def _ratio(value: float) -> str:
    if value >= FAR_RATIO:
        return "as a whole far from native"
    return "as a whole close to native" if value <= NEAR_RATIO else "as a whole off native"
