"""Checks the distribution: is accuracy reached by native-looking activations? (Balogh & Jelasity 2025.)"""

from __future__ import annotations

from collections import Counter

from stitchlab.checks import evidence
from stitchlab.checks.material import Material
from stitchlab.checks.statistics import share
from stitchlab.request import Method, method_of
from stitchlab.results.checks.answers import Answer
from stitchlab.results.checks.suite import Ends
from stitchlab.results.detection import DetectionResults
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, accuracy_of, nativeness

Point = tuple[float, float, str]
NATIVE, OTHER, INACCURATE = "accurate and native", "accurate, not native", "not accurate"


def check(material: Material, subject: str) -> Answer:
    """Give the share of the accurate cells whose activations the Fréchet ratio calls native.

    End layers at which it is not believed (its own rows are out of order) are left out.

    Args:
        material: of the suite, with what the Fréchet ratio says of each network into the `next`.
        subject: ``tlm/accuracy`` or ``dm/accuracy``.

    Returns:
        ``native`` in 0..1; undefined where no cell is accurate.
    """
    measure, left_out = Quantity.of(subject), 0
    method = method_of(measure.name)
    parts: dict[Ends, tuple[float, float]] = {}
    groups: dict[str, list[Point]] = {NATIVE: [], OTHER: [], INACCURATE: []}
    for ends, run in material.checking.next.items():
        found, counts = material.judged(ends), Counter[str]()
        for i, j in run.request.cells:
            group = _group(run, found, method, i, j)
            if group is None:
                left_out += 1
                continue
            counts[group] += 1
            accuracy = run.value(method, "accuracy", i, j)
            ratio = found.interval(SET_DETECTOR, method, "ratio", i, j).value
            groups[group].append((accuracy or 0.0, ratio or 0.0, f"{i} → {j}, {material.title(ends)}"))
        parts[ends] = (float(counts[NATIVE]), float(counts[NATIVE] + counts[OTHER]))
    reason = f"{left_out:,} cells left out: no ratio there, or one that is not believed" if left_out else ""
    none = "no cell is accurate" if any(groups.values()) else "no cell has a ratio that is believed"
    title, y_label = "Accuracy and distance from native activations", "Fréchet ratio (0: native)"
    return Answer(
        {"native": share(parts, "in-distribution", "native", reason, none=none)},
        {
            "figures": [evidence.points(title, measure.label, "accuracy", y_label, groups)],
            "runs": evidence.runs(material, evidence.each(parts), material.checking.next),
        },
    )


def _group(run: Run, found: DetectionResults, method: Method, i: str, j: str) -> str | None:
    """Name the group of points that a cell belongs to; None where the Fréchet ratio is not there or not believed."""
    at = nativeness(found, SET_DETECTOR, method, i, j)
    if not found.reliability(SET_DETECTOR, j).holds or at is None:
        return None
    if accuracy_of(run, method, i, j) != "accurate":
        return INACCURATE
    return NATIVE if at == "native" else OTHER
