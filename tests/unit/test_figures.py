"""What figures draw: texts, ticks, ranges and marks, not pixels."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from grids import COLUMNS, ROWS, SMALL, made

from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.presets import PRESETS
from stitchlab.figures import run_grids
from stitchlab.figures.cell_numbers import NOTHING
from stitchlab.figures.colours import on_scale
from stitchlab.figures.grid import Grid, best_of_columns
from stitchlab.figures.heatmap import heatmap
from stitchlab.figures.ranges import shared_range
from stitchlab.figures.story import story
from stitchlab.figures.template import template
from stitchlab.grid.ask import ask
from stitchlab.request import TaskLoss
from stitchlab.results import recipe
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Store

HOUSE = Path(__file__).resolve().parents[2]
VALUES = np.array([[0.9, 0.25, np.nan], [0.5, 0.75, np.nan]])


@pytest.fixture(scope="session")
def run(finished_grid: Store) -> Run:
    return made(finished_grid)  # all of it is there already


def some(**change: Any) -> Grid:
    given: dict[str, Any] = {
        "title": "A title",
        "subtitle": "with its recipe",
        "values": VALUES,
        "front_layers": ("one", "two"),
        "end_layers": ("a", "b", "c"),
        "front": "left",
        "end": "right",
        "low": 0.0,
        "high": 1.0,
        "better": "higher",
    }
    return Grid(**{**given, **change})


def traces(figure: go.Figure, kind: type) -> list[Any]:
    return [trace for trace in figure.data if isinstance(trace, kind)]


def cells(figure: go.Figure) -> go.Heatmap:
    """The heatmap that carries the colours; the others are the grey under it, a veil and the numbers."""
    found: go.Heatmap = next(trace for trace in traces(figure, go.Heatmap) if trace.zmin is not None)
    return found


def layers(figure: go.Figure) -> dict[str, Any]:
    """The numbers by their colour; what stands nowhere is empty."""
    return {
        trace.textfont.color: [[text.replace(NOTHING, "") for text in row] for row in trace.text]
        for trace in traces(figure, go.Heatmap)
        if trace.text is not None
    }


def numbers(figure: go.Figure) -> list[list[str]]:
    """The numbers in their cells, whatever their colour."""
    return [
        ["".join(texts) for texts in zip(*rows, strict=True)] for rows in zip(*layers(figure).values(), strict=True)
    ]


def named(figure: go.Figure, name: str) -> go.Scatter:
    found: go.Scatter = next(trace for trace in traces(figure, go.Scatter) if trace.name == name)
    return found


def places(trace: go.Scatter) -> set[tuple[int, int]]:
    """(row, column) of the cells that a trace's marks lie in."""
    return {(round(y), round(x)) for x, y in zip(trace.x, trace.y, strict=True)}


def test_numbers_stand_in_their_cells_and_nothing_where_there_is_none() -> None:
    figure = heatmap(some())
    assert numbers(figure) == [["0.90", "0.25", ""], ["0.50", "0.75", ""]]
    np.testing.assert_array_equal(np.asarray(cells(figure).z, dtype=float), VALUES)


def test_rows_are_front_layers_from_the_top_and_columns_end_layers_from_the_left() -> None:
    layout = heatmap(some()).layout
    assert list(layout.yaxis.ticktext) == ["one", "two"]
    assert list(layout.xaxis.ticktext) == ["a", "b", "c"]
    assert layout.yaxis.range[0] > layout.yaxis.range[1], "the first front layer is on top"
    assert layout.xaxis.range[0] < layout.xaxis.range[1]
    assert "left" in layout.yaxis.title.text
    assert "right" in layout.xaxis.title.text


def test_title_and_recipe_are_in_the_figure() -> None:
    text = heatmap(some()).layout.title.text
    assert "A title" in text
    assert "with its recipe" in text


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_not_there_is_grey_and_only_that(dark: bool) -> None:
    figure = heatmap(some(), dark=dark)
    under = traces(figure, go.Heatmap)[0]
    np.testing.assert_array_equal(np.isnan(np.asarray(under.z, dtype=float)), ~np.isnan(VALUES))
    (_, first), (_, last) = under.colorscale
    assert first == last
    red, green, blue = (int(first[k : k + 2], 16) for k in (1, 3, 5))
    assert max(red, green, blue) - min(red, green, blue) < 24, "grey is no colour of the scale"


@pytest.mark.parametrize(("better", "best"), [("higher", {(0, 0), (1, 1)}), ("lower", {(1, 0), (0, 1)}), ("", set())])
def test_the_best_of_each_column_is_marked_by_its_direction(better: str, best: set[tuple[int, int]]) -> None:
    assert places(named(heatmap(some(better=better)), "best")) == best


def test_all_equals_are_the_best_and_empty_columns_have_none() -> None:
    assert best_of_columns(np.array([[1.0, np.nan], [0.5, np.nan], [1.0, np.nan]]), "higher") == [(0, 0), (2, 0)]


def test_one_range_for_all_matrices_of_a_quantity() -> None:
    one, other = np.array([[0.2, np.nan]]), np.array([[3.5, 0.1]])
    assert shared_range([one, other], 0, None) == (0, 3.5)
    assert shared_range([one], 0, 1) == (0, 1)
    assert shared_range([one - 0.5], 0, 1) == pytest.approx((-0.3, 1)), "a negative penalty is not clipped"
    assert shared_range([np.array([[np.nan]])], 0, None) == (0, 1)


def test_a_difference_has_its_neutral_colour_at_zero() -> None:
    shown = cells(heatmap(some(low=-0.4, high=0.4, diverging=True)))
    assert shown.zmin == -shown.zmax
    assert shown.colorscale != cells(heatmap(some())).colorscale


def test_every_cell_can_be_clicked_and_says_its_name() -> None:
    clickable = named(heatmap(some()), "cells")
    assert places(clickable) == {(r, c) for r in range(2) for c in range(3)}
    assert clickable.marker.opacity == clickable.selected.marker.opacity == clickable.unselected.marker.opacity == 0
    assert "one → a" in clickable.text[0]
    assert "0.9000" in clickable.text[0]
    assert "not computed" in clickable.text[2]
    assert all(trace.hoverinfo == "skip" for trace in traces(heatmap(some()), go.Heatmap))


def test_the_selected_cell_gets_a_frame_and_a_cell_that_is_not_there_none() -> None:
    halo, frame = heatmap(some(), selected=("two", "c")).layout.shapes
    for shape in (halo, frame):
        assert ((shape.x0 + shape.x1) / 2, (shape.y0 + shape.y1) / 2) == (2, 1)
    assert halo.line.width > frame.line.width, "light around it, so that it is seen on any cell, in grey too"
    assert not heatmap(some()).layout.shapes
    assert not heatmap(some(), selected=("two", "gone")).layout.shapes


def test_a_grid_of_one_cell_is_drawn() -> None:
    shown = heatmap(some(values=np.array([[0.5]]), front_layers=("one",), end_layers=("a",)))
    assert numbers(shown) == [["0.50"]]


@pytest.mark.parametrize("metric", METRICS)
def test_both_methods_share_one_range_and_hold_the_runs_numbers(run: Run, metric: str) -> None:
    tlm, dm = run_grids.metric_grids(run, metric)
    assert (tlm.low, tlm.high, tlm.better) == (dm.low, dm.high, METRICS[metric].better)
    for grid, method in ((tlm, "tlm"), (dm, "dm")):
        np.testing.assert_array_equal(grid.values, run.matrix(method, metric))
        assert (list(grid.front_layers), list(grid.end_layers)) == (ROWS, COLUMNS)
        assert np.nanmin(grid.values) >= grid.low
        assert np.nanmax(grid.values) <= grid.high
    if metric == "accuracy":
        assert (tlm.low, tlm.high) == (0, 1)


def test_every_tlm_figure_carries_its_recipe(run: Run) -> None:
    for metric in METRICS:
        tlm, dm = run_grids.metric_grids(run, metric)
        (difference,) = run_grids.difference_grids(run, metric)
        assert recipe.words(run) in tlm.subtitle
        assert recipe.words(run) in difference.subtitle
        assert str(run.request.dm.images) in dm.subtitle


SHIFTED = TaskLoss(augment="flip-crop")


@pytest.mark.parametrize(
    ("data", "tlm", "words"),
    [
        ("digits", PRESETS["plain"], "paper recipe, 30 epochs, lr 0.001, un-augmented"),
        ("digits", SHIFTED, "own recipe, 30 epochs, lr 0.001, flips and crops"),
        ("cifar10", PRESETS["plain"], "plain recipe, 30 epochs, lr 0.001, un-augmented"),
        ("cifar10", SHIFTED, "paper recipe, 30 epochs, lr 0.001, flips and crops"),
        (
            "cifar10",
            replace(SHIFTED, images=12_500),
            "paper recipe, 30 epochs, lr 0.001, flips and crops, 12,500 training images",
        ),
        ("mnist", SHIFTED, "own recipe, 30 epochs, lr 0.001, flips and crops"),
        (
            "cifar10",
            replace(PRESETS["quick"], augment="flip-crop"),
            "quick recipe, 5 epochs, SOAP, lr 0.02, one-cycle, flips and crops",
        ),
        (
            "cifar10",
            replace(PRESETS["quick"], augment="none"),
            "quick recipe, 5 epochs, SOAP, lr 0.02, one-cycle, un-augmented",
        ),
        ("cifar10", replace(SHIFTED, epochs=1), "own recipe, 1 epoch, lr 0.001, flips and crops"),
        (
            "digits",
            TaskLoss(targets="soft", init="dm"),
            "own recipe, 30 epochs, lr 0.001, un-augmented, soft targets, from DM",
        ),
    ],
)
def test_a_recipe_is_called_by_its_presets_name_only_where_it_is_that(
    run: Run, data: str, tlm: TaskLoss, words: str
) -> None:
    shape = [1, 8, 8] if data == "digits" else [3, 32, 32]
    record = {
        **run.record,
        "data": {**run.record["data"], "name": data, "shape": shape},
        "request": asdict(replace(run.request, tlm=tlm)),
    }
    old = Run(run.store, record)
    assert recipe.words(old) == words
    assert recipe.is_the_papers(old) == (words.startswith("paper") and "training images" not in words)


def test_the_difference_is_tlm_minus_dm(run: Run) -> None:
    (grid,) = run_grids.difference_grids(run, "accuracy")
    np.testing.assert_array_equal(grid.values, run.matrix("tlm", "accuracy") - run.matrix("dm", "accuracy"))
    assert grid.diverging
    assert not grid.better, "no cell of a difference is the best"
    assert (grid.low, grid.high) == (-1, 1), "one range for all runs, so that they can be compared"
    assert "from −1.00 to 1.00" in grid.subtitle


@pytest.mark.parametrize("metric", METRICS)
def test_red_is_where_tlm_calls_layers_more_similar(run: Run, metric: str) -> None:
    (grid,) = run_grids.difference_grids(run, metric)
    assert grid.low == -grid.high < 0
    higher, lower = on_scale(np.array([0.9 * grid.high, 0.9 * grid.low]), grid.low, grid.high, grid.scale)
    red, blue = (higher, lower) if METRICS[metric].better == "higher" else (lower, higher)
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]
    assert "red: more similar by TLM" in grid.subtitle


def test_indices_stand_on_scales_of_their_own(run: Run) -> None:
    made_grids = run_grids.index_grids(run)
    assert [grid.title for grid in made_grids] == [
        "Linear CKA",
        "Linear CKA (debiased)",
        "PWCCA",
        "Orthogonal Procrustes",
    ]
    assert [(grid.low, grid.high) for grid in made_grids] == [(0, 1), (-1, 1), (0, 1), (0, 2)]
    assert [grid.better for grid in made_grids] == ["higher", "higher", "lower", "lower"]
    assert [grid.diverging for grid in made_grids] == [False, True, False, False], "0 of debiased CKA is no similarity"


def test_a_run_without_numbers_is_drawn_grey_and_says_nothing(digits_store: Store, store: Store) -> None:
    empty = ask("digits-a", "digits-b", store, **SMALL)
    for grid in (
        *run_grids.metric_grids(empty, "distance"),
        *run_grids.difference_grids(empty, "distance"),
        *run_grids.index_grids(empty),
    ):
        assert not any(text for row in numbers(heatmap(grid)) for text in row)
        assert not places(named(heatmap(grid), "best"))
    assert story(DetectionResults(empty)) == []


def test_a_run_of_one_method_has_one_heatmap_and_no_difference(store: Store) -> None:
    only = ask("digits-a", "digits-b", store, **{**SMALL, "methods": ["dm"], "indices": []})
    assert [grid.title for grid in run_grids.metric_grids(only, "accuracy")] == ["Direct matching: accuracy"]
    assert run_grids.difference_grids(only, "accuracy") == []
    assert run_grids.index_grids(only) == []
    assert story(DetectionResults(only)) == []


def test_figures_keep_their_colours_where_streamlit_was_imported() -> None:
    """Importing Streamlit makes Plotly's default template one of placeholder colours."""
    code = (
        "import streamlit\nimport plotly.graph_objects as go\nfrom stitchlab.figures.template import INK, template\n"
        "for dark in (False, True):\n"
        "    figure = go.Figure(layout={'template': template(dark)})\n"
        "    assert figure.layout.template.layout.font.color == INK[dark]\n"
        "    assert '#000' not in str(figure.layout.template), figure.layout.template\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_light_and_dark_differ_in_ink_and_leave_the_background_to_the_page() -> None:
    light, dark = template(False).layout, template(True).layout
    assert light.font.color != dark.font.color
    assert light.paper_bgcolor == dark.paper_bgcolor == "rgba(0,0,0,0)"
