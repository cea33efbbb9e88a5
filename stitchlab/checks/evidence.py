"""Describe evidence of checks as data for figures, as JSON (`stitchlab.results.checks.answers` lists the kinds)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import numpy as np

from stitchlab.catalog.methods import Direction
from stitchlab.checks.material import Material, Values
from stitchlab.results.checks.suite import Ends
from stitchlab.results.quantity import Quantity
from stitchlab.results.run import Run

Places = Sequence[tuple[int, int]]  #: of cells in a matrix: (row, column)
Point = tuple[float, float, str]  #: x, y and label of a point in a scatter


class MatrixFigure(TypedDict):
    """Hold a heatmap: rows are front layers, ``marks`` are the places of cells that count."""

    kind: Literal["matrix"]
    title: str
    subtitle: str
    front_layers: list[str]
    end_layers: list[str]
    values: list[list[float | None]]
    low: float
    high: float | None
    better: Direction
    marks: list[list[int]]


class PointsGroup(TypedDict):
    """Hold one group of a scatter; each point is [x, y, label]."""

    name: str
    points: list[list[float | str | None]]


class PointsFigure(TypedDict):
    """Hold a scatter; ``diagonal`` says whether the line y = x is drawn."""

    kind: Literal["points"]
    title: str
    subtitle: str
    x_label: str
    y_label: str
    groups: list[PointsGroup]
    diagonal: bool


class Line(TypedDict):
    """Hold one line of a figure of lines; ``role`` decides its colour."""

    name: str
    role: Literal["probe", "measure", "method", "level"]
    x: list[int]
    y: list[float | None]


class LinesFigure(TypedDict):
    """Hold a figure of lines."""

    kind: Literal["lines"]
    title: str
    subtitle: str
    x_label: str
    y_label: str
    lines: list[Line]


class IntervalRow(TypedDict):
    """Hold one value with its interval."""

    label: str
    value: float | None
    low: float | None
    high: float | None


class IntervalsFigure(TypedDict):
    """Hold values with their intervals, and a ``reference`` value with which they are compared."""

    kind: Literal["intervals"]
    title: str
    subtitle: str
    x_label: str
    rows: list[IntervalRow]
    reference: float | None


class RunRow(TypedDict):
    """Hold one run behind a statistic, with its own value, and the names of the layers of a cell to look at."""

    id: str
    title: str
    value: float | None
    cell: NotRequired[list[str]]


def number(value: float | None) -> float | None:
    """Convert a number to JSON: None if it is undefined or not finite."""
    return None if value is None or not np.isfinite(value) else float(value)


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """Convert a list of numbers (n,) to JSON."""
    return [number(value) for value in values]


def matrix(
    material: Material,
    runs: Mapping[Ends, Run],
    measure: Quantity,
    title: str,
    marks: Callable[[Values], Places] = lambda values: (),
) -> list[MatrixFigure]:
    """Describe the mean heatmap of a measure over runs of networks with the same layers; none without such runs.

    Args:
        material: of the suite.
        runs: by their networks.
        measure: whose values are shown.
        title: of the figure.
        marks: gives the places of the cells that count in a matrix of this shape.
    """
    mean = material.mean(runs, measure)
    if mean is None:
        return []
    values, run = mean
    low, high = measure.range
    count = sum(set(ends) <= set(material.largest_group) for ends in runs)
    return [
        {
            "kind": "matrix",
            "title": title,
            "subtitle": f"{measure.label}, mean over {count} run{'' if count == 1 else 's'}",
            "front_layers": list(run.request.front_layers),
            "end_layers": list(run.request.end_layers),
            "values": [numbers(row) for row in values],
            "low": low,
            "high": high,
            "better": measure.better,
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
    groups: Mapping[str, Sequence[Point]],
    line: bool = False,
) -> PointsFigure:
    """Describe a scatter of groups of points.

    Args:
        title, subtitle, x_label, y_label: texts of the figure.
        groups: points by the name of their group; a number that is not finite becomes None.
        line: whether the diagonal y = x is drawn.
    """
    return {
        "kind": "points",
        "title": title,
        "subtitle": subtitle,
        "x_label": x_label,
        "y_label": y_label,
        "groups": [
            {"name": name, "points": [[number(x), number(y), label] for x, y, label in group]}
            for name, group in groups.items()
        ],
        "diagonal": line,
    }


def runs(
    material: Material,
    values: Mapping[Ends, float | None],
    runs_of: Mapping[Ends, Run],
    cell: tuple[int, int] | None = None,
) -> list[RunRow]:
    """List the runs behind a statistic.

    Args:
        material: of the suite.
        values: each run's own value, by its networks; None where it has none.
        runs_of: the runs, by their networks.
        cell: to look at, by its place (front layer, end layer); None: none.

    Returns:
        id, title, value, and cell by its layers' names, of each run.
    """
    rows: list[RunRow] = []
    for ends, value in values.items():
        run = runs_of[ends]
        row: RunRow = {"id": run.id, "title": material.title(ends), "value": value}
        if cell:
            row["cell"] = [run.request.front_layers[cell[0]], run.request.end_layers[cell[1]]]
        rows.append(row)
    return rows


def quotients(parts: Mapping[Ends, tuple[float, float]]) -> dict[Ends, float | None]:
    """Compute numerator / denominator of each run; None where the denominator is 0."""
    return {
        ends: float(numerator / denominator) if denominator else None
        for ends, (numerator, denominator) in parts.items()
    }
