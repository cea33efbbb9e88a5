"""Describe the results of checks before they are drawn: the words of their table, and evidence as heatmaps or curves.

The same description serves the page, where Plotly draws it (`stitchlab.figures.checks_evidence`), and files
(`stitchlab.export.vector.checks`). The results are those of `stitchlab.results.checks.answers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stitchlab.catalog.check_rules import Check
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.curves import Curve, Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.ranges import Ticks, Values, ends, round_ticks, shared_range, with_room
from stitchlab.figures.template import COLOURS as METHOD_COLOURS
from stitchlab.figures.template import OTHERS, REFERENCE, mark
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.table import CheckRow, Verdict, applies, rows
from stitchlab.results.quantity import Quantity

Figure = Mapping[str, Any]  #: evidence of one kind, as `stitchlab.results.checks.answers` describes it
ROOM_SHARE = 0.06  # of the range of points: the room that an axis has around them
SIGNS: dict[Verdict, str] = {"pass": "✓", "fail": "✗", "not enough data": "?"}


def label(subject: str) -> str:
    """Return the label of a measure.

    >>> label("tlm/accuracy"), label("cka/similarity")
    ('Task loss matching: accuracy', 'Linear CKA')
    """
    return Quantity.of(subject).label


def short(subject: str) -> str:
    """Return a shorter label of a measure, for a place below a heading that names its method."""
    name = label(subject).rpartition(": ")[2] if Quantity.of(subject).stitched else label(subject)
    return name[:1].upper() + name[1:]


def first_rows(answers: Answers) -> dict[tuple[str, str], CheckRow]:
    """Return the rows that a table of all checks shows: for each (check, measure), the check's first statistic."""
    return {
        (row.check, row.subject): row for row in rows(answers) if row.statistic == CHECKS[row.check].statistics[0].name
    }


def sign(check: Check, subject: str, row: CheckRow | None) -> tuple[str, str]:
    """Return the sign and the word for the result of a measure in a check.

    Args:
        check: the check.
        subject: the measure.
        row: the check's first statistic for the measure; None if it is not computed yet.

    Returns: for instance ``✓`` and ``pass``; ``–`` and ``n/a`` if the check is not for this measure.
    """
    if not applies(check, subject):
        return "–", "n/a"
    return ("…", "not yet") if row is None else (SIGNS[row.verdict], row.verdict)


def spread(row: CheckRow) -> str:
    """Write how certain a statistic is: its p-value, else its interval; empty if it has neither.

    >>> blank = CheckRow("self", "cka/similarity", "columns", 0.5, 0.25, 1.0, None, "fail", "")
    >>> spread(blank), spread(blank._replace(p=0.0213)), spread(blank._replace(p=0.0001))
    ('0.25 to 1.00', 'p = 0.021', 'p < 0.001')
    """
    if row.p is not None:
        return "p < 0.001" if row.p < 0.001 else f"p = {row.p:.3f}"
    return "" if row.low is None or row.high is None else f"{row.low:z.2f} to {row.high:z.2f}".replace("-", "−")


def describe(figure: Figure) -> Grid | Curves:
    """Describe a figure of the evidence as a grid or as curves, which pages and files can draw."""
    if figure["kind"] == "matrix":
        return _matrix(figure)
    return {"lines": _lines, "points": _points, "intervals": _intervals}[figure["kind"]](figure)


def _matrix(figure: Figure) -> Grid:
    values = _numbers(figure["values"]).reshape(len(figure["front_layers"]), len(figure["end_layers"]))
    low, high = shared_range([values], figure["low"], figure["high"])
    return Grid(
        title=figure["title"],
        subtitle=figure["subtitle"],
        values=values,
        low=low,
        high=high,
        front="the front network",
        end="the end network",
        front_layers=tuple(figure["front_layers"]),
        end_layers=tuple(figure["end_layers"]),
        better=figure["better"],
        diverging=low < 0,
    )


def _lines(figure: Figure) -> Curves:
    curves: list[Curve] = []
    for k, line in enumerate(figure["lines"]):
        level = line["role"] == "level"
        points = np.stack([_numbers(line["x"]), _numbers(line["y"])], 1)
        colour = _colour_of_line(line, [curve.colour for curve in curves])
        curves.append(Curve(line["name"], points, colour, "dash" if level else "solid", not level, mark(k)))
    ranks = sorted({float(x) for curve in curves for x in curve.points[:, 0]})
    if len(ranks) > 1 and ranks[0] > 0:  # numbers of kept directions double from one to the next
        curves = [
            replace(curve, points=np.stack([np.log2(curve.points[:, 0]), curve.points[:, 1]], 1)) for curve in curves
        ]
        return _curves(figure, curves, tuple((float(np.log2(x)), f"{x:g}") for x in ranks))
    return _curves(figure, curves)


def _points(figure: Figure) -> Curves:
    groups = figure["groups"]
    curves = [
        Curve(group["name"], _apart([point[:2] for point in group["points"]]), colour, marked=True, symbol=mark(k))
        for k, (group, colour) in enumerate(zip(groups, _colours(len(groups)), strict=True))
    ]
    points = _all_points(curves)
    points = points[np.isfinite(points).all(1)]
    if figure["diagonal"] and len(points):
        diagonal = np.array([(end, end) for end in ends(points)])
        curves.append(Curve("both equal", diagonal, REFERENCE, dash="dash"))
    return _curves(figure, curves)


def _intervals(figure: Figure) -> Curves:
    intervals, count = figure["rows"], len(figure["rows"])
    heights = [count - 1 - k for k in range(count)]  # the first interval is on top
    bars = [
        point
        for row, y in zip(intervals, heights, strict=True)
        for point in ((row["low"], y), (row["high"], y), (None, None))
    ]
    dots = _apart([(row["value"], y) for row, y in zip(intervals, heights, strict=True)])
    curves = [
        Curve("95 % interval", _numbers(bars).reshape(-1, 2), METHOD_COLOURS["dm"]),
        Curve("value", dots, METHOD_COLOURS["dm"], marked=True),
    ]
    if figure["reference"] is not None:
        upright = np.array([(figure["reference"], -0.5), (figure["reference"], count - 0.5)])
        curves.append(Curve("compared with", upright, REFERENCE, dash="dash"))
    return _curves(
        figure,
        curves,
        y_ticks=tuple((y, row["label"]) for y, row in enumerate(reversed(intervals))),
        y_range=(-0.7, count - 0.3),
    )


def _curves(
    figure: Figure,
    curves: Sequence[Curve],
    x_ticks: Ticks = (),
    y_ticks: Ticks = (),
    y_range: tuple[float, float] | None = None,
) -> Curves:
    points = _all_points(curves)
    x_range, y_range = with_room(points[:, 0], ROOM_SHARE), y_range or with_room(points[:, 1], ROOM_SHARE)
    return Curves(
        title=figure["title"],
        subtitle=figure["subtitle"],
        across=figure["x_label"],
        down=figure.get("y_label", ""),
        curves=tuple(curves),
        x_range=x_range,
        y_range=y_range,
        x_ticks=x_ticks or round_ticks(*x_range),
        y_ticks=y_ticks or round_ticks(*y_range),
    )


def _all_points(curves: Sequence[Curve]) -> Values:
    """Return the points (N, 2) of all curves."""
    return np.concatenate([np.zeros((0, 2)), *(curve.points for curve in curves)])


def _apart(points: Sequence[Any]) -> Values:
    """Return points (2 N, 2) with a gap after each, so that no line joins them."""
    return _numbers([pair for point in points for pair in (point, (None, None))]).reshape(-1, 2)


def _numbers(values: Any) -> Values:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _colour_of_line(line: Mapping[str, Any], taken: Sequence[str]) -> str:
    """Choose the colour of a line: the page's ink for the probe, a method's own colour, or one that is not taken."""
    if line["role"] in ("probe", "level"):
        return "" if line["role"] == "probe" else REFERENCE
    of_method = [METHOD_COLOURS[method] for method in METHOD_LABELS if line["name"].startswith(METHOD_LABELS[method])]
    return next(colour for colour in (*of_method, *OTHERS, REFERENCE) if colour not in taken or colour == REFERENCE)


def _colours(count: int) -> list[str]:
    cycle = [METHOD_COLOURS["dm"], METHOD_COLOURS["tlm"], *OTHERS[:3]]
    return (cycle * (count // len(cycle) + 1))[:count]
