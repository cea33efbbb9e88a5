"""Check the distribution: is accuracy reached with activations that look native? (Balogh & Jelasity 2025.)"""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from stitchlab.checks import evidence
from stitchlab.checks.evidence import Point
from stitchlab.checks.material import Material
from stitchlab.checks.statistics import share
from stitchlab.request import Method, method_of
from stitchlab.results.checks.answers import Answer
from stitchlab.results.checks.suite import Ends
from stitchlab.results.detection import DetectionResults
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run
from stitchlab.results.similarity import SET_DETECTOR, accuracy_of, nativeness

Group = Literal["accurate and native", "accurate, not native", "not accurate"]


def check(material: Material, subject: str) -> Answer:
    """Compute the share of accurate cells whose activations are native by the Fréchet ratio.

    End layers at which the ratio is not believed are left out.

    Args:
        material: of the suite, with the Fréchet ratios of each network into the `next`.
        subject: ``tlm/accuracy`` or ``dm/accuracy``.

    Returns:
        ``native`` in 0..1; undefined where no cell is accurate.
    """
    measure, left_out = Quantity.of(subject), 0
    method = method_of(measure.name)
    parts: dict[Ends, tuple[float, float]] = {}
    groups: dict[Group, list[Point]] = {group: [] for group in get_args(Group)}
    for ends, run in material.checking.next.items():
        results, counts = material.detection_results(ends), Counter[Group]()
        for i, j in run.request.cells:
            group = _group(run, results, method, i, j)
            if group is None:
                left_out += 1
                continue
            counts[group] += 1
            accuracy = run.value(method, "accuracy", i, j)
            ratio = results.interval(SET_DETECTOR, method, "ratio", i, j).value
            groups[group].append((accuracy or 0.0, ratio or 0.0, f"{i} → {j}, {material.title(ends)}"))
        native = counts["accurate and native"]
        parts[ends] = (float(native), float(native + counts["accurate, not native"]))
    reason = f"{left_out:,} cells left out: no ratio there, or one that is not believed" if left_out else ""
    none = "no cell is accurate" if any(groups.values()) else "no cell has a ratio that is believed"
    shown = {str(group): cells for group, cells in groups.items()}
    title, y_label = "Accuracy and distance from native activations", "Fréchet ratio (0: native)"
    return Answer(
        {"native": share(parts, "in-distribution", "native", reason, none=none)},
        {
            "figures": [evidence.points(title, measure.label, "accuracy", y_label, shown)],
            "runs": evidence.runs(material, evidence.quotients(parts), material.checking.next),
        },
    )


def _group(run: Run, results: DetectionResults, method: Method, i: str, j: str) -> Group | None:
    """Name the group of points to which a cell belongs; None if its Fréchet ratio is missing or not believed."""
    category = nativeness(results, SET_DETECTOR, method, i, j)
    if not results.reliability(SET_DETECTOR, j).holds or category is None:
        return None
    if accuracy_of(run, method, i, j) != "accurate":
        return "not accurate"
    return "accurate and native" if category == "native" else "accurate, not native"
