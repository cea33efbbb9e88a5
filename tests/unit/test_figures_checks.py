"""Evidence of checks as figures: every kind is drawn as its data say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stitchlab.figures.alt import alt_text
from stitchlab.figures.checks import describe, label, short, sign, spread
from stitchlab.figures.checks_evidence import draw
from stitchlab.figures.curves import Curves
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import BLUE, REFERENCE
from stitchlab.results.checks.table import CheckRow

MATRIX: dict[str, Any] = {
    "kind": "matrix",
    "title": "Mean",
    "subtitle": "of 2 runs",
    "front_layers": ["one", "two"],
    "end_layers": ["one", "two", "three"],
    "values": [[0.5, None, 1.5], [0.1, 0.2, 0.3]],
    "low": 0.0,
    "high": None,
    "better": "lower",
    "marks": [[0, 0], [1, 2]],
}
LINES: dict[str, Any] = {
    "kind": "lines",
    "title": "one",
    "subtitle": "",
    "x_label": "r",
    "y_label": "accuracy",
    "lines": [
        {"name": "Linear probe", "role": "probe", "x": [1, 4, 16], "y": [0.2, 0.4, 0.9]},
        {"name": "Direct matching: accuracy", "role": "method", "x": [1, 4, 16], "y": [0.1, None, 0.8]},
        {"name": "Linear CKA", "role": "measure", "x": [1, 4, 16], "y": [0.3, 0.5, 0.7]},
        {"name": "seeds", "role": "level", "x": [1, 16], "y": [0.6, 0.6]},
    ],
}
POINTS: dict[str, Any] = {
    "kind": "points",
    "title": "Scatter",
    "subtitle": "ρ",
    "x_label": "closeness",
    "y_label": "similarity",
    "groups": [
        {"name": "a", "points": [[0.0, 1.0, "p"], [2.0, 3.0, "q"]]},
        {"name": "b", "points": [[1.0, None, "r"]]},
    ],
    "diagonal": True,
}
INTERVALS: dict[str, Any] = {
    "kind": "intervals",
    "title": "Intervals",
    "subtitle": "",
    "x_label": "similarity",
    "reference": 0.5,
    "rows": [
        {"label": "one", "value": 0.4, "low": 0.3, "high": 0.6},
        {"label": "two", "value": None, "low": None, "high": None},
    ],
}
EVERY = [MATRIX, LINES, POINTS, INTERVALS]


def test_a_matrix_keeps_its_numbers_and_frames_the_cells_that_count() -> None:
    grid = describe(MATRIX)
    assert isinstance(grid, Grid)
    np.testing.assert_array_equal(grid.values, [[0.5, np.nan, 1.5], [0.1, 0.2, 0.3]])
    assert (grid.low, grid.high, grid.better) == (0.0, 1.5, "lower"), "no upper end: up to the largest"
    shapes = draw(MATRIX).layout.shapes
    assert [(round((s.y0 + s.y1) / 2), round((s.x0 + s.x1) / 2)) for s in shapes] == [(0, 0), (1, 2)]


def test_lines_stand_over_doublings_and_have_colours_of_their_own() -> None:
    curves = describe(LINES)
    assert isinstance(curves, Curves)
    assert [curve.name for curve in curves.curves] == [
        "Linear probe",
        "Direct matching: accuracy",
        "Linear CKA",
        "seeds",
    ]
    np.testing.assert_allclose(curves.curves[0].points, [[0, 0.2], [2, 0.4], [4, 0.9]])
    assert np.isnan(curves.curves[1].points[1, 1])
    assert curves.x_ticks == ((0.0, "1"), (2.0, "4"), (4.0, "16"))
    assert len({curve.colour for curve in curves.curves}) == 4
    assert (curves.curves[1].colour, curves.curves[3].colour) == (BLUE, REFERENCE), "DM's own; a level is grey"
    assert [curve.dash for curve in curves.curves] == ["solid"] * 3 + ["dash"]
    assert draw(LINES).data[1].text == ("1, 0.1", "4, undefined", "16, 0.8")


def test_two_lines_of_one_method_differ_in_colour() -> None:
    twice = {**LINES, "lines": [LINES["lines"][1], LINES["lines"][1] | {"name": "Direct matching: agreement"}]}
    curves = describe(twice)
    assert isinstance(curves, Curves)
    assert curves.curves[0].colour != curves.curves[1].colour


def test_points_are_not_joined_and_the_diagonal_spans_them() -> None:
    first, second, diagonal = draw(POINTS).data
    assert first.mode == second.mode == "markers"
    np.testing.assert_array_equal(np.array(first.x)[::2], [0, 2])
    assert first.text[0] == "p<br>0, 1"
    assert second.text[0] == "r<br>1, undefined"
    assert (list(diagonal.x), list(diagonal.y)) == ([0.0, 3.0], [0.0, 3.0])
    assert len(draw(POINTS | {"diagonal": False}).data) == 2


def test_intervals_stand_below_each_other_the_first_on_top() -> None:
    bars, dots, held = draw(INTERVALS).data
    assert list(bars.x)[:2] == [0.3, 0.6]
    assert list(bars.y)[:2] == [1.0, 1.0]
    assert (dots.x[0], dots.y[0]) == (0.4, 1.0)
    assert list(held.x) == [0.5, 0.5]
    assert draw(INTERVALS).layout.yaxis.ticktext == ("two", "one")
    assert "undefined" in dots.text[2]
    assert len(draw(INTERVALS | {"reference": None}).data) == 2


@pytest.mark.parametrize("figure", EVERY, ids=lambda figure: figure["kind"])
def test_every_kind_is_drawn_in_the_dark_and_named_for_who_does_not_see_it(figure: dict[str, Any]) -> None:
    light, dark = draw(figure), draw(figure, dark=True)
    assert light.layout.template.layout.font.color != dark.layout.template.layout.font.color
    assert figure["title"] in alt_text(light) == alt_text(dark)


@pytest.mark.parametrize(
    "empty",
    [
        LINES | {"lines": []},
        POINTS | {"groups": []},
        POINTS | {"groups": [{"name": "a", "points": []}]},
        INTERVALS | {"rows": [], "reference": None},
        MATRIX | {"values": [[None] * 3] * 2, "marks": []},
    ],
)
def test_what_has_no_numbers_is_an_empty_figure(empty: dict[str, Any]) -> None:
    assert draw(empty).layout.height > 0


def test_measures_and_verdicts_in_words() -> None:
    from stitchlab.catalog.checks import CHECKS

    row = CheckRow("self", "dm/jsd", "columns", 0.5, None, None, None, "fail", "")
    assert (label("dm/jsd"), short("dm/jsd")) == ("Direct matching: prediction divergence", "Prediction divergence")
    assert sign(CHECKS["self"], "dm/jsd", row) == ("✗", "fail")
    assert sign(CHECKS["self"], "dm/jsd", row._replace(verdict="not enough data")) == ("?", "not enough data")
    assert sign(CHECKS["self"], "dm/jsd", None) == ("…", "not yet")
    assert sign(CHECKS["chance"], "dm/jsd", None) == ("–", "n/a")
    assert spread(row) == ""
    assert spread(row._replace(low=-0.25, high=0.5)) == "−0.25 to 0.50"
