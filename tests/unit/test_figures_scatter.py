"""All cells of a grid in one picture: where the points lie, which cell each is, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from grids import COLUMNS, ROWS, made

from stitchlab.figures.scatter import MIN_DRAWN_RATIO, accuracy_and_frechet
from stitchlab.results.detection import DetectionResults, Reliability
from stitchlab.store import Store

RATIOS = {"tlm": np.array([[1.5, 0.9], [3.0, np.nan]]), "dm": np.array([[0.2, 0.0], [0.1, 0.04]])}


@pytest.fixture
def found(finished_grid: Store, monkeypatch: pytest.MonkeyPatch) -> DetectionResults:
    monkeypatch.setattr(DetectionResults, "matrix", lambda self, detector, method, metric: RATIOS[method])
    return DetectionResults(made(finished_grid))


def methods(figure: go.Figure) -> dict[str, Any]:
    return {
        trace.hovertemplate.split("<extra>")[1][:3].strip("<"): trace for trace in figure.data if trace.hovertemplate
    }


def test_each_point_is_the_cell_of_its_number_with_its_two_numbers(found: DetectionResults) -> None:
    drawn = methods(accuracy_and_frechet(found))
    for method, name in (("tlm", "TLM"), ("dm", "DM")):
        trace = drawn[name]
        for k, text in enumerate(trace.text):
            i, j = divmod(k, len(COLUMNS))
            assert text == f"{ROWS[i]} → {COLUMNS[j]}"
            if np.isfinite(ratio := RATIOS[method][i, j]):
                assert (trace.x[k], trace.customdata[k]) == (max(ratio, MIN_DRAWN_RATIO), ratio)
                assert trace.y[k] == found.run.value(method, "accuracy", ROWS[i], COLUMNS[j])
    assert drawn["TLM"].marker.color != drawn["DM"].marker.color
    assert drawn["TLM"].marker.symbol != drawn["DM"].marker.symbol


def test_a_ratio_of_nothing_stands_at_the_end_of_the_axis_which_says_so(found: DetectionResults) -> None:
    axis = accuracy_and_frechet(found).layout.xaxis
    assert axis.type == "log"
    assert axis.ticktext[list(axis.tickvals).index(MIN_DRAWN_RATIO)] == f"≤ {MIN_DRAWN_RATIO:g}"
    assert 10 ** axis.range[0] < MIN_DRAWN_RATIO < 3.0 < 10 ** axis.range[1]


def test_an_undefined_number_keeps_its_place_is_not_drawn_and_is_counted(found: DetectionResults) -> None:
    trace = methods(accuracy_and_frechet(found))["TLM"]
    assert np.isnan(trace.x[3])
    assert np.isnan(trace.y[3])
    assert trace.name == "TLM (3 of 4 cells)"


def test_the_selected_cell_has_a_ring_for_each_method(found: DetectionResults) -> None:
    (ring,) = [
        trace for trace in accuracy_and_frechet(found, selected=(ROWS[1], COLUMNS[0])).data if trace.name == "selected"
    ]
    assert list(ring.x) == [3.0, 0.1]
    assert ring.hoverinfo == "skip", "it would take the click from the point under it"
    assert "selected" not in [trace.name for trace in accuracy_and_frechet(found, selected=("gone", "flatten")).data]


def test_a_line_says_what_the_end_network_has_alone(found: DetectionResults) -> None:
    (line,) = [trace for trace in accuracy_and_frechet(found).data if trace.mode == "lines"]
    assert list(line.y) == [found.run.own_accuracy] * 2
    assert f"{found.run.own_accuracy:.2f}" in line.name


def test_columns_whose_ratio_deserves_no_belief_are_pale(
    found: DetectionResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "believed" not in accuracy_and_frechet(found).layout.title.text
    monkeypatch.setattr(DetectionResults, "reliability", lambda self, detector, j: Reliability(j != COLUMNS[1]))
    figure = accuracy_and_frechet(found)
    first, second, *_ = methods(figure)["DM"].marker.opacity
    assert second < first
    assert "believed" in figure.layout.title.text


def test_a_run_nobody_looked_at_is_an_empty_picture(found: DetectionResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DetectionResults, "matrix", lambda *_: np.full((2, 2), np.nan))
    figure = accuracy_and_frechet(found, selected=(ROWS[0], COLUMNS[0]))
    assert np.isfinite(figure.layout.xaxis.range).all()
    assert methods(figure)["DM"].name == "DM (0 of 4 cells)"
