"""What a cell says of similarity: accuracy and distribution in one sentence, and who decides the latter."""

from __future__ import annotations

from typing import Any

import pytest

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.figures.story import story
from stitchlab.figures.words import believed_count_sentence, conclusions, disagreements
from stitchlab.results.detection import OUTLIERS, DetectionResults, Reliability
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run, list_runs
from stitchlab.results.similarity import accuracy_of, deciding, frechet_quotient, share_kept, telling_cell
from stitchlab.store import Store

OWN = 0.9  # the end network's accuracy: ten classes, so .8 above chance


class Says:
    """Made-up numbers of a finished grid of 2×2 cells: the same in all cells, but for those that are named."""

    def __init__(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found = DetectionResults(run)
        self.accuracy: dict[Any, float | None] = {"tlm": 0.88, "dm": 0.88}
        self.distance: dict[Any, float | None] = {"tlm": 0.8, "dm": 0.8}
        self.own: float | None = OWN
        self.number: dict[Any, Interval] = {}
        self.doubted: set[str] = set()
        self.unknown: set[str] = set()
        monkeypatch.setattr(Run, "value", self._value)
        monkeypatch.setattr(Run, "own_accuracy", property(lambda run: self.own))
        monkeypatch.setattr(Run, "reason", lambda run, method, *rest: "it diverged")
        monkeypatch.setattr(DetectionResults, "interval", self._interval)
        monkeypatch.setattr(DetectionResults, "entry", lambda found, name, *rest: None if name in self.unknown else {})
        monkeypatch.setattr(DetectionResults, "reason", lambda *rest: "not finite")
        monkeypatch.setattr(DetectionResults, "reliability", self._belief)

    def _value(self, method: str, metric: str, *cell: str) -> float | None:
        kept = self.accuracy if metric == "accuracy" else self.distance
        return kept.get((method, *cell), kept.get(method))

    def _interval(self, name: str, method: str, metric: str, *cell: str) -> Interval:
        return self.number.get((name, method, *cell), self.number.get((name, method), Interval()))

    def _belief(self, name: str, layer: str) -> Reliability:
        return Reliability(None if name in self.unknown else name not in self.doubted, "of a reason")

    @property
    def cell(self) -> tuple[str, str]:
        return self.found.run.request.cells[0]

    def sentence(self, detector: str | None = "frechet", method: str = "tlm") -> str:
        return conclusions(self.found, detector, *self.cell)[method].sentence


@pytest.fixture
def says(finished_grid: Store, monkeypatch: pytest.MonkeyPatch) -> Says:
    return Says(list_runs(finished_grid)[0], monkeypatch)


@pytest.mark.parametrize(
    ("accuracy", "ratio", "words", "tone"),
    [
        (
            0.88,
            1.23,
            "0.88 accurate, though out of distribution (Fréchet ratio 1.23): its accuracy is no evidence of "
            "similarity.",
            "no evidence",
        ),
        (
            0.88,
            0.30,
            "0.88 accurate, though not quite native (Fréchet ratio 0.30): its accuracy is weak evidence of similarity.",
            "no evidence",
        ),
        (
            0.88,
            0.04,
            "0.88 accurate and close to native (Fréchet ratio 0.04): similar, as far as this can tell.",
            "similar",
        ),
        (
            0.60,
            1.23,
            "0.60 accurate (the end network alone: 0.90), though out of distribution (Fréchet ratio 1.23): its "
            "accuracy is no evidence of similarity.",
            "no evidence",
        ),
        (
            0.60,
            0.04,
            "0.60 accurate (the end network alone: 0.90) and close to native (Fréchet ratio 0.04): "
            "partly similar, as far as this can tell.",
            "similar",
        ),
        (
            0.31,
            1.23,
            "0.31 accurate (the end network alone: 0.90) and out of distribution (Fréchet ratio 1.23): "
            "it makes no claim of similarity.",
            "no claim",
        ),
        (
            0.31,
            0.04,
            "0.31 accurate (the end network alone: 0.90) and close to native (Fréchet ratio 0.04): "
            "it makes no claim of similarity.",
            "no claim",
        ),
    ],
)
def test_one_sentence_joins_accuracy_and_distribution(
    accuracy: float, ratio: float, words: str, tone: str, says: Says
) -> None:
    says.accuracy["tlm"], says.number["frechet", "tlm"] = accuracy, Interval(ratio)
    assert conclusions(says.found, "frechet", *says.cell)["tlm"] == (words, tone)


@pytest.mark.parametrize(
    ("number", "words", "tone"),
    [
        (
            Interval(0.98, 0.97, 0.99),
            "though out of distribution (AUROC 0.98 by Mahalanobis): its accuracy is no evidence",
            "no evidence",
        ),
        (Interval(0.8, 0.7, 0.85), "though largely out of distribution (AUROC 0.80", "no evidence"),
        (Interval(0.65, 0.6, 0.7), "though partly out of distribution (AUROC 0.65", "no evidence"),
        (Interval(0.52, 0.47, 0.55), "and close to native (AUROC 0.52 by Mahalanobis): similar", "similar"),
        (Interval(0.46, 0.41, 0.52), "and close to native", "similar"),
        (
            Interval(0.3, 0.2, 0.4),
            "though more typical than native (AUROC 0.30 by Mahalanobis): that is no evidence of being native",
            "no evidence",
        ),
        (Interval(0.2), "no evidence of being native", "no evidence"),
        (
            Interval(),
            "; Mahalanobis undefined (not finite): whether its accuracy is evidence of similarity cannot be said",
            "open",
        ),
    ],
)
def test_an_auroc_has_words_of_its_own(number: Interval, words: str, tone: str, says: Says) -> None:
    says.number["mahalanobis", "tlm"] = number
    said = conclusions(says.found, "mahalanobis", *says.cell)["tlm"]
    assert words in said.sentence
    assert said.tone == tone


def test_undefined_accuracies_claim_nothing(says: Says) -> None:
    says.number["frechet", "tlm"] = Interval(0.04)
    says.accuracy["tlm"] = None
    assert says.sentence() == "accuracy undefined (it diverged): it says nothing of similarity."
    says.accuracy["tlm"], says.own = 0.5, None
    assert "own accuracy is not known, so what that means cannot be said" in says.sentence()
    says.own = 0.1
    assert "own accuracy (0.10) is no better than guessing" in says.sentence()
    assert {said.tone for said in conclusions(says.found, "frechet", *says.cell).values()} == {"open"}


def test_without_a_detector_nothing_is_said_of_distribution(says: Says) -> None:
    assert "no detector that is believed at" in (said := says.sentence(None))
    assert "activations yet" not in said, "none is expected any more"
    assert said.endswith("whether its accuracy is evidence of similarity cannot be said.")
    says.unknown = {"knn"}
    assert "has judged its activations yet" in says.sentence(None)
    says.accuracy["tlm"] = 0.2
    assert says.sentence(None).endswith("it makes no claim of similarity.")


def test_a_method_that_is_not_there_has_no_sentence(says: Says) -> None:
    i, j = says.cell
    del says.found.run.cells["tlm", i, j]
    assert set(conclusions(says.found, "frechet", i, j)) == {"dm"}


def test_what_is_accurate_depends_on_the_end_network_and_on_chance(says: Says) -> None:
    run = says.found.run
    for accuracy, share, level in (
        (0.90, 1.0, "accurate"),
        (0.74, 0.8, "accurate"),
        (0.73, 0.7875, "partly"),
        (0.50, 0.5, "partly"),
        (0.49, 0.4875, "inaccurate"),
        (0.10, 0.0, "inaccurate"),
    ):
        says.accuracy["tlm"] = accuracy + 1e-12
        assert share_kept(run, "tlm", *says.cell) == pytest.approx(share, abs=1e-9)
        assert accuracy_of(run, "tlm", *says.cell) == level
    says.own = 0.6
    says.accuracy["tlm"] = 0.55
    assert accuracy_of(run, "tlm", *says.cell) == "accurate"


def test_what_is_as_far_as_known_outliers_is_not_native(says: Says) -> None:
    says.number["frechet", "tlm"] = Interval(0.08)
    says.number["frechet", OUTLIERS] = Interval(0.3)
    assert "close to native" in says.sentence()
    says.number["frechet", OUTLIERS] = Interval(0.05)
    assert "not quite native" in says.sentence()


def test_who_is_not_believed_does_not_decide(says: Says) -> None:
    assert deciding(says.found, "knn", *says.cell) == "knn"
    says.doubted = {"knn"}
    assert deciding(says.found, "knn", *says.cell) == "frechet"
    assert deciding(says.found, "knn", *says.cell, scores=True) == "energy"
    says.unknown = {"frechet"}
    assert deciding(says.found, "knn", *says.cell) == "energy"
    says.doubted, says.unknown = set(DETECTORS), set()
    assert deciding(says.found, "knn", *says.cell) is None


def test_only_believed_detectors_are_counted(says: Says) -> None:
    says.doubted = {"knn"}
    says.number.update({(name, "tlm"): Interval(0.95) for name in DETECTORS})
    says.number.update({(name, "dm"): Interval(0.6) for name in DETECTORS})
    sentence = believed_count_sentence(says.found, *says.cell)
    assert "5 detectors that score images are believed" in sentence  # six score images, knn is not believed
    assert "5 call TLM's" in sentence
    assert "0 call DM's" in sentence
    says.doubted = set(DETECTORS)
    assert not believed_count_sentence(says.found, *says.cell)


def test_where_distance_and_ratio_disagree_it_is_said(says: Says) -> None:
    says.number.update({("frechet", "tlm"): Interval(1.2), ("frechet", "dm"): Interval(0.19)})
    says.distance.update(tlm=1.5, dm=0.35)
    (shrunk,) = disagreements(says.found, *says.cell)
    assert shrunk.startswith("Direct matching is near native image by image, yet not native as a set")
    assert "distance to native 0.35, Fréchet ratio 0.19" in shrunk
    says.number["frechet", "tlm"], says.distance["dm"] = Interval(0.04), 0.8
    (strange,) = disagreements(says.found, *says.cell)
    assert strange.startswith("Task loss matching is far from native image by image, yet in the distribution")
    says.doubted = {"frechet"}
    assert disagreements(says.found, *says.cell) == []
    says.doubted, says.distance = set(), {}
    assert disagreements(says.found, *says.cell) == []


def test_the_telling_cell_is_the_one_where_both_are_accurate_and_farthest_apart(says: Says) -> None:
    run = says.found.run
    (first, last), (into, end) = run.request.front_layers, run.request.end_layers
    assert telling_cell(says.found) == (last, end), "by position, while there are no distances"
    says.number.update({("frechet", "tlm"): Interval(1.0), ("frechet", "dm"): Interval(0.05)})
    assert telling_cell(says.found) == (last, end), "the deepest of equal ones"
    says.number["frechet", "dm", first, into] = Interval(0.02)
    assert telling_cell(says.found) == (first, into)
    says.accuracy["dm", first, into] = 0.6
    assert telling_cell(says.found) == (last, end), "not where one is not accurate"
    says.number["frechet", "dm", last, end] = Interval(0.2)
    assert telling_cell(says.found) == (first, end), "nor where the other is not native"
    says.doubted = {"frechet"}
    assert telling_cell(says.found) == (last, end)
    assert frechet_quotient(says.found, last, end) is None


def test_the_story_says_the_grids_own_numbers(says: Says) -> None:
    run = says.found.run
    (first, last), (into, end) = run.request.front_layers, run.request.end_layers
    says.number.update({("frechet", "tlm"): Interval(1.23), ("frechet", "dm"): Interval(0.04)})
    says.accuracy.update({("tlm", last, into): 0.83, ("dm", last, into): 0.31, ("tlm", first, into): 0.7})
    accurate, anomaly = story(says.found)
    assert (accurate.front_layer, accurate.end_layer, accurate.title) == (last, end, "Both accurate, one foreign")
    for number in ("**0.88** accurate", "**1.23** and **0.04**", "cannot tell them apart"):
        assert number in accurate.text
    assert (anomaly.front_layer, anomaly.end_layer) == (last, into)
    for number in ("**0.83**", "**0.31**", "0.70 and 0.88", "more similar than corresponding layers"):
        assert number in anomaly.text


def test_the_story_claims_the_papers_finding_only_where_it_is_there(says: Says) -> None:
    run = says.found.run
    says.accuracy["tlm", run.request.front_layers[-1], run.request.end_layers[0]] = 0.5
    accurate, anomaly = story(says.found)
    assert accurate.title == "Both accurate"
    assert "the end network alone 0.90" in accurate.text
    assert "Fréchet" not in accurate.text
    assert "corresponding layers higher" in anomaly.text
    says.number.update({("frechet", "tlm"): Interval(0.05), ("frechet", "dm"): Interval(0.04)})
    assert "cannot tell them apart" not in story(says.found)[0].text
    says.accuracy["dm"] = 0.2
    assert story(says.found)[0].title == "Last layer into last"
    says.own = None
    assert story(says.found) == []
