"""Describes evidence of checks as data for figures (`stitchlab.results.checks.answers` says what each kind holds)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stitchlab.checks.material import Material, Values
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run

Places = Sequence[tuple[int, int]]


def numbers(values: Any) -> Any:
    """Give an array as nested lists of numbers, None where one is undefined."""
    if np.ndim(values):
        return [numbers(value) for value in values]
    return None if values is None or not np.isfinite(values) else float(values)


def matrix(
    material: Material,
    runs: Mapping[Ends, Run],
    subject: Quantity,
    what: str,
    marks: Callable[[Values], Places] = lambda values: (),
) -> list[dict[str, Any]]:
    """Describe the mean heatmap of a measure over runs of networks with the same layers; nothing where there is none.

    Args:
        material: of the suite.
        runs: by their networks.
        subject: the measure.
        what: the title, which says what is shown.
        marks: gives the cells that count, as places in a matrix of this shape.
    """
    found = material.mean(runs, subject)
    if found is None:
        return []
    values, run = found
    low, high = subject.range
    of = sum(set(ends) <= set(material.largest) for ends in runs)
    return [
        {
            "kind": "matrix",
            "title": what,
            "subtitle": f"{subject.label}, mean over {of} run{'' if of == 1 else 's'}",
            "front_layers": list(run.request.front_layers),
            "end_layers": list(run.request.end_layers),
            "values": numbers(values),
            "low": low,
            "high": high,
            "better": subject.better,
            "marks": [list(place) for place in marks(values)],
        }
    ]


def diagonal(values: Values) -> Places:
    """List the places of same layers in a matrix."""
    return [(k, k) for k in range(min(values.shape))]


def points(
    title: str,
    subtitle: str,
    x_label: str,
    y_label: str,
    groups: Mapping[str, Sequence[tuple[float, float, str]]],
    line: bool = False,
) -> dict[str, Any]:
    """Describe a scatter of groups of points.

    Args:
        title, subtitle, x_label, y_label: texts of the figure.
        groups: by name, (x, y, label) of each point; a number that is not finite becomes None.
        line: whether the diagonal y = x says something, and is drawn.
    """
    return {
        "kind": "points",
        "title": title,
        "subtitle": subtitle,
        "x_label": x_label,
        "y_label": y_label,
        "groups": [
            {"name": name, "points": [[numbers(x), numbers(y), label] for x, y, label in of]}
            for name, of in groups.items()
        ],
        "diagonal": line,
    }


def runs(
    material: Material, values: Mapping[Ends, float | None], of: Mapping[Ends, Run], cell: tuple[int, int] | None = None
) -> list[dict[str, Any]]:
    """List the runs behind a statistic.

    Args:
        material: of the suite.
        values: each run's own value, by its networks; None where it has none.
        of: the runs by their networks.
        cell: to look at, by its place (front layer, end layer); None: none.

    Returns:
        id, title, value, and cell by its layers' names, of each run.
    """
    found = []
    for ends, value in values.items():
        run = of[ends]
        at = {"cell": [run.request.front_layers[cell[0]], run.request.end_layers[cell[1]]]} if cell else {}
        found.append({"id": run.id, "title": material.title(ends), "value": value, **at})
    return found


def each(parts: Mapping[Ends, tuple[float, float]]) -> dict[Ends, float | None]:
    """Give numerator / denominator of each run; None where there is no case."""
    return {ends: float(right / of) if of else None for ends, (right, of) in parts.items()}
