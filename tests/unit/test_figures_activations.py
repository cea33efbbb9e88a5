"""Figures and sentences of one cell's activations: what was drawn, and that it is what was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stitchlab.figures import activations as figures
from stitchlab.figures import feature_maps, run_grids, trajectory
from stitchlab.figures.cell_numbers import NOTHING
from stitchlab.results.detection import DetectionResults, Reliability
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store

RANDOM = np.random.default_rng(0)
CHANNELS = 6


def statistics(shift: float = 0.0) -> dict[str, Any]:
    return {
        "mean": RANDOM.normal(size=CHANNELS) + shift,
        "deviation": RANDOM.random(CHANNELS) + 0.5,
        "spectrum": np.sort(RANDOM.random(CHANNELS))[::-1],
        "norms": RANDOM.random(50) + 1,
        "plane": RANDOM.normal(size=(50, 2)) + shift,
    }


def test_scores_are_shares_around_the_native_median() -> None:
    native = RANDOM.normal(5, 2, 500)
    figure = figures.scores({"native": native, "tlm": native - 1000, "outliers": native - 3}, "Nearest neighbours")
    drawn = {trace.name: trace for trace in figure.data}
    assert set(drawn) == {"Native", "Task loss matching", "Known outliers"}
    for trace in drawn.values():
        assert sum(trace.y) == pytest.approx(1)
    low, middle, high = np.quantile(native, [0.25, 0.5, 0.75])
    peak = drawn["Task loss matching"].x[int(np.argmax(drawn["Task loss matching"].y))]
    assert np.sinh(peak) == pytest.approx(-1000 / (high - low), rel=0.1)
    assert abs(drawn["Native"].x[int(np.argmax(drawn["Native"].y))]) < 1
    assert middle == pytest.approx(5, abs=0.3)


def test_scores_that_are_not_finite_are_left_out() -> None:
    native = RANDOM.normal(size=100)
    figure = figures.scores({"native": native, "tlm": np.full(100, np.nan)}, "x")
    assert sum(figure.data[0].y) == pytest.approx(1)
    assert not any(figure.data[1].y)


def test_histograms_are_outlines_that_hold_all_and_come_down_to_nothing() -> None:
    far = {**statistics(), "norms": np.array([*RANDOM.random(5000), 900.0])}
    by_set = {"native": statistics(), "tlm": far, "outliers": statistics(3.0)}
    drawn = figures.norms(by_set), figures.scores({name: found["norms"] for name, found in by_set.items()}, "x")
    for trace in (trace for figure in drawn for trace in figure.data):
        assert trace.fill is None, "where two overlap there would be a third colour"
        assert sum(trace.y) == pytest.approx(1)
        assert trace.y[0] == trace.y[-1] == 0
        assert trace.cliponaxis is False, "the lower half of a line on the axis would be cut off"


def test_channels_lie_against_native_with_a_line_of_identity() -> None:
    native, tlm = statistics(), statistics(2.0)
    figure = figures.channels({"native": native, "tlm": tlm, "outliers": statistics()}, [3])
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert all(list(line.x) == list(line.y) for line in lines)
    assert len(lines) == 2
    mean, deviation = [trace for trace in figure.data if trace.mode != "lines"]
    assert list(mean.x) == list(native["mean"])
    assert list(mean.y) == list(tlm["mean"])
    assert list(deviation.y) == list(tlm["deviation"])
    assert [text for text in mean.text if text] == ["3"]


def test_spectra_and_norms_are_shares() -> None:
    by_set = {"native": statistics(), "dm": statistics()}
    for trace in figures.spectrum(by_set).data:
        assert sum(trace.y) == pytest.approx(1)
        assert list(trace.x) == list(range(1, CHANNELS + 1))
    for trace in figures.norms(by_set).data:
        assert sum(trace.y) == pytest.approx(1, abs=0.05)  # the farthest thousandth is beyond the axis


def test_the_plane_holds_few_points_and_rings_the_chosen_one() -> None:
    points = RANDOM.normal(size=(3000, 2))
    texts = {name: [str(k) for k in range(3000)] for name in ("native", "tlm")}
    figure = figures.plane({"native": points, "tlm": points + 1}, texts, selected=("native", 2))
    assert sum(len(trace.x) for trace in figure.data) <= 2 * figures.MAX_SCATTERED_IMAGES + 1
    assert (figure.data[-1].x[0], figure.data[-1].y[0]) == tuple(points[2])
    assert list(figure.data[1].text[:2]) == ["0", "1"]


def test_feature_maps_share_one_range_a_channel() -> None:
    maps = {name: RANDOM.normal(size=(CHANNELS, 4, 4)) * scale for name, scale in (("native", 1), ("tlm", 9))}
    figure = feature_maps.feature_maps(maps, [1, 4])
    assert len(figure.data) == 4
    for column, channel in enumerate((1, 4)):
        traces = [figure.data[k] for k in (2 * column, 2 * column + 1)]
        both = np.concatenate([m[channel].ravel() for m in maps.values()])
        assert {(t.zmin, t.zmax) for t in traces} == {(both.min(), both.max())}
        assert (np.array(traces[0].z) == maps["native"][channel]).all()


def test_a_constant_channel_can_be_drawn() -> None:
    figure = feature_maps.feature_maps({"native": np.zeros((1, 2, 2)), "dm": np.zeros((1, 2, 2))}, [0])
    assert figure.data[0].zmin < figure.data[0].zmax


def test_vectors_and_confusion_show_what_they_are_given() -> None:
    figure = feature_maps.vectors({"dm": np.arange(3.0), "native": np.ones(3)})
    assert [trace.name for trace in figure.data] == ["Native", "Direct matching"]
    shares = np.eye(3)
    figure = figures.confusion(shares, ["a", "b", "c"], "title")
    assert (np.array(figure.data[0].z) == shares).all()
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    black, white = (trace for trace in figure.data if trace.text is not None)
    assert [text.strip(NOTHING) for text in black.text[0]] == ["100%", "", ""], "black on yellow"
    assert [text.strip(NOTHING) for text in white.text[0]] == ["", "0%", "0%"], "white on violet"


def test_the_animation_has_a_frame_a_point_of_the_trail() -> None:
    epochs = [0, 1, 4, 30]
    accuracy, told = [0.1, 0.5, 0.8, 0.9], [1.0, 1.5, None, 1.2]
    points = RANDOM.normal(size=(4, 20, 2))
    figure = trajectory.animation(
        epochs, accuracy, told, "Fréchet ratio", RANDOM.normal(size=(50, 2)), points, own=0.95
    )
    assert [frame.name for frame in figure.frames] == ["0", "1", "4", "30"]
    assert [list(figure.data[k].x) for k in range(3)] == [epochs, epochs, [0, 30]]
    assert [figure.data[k].name for k in range(3)] == [
        "accuracy (left axis)",
        "Fréchet ratio (right axis)",
        "end network alone (left axis)",
    ]
    assert [figure.layout[f"yaxis{trace.yaxis[1:]}"].side for trace in figure.data[:3]] == [None, "right", None]
    for k, frame in enumerate(figure.frames):
        dot, other, images = frame.data
        assert (dot.x[0], dot.y[0]) == (epochs[k], accuracy[k])
        assert other.y[0] == told[k]
        assert (np.stack([images.x, images.y], 1) == points[k]).all()
        assert [figure.data[k].name for k in frame.traces] == ["accuracy", "detection", "Task loss matching"]
    assert [step.label for step in figure.layout.sliders[0].steps] == ["0", "1", "4", "30"]
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["▶ Play", "❚❚ Stop"]


def test_a_walk_of_nothing_finite_is_drawn() -> None:
    nowhere = np.full((2, 5, 2), np.nan)
    assert trajectory.animation([0, 3], [None, None], [None, None], "x", nowhere[0], nowhere).frames[1].name == "3"


@pytest.fixture
def made_up(finished_grid: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[DetectionResults, dict[str, Interval]]:
    """What detectors say of a finished grid is what this dictionary says, by method."""
    run: Run = list_runs(finished_grid)[0]
    says: dict[str, Interval] = {}
    monkeypatch.setattr(DetectionResults, "interval", lambda self, name, method, *rest: says.get(method, Interval()))
    monkeypatch.setattr(DetectionResults, "entry", lambda self, *rest: {"metrics": {}, "reason": "because"})
    monkeypatch.setattr(DetectionResults, "reliability", lambda self, name, layer: Reliability(name != "knn"))
    return DetectionResults(run), says


def test_a_detectors_grids_share_a_range_and_mark_what_is_not_believed(
    made_up: tuple[DetectionResults, dict[str, Interval]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = made_up
    shape = len(found.run.request.front_layers), len(found.run.request.end_layers)
    values = {"tlm": np.full(shape, 4.0), "dm": np.full(shape, 0.02)}
    monkeypatch.setattr(DetectionResults, "matrix", lambda self, name, method, metric: values[method])
    ratio = run_grids.detection_grids(found, "frechet", "ratio")
    assert {(grid.low, grid.high, grid.log) for grid in ratio} == {(0.02, 4.0, True)}
    assert not ratio[0].doubtful
    auroc = run_grids.detection_grids(found, "knn", "auroc")
    assert {(grid.low, grid.high, grid.log) for grid in auroc} == {(0, 1, False)}
    assert auroc[0].doubtful == found.run.request.end_layers
