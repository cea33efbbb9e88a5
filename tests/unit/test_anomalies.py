"""The anomalies that the lesson asks for are found in a run's numbers, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grids import COLUMNS
from scipy.stats import norm

from stitchlab.catalog.check_rules import MIN_DISTANT_SHARE
from stitchlab.checks import specificity
from stitchlab.results import anomalies, shelf
from stitchlab.results.anomalies import (
    accurate_by_tlm_alone,
    both_accurate,
    depth_difference,
    distant_and_accurate,
    is_within,
    unlike_itself,
)
from stitchlab.results.detection import DetectionResults
from stitchlab.results.layer_sizes import channels
from stitchlab.results.reporting import report
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store

GALLERY = {run.source.file: run for run in shelf.gallery() if run.source}
ACROSS, WITHIN = GALLERY["1-tiny10-across-paper.stitch"], GALLERY["4-tiny10-within-quick.stitch"]


def test_the_most_distant_cell_that_the_methods_disagree_about_comes_first() -> None:
    found = distant_and_accurate(ACROSS)
    assert found[0] == (ACROSS.request.front_layers[-1], ACROSS.request.end_layers[0])
    distances = [depth_difference(ACROSS, *cell) for cell in found]
    assert distances == sorted(distances, reverse=True)
    assert min(distances) >= MIN_DISTANT_SHARE
    for cell in found:
        tlm, dm = (ACROSS.value(method, "accuracy", *cell) for method in ("tlm", "dm"))
        assert tlm is not None
        assert dm is not None
        assert tlm > dm


def test_a_layer_that_is_less_similar_to_itself_is_found_by_its_row_and_column() -> None:
    assert is_within(WITHIN)
    assert not is_within(ACROSS)
    values, layers = WITHIN.matrix("tlm", "accuracy"), WITHIN.request.front_layers
    for each in unlike_itself(WITHIN, "tlm"):
        k = layers.index(each.layer)
        assert each.own == values[k, k]
        assert each.value == max(values[k].max(), values[:, k].max())
        assert each.layer in each.other
    assert [each.layer for each in unlike_itself(WITHIN, "tlm")]
    assert unlike_itself(WITHIN, "dm") == []


def test_differences_within_the_error_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[0.80, 0.805], [0.1, 0.9]])
    monkeypatch.setattr(Run, "matrix", lambda *_: values)
    run = Run(WITHIN.store, WITHIN.record)
    object.__setattr__(run.request, "front_layers", ("a", "b"))
    object.__setattr__(run.request, "end_layers", ("a", "b"))
    assert unlike_itself(run, "tlm") == [], ".005 of 10,000 images"
    object.__setattr__(run.request, "eval_images", 10**6)
    (found,) = unlike_itself(run, "tlm")
    assert found == ("a", 0.80, ("a", "b"), 0.805)


def test_both_accurate_counts_every_cell_once() -> None:
    found = both_accurate(DetectionResults(ACROSS))
    assert found.cells
    assert found.farther == "tlm"
    assert found.median("tlm") > found.median("dm")
    assert all(sum(there.values()) == len(found.cells) for there in found.places.values())
    assert not set(found.cells) & set(accurate_by_tlm_alone(ACROSS))


def test_a_run_without_anomalies_has_none(finished_grid: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = list_runs(finished_grid)
    nothing = both_accurate(DetectionResults(run))
    assert (nothing.cells, nothing.farther) == ([], None), "no detector has looked"
    monkeypatch.setattr(Run, "value", lambda *_: 0.5)
    assert distant_and_accurate(run) == [], "both methods alike"
    assert accurate_by_tlm_alone(run) == []


def test_where_direct_matching_is_the_higher_one_there_is_no_anomaly(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"tlm": 0.1, "dm": 0.8}
    monkeypatch.setattr(Run, "value", lambda run, name, *_: values[name])
    assert distant_and_accurate(ACROSS) == []
    values.update(tlm=0.8, dm=0.1)
    assert distant_and_accurate(ACROSS) == sorted(
        (cell for cell in ACROSS.request.cells if anomalies.distant(ACROSS, *cell)),
        key=lambda cell: -depth_difference(ACROSS, *cell),
    )


def test_distant_is_what_the_check_of_specificity_calls_so() -> None:
    layers = ACROSS.request.front_layers
    matrix = np.arange(float(len(layers) ** 2)).reshape(len(layers), -1)
    for k, layer in enumerate(layers):
        far = [matrix[k, c] for c, other in enumerate(layers) if anomalies.distant(ACROSS, layer, other)]
        assert far == specificity.distant(matrix, k)[: len(far)].tolist()
        assert 2 * len(far) == len(specificity.distant(matrix, k))


def test_two_shares_differ_as_the_normal_approximation_says() -> None:
    error = norm.ppf(0.975) * np.sqrt(2 * 0.25 / 400)
    assert anomalies.differ(0.5, 0.5 + 1.02 * error, 400)
    assert not anomalies.differ(0.5, 0.5 + 0.98 * error, 400)
    assert not anomalies.differ(0.5, 0.5 + 1.02 * error, 400, tests=2)


def test_channels_come_from_whoever_knows_them(finished_grid: Store, tmp_path: Path) -> None:
    request = ACROSS.request
    assert channels(ACROSS, request.front, request.front_layers) == {}, "the file knows its end network's only"
    front = channels(ACROSS, request.front, request.front_layers, [WITHIN])
    assert front == channels(ACROSS, request.end, request.end_layers), "two of one architecture"
    assert list(front.values()) == [16, 16, 32, 32, 32, 64, 64, 64]
    (run,) = list_runs(finished_grid)
    assert set(channels(run, run.request.end, COLUMNS)) == set(COLUMNS)


def test_the_report_has_what_a_paper_needs() -> None:
    said = report(ACROSS)
    for words in (
        "tiny10-seed0 → tiny10-seed1",
        "K = 100",
        "10,000 test images",
        "paper recipe, 30 epochs",
        "12,500 training images",
        "known outliers: Noise",
        "Checks: not computed yet",
        ACROSS.id,
    ):
        assert words in said
    assert len(said.splitlines()) == len({line.partition(":")[0] for line in said.splitlines()})
