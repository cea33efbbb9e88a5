"""The lesson: each step on the gallery, on one's own run, with nothing at all, and with nonsense in its address."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from looks import ROOT, Notes, Open, charts, drawn, fill, has, sound, text, widget
from streamlit.testing.v1 import AppTest

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.lesson import ASKS_FOR_DISTANT, CHOICES_OF_CHECKS, STEPS
from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures.checks import first_rows
from stitchlab.results import shelf
from stitchlab.results.anomalies import both_accurate, distant_and_accurate, unlike_itself
from stitchlab.results.checks.answers import answers_of, suites
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.store import Store

PAGE = "pages/6_Learn.py"
ALL = range(1, len(STEPS) + 1)
FIGURES = {1: 1, 4: 2, 5: 2, 6: 1}  # Plotly's, by step
GALLERY = {run.source.file: run for run in shelf.gallery() if run.source}
ACROSS, WITHIN = GALLERY["1-tiny10-across-paper.stitch"], GALLERY["4-tiny10-within-quick.stitch"]


def step(opened: Open, store: Store, number: int, **said: str) -> AppTest:
    return sound(opened(store, PAGE, step=str(number), **said))


def said(at: AppTest, key: str) -> str:
    found = at.query_params.get(key, "")  # a list, once a script has written it
    return found if isinstance(found, str) else str(found[0])


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "empty")


@pytest.fixture(autouse=True)
def gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own gallery, as on a fresh clone."""
    monkeypatch.setenv("STITCHLAB_GALLERY", str(ROOT / "gallery"))


@pytest.fixture
def without_gallery(gallery: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAB_GALLERY", str(tmp_path / "nothing"))


@pytest.mark.parametrize("number", ALL)
def test_a_step_shows_its_figure_without_computing(number: int, opened: Open, jobs: Notes, empty: Store) -> None:
    at = step(opened, empty, number)
    assert at.title[0].value == f"{number}. {STEPS[number - 1].title}"
    assert STEPS[number - 1].claim in text(at, "markdown")
    assert "Question." in text(at, "markdown")
    assert len(charts(at)) == FIGURES.get(number, 0)
    assert not at.error
    assert not at.success, "nothing is answered"
    assert not any((jobs.asked, jobs.computed, jobs.judged, jobs.trained))
    assert not empty.root.exists(), "looking makes nothing"


@pytest.mark.parametrize("number", ALL)
def test_a_step_works_on_ones_own_run(
    number: int, opened: Open, jobs: Notes, judged: Run, without_gallery: None
) -> None:
    at = step(opened, judged.store, number, run=judged.id)
    assert not at.error
    assert len(charts(at)) == (0 if number == 5 else FIGURES.get(number, 0)), "no run is within a network"
    if number == 5:
        assert "there is no such run yet" in text(at, "info")
    if number == 4:
        assert (drawn(charts(at)[0]) == judged.matrix("tlm", "accuracy")).all()
    assert not any((jobs.computed, jobs.judged, jobs.trained))


@pytest.mark.parametrize("number", ALL)
def test_with_nothing_at_all_a_step_says_where_a_run_comes_from(
    number: int, opened: Open, empty: Store, without_gallery: None
) -> None:
    at = step(opened, empty, number)
    assert at.title
    assert not at.error
    if number in (1, 2, 4, 5, 6):
        assert len(at.info) == 1
        assert not charts(at)
    else:
        assert has(at, "radio", f"learn-answer-{number}"), "these take no run"


@pytest.mark.parametrize(
    "address",
    [
        {"step": "8"},
        {"step": "0"},
        {"step": "-1"},
        {"step": "five"},
        {"step": "²"},
        {"step": "<b>1</b>"},
    ],
)
def test_nonsense_gives_the_first_step_with_a_remark(address: dict[str, str], opened: Open, empty: Store) -> None:
    at = sound(opened(empty, PAGE, **address))
    assert at.title[0].value.startswith("1. ")
    assert len(at.warning) == 1
    assert address["step"] in text(at, "warning")
    options = at.radio(key="learn-answer-1").options
    at = sound(widget(at, "radio", "learn-answer-1").set_value(ACROSS.request.end_layers[0]).run())
    assert (said(at, "step"), said(at, "answered")) == ("1", "1"), options
    at = sound(widget(at, "button", "learn-next").click().run())
    assert said(at, "step") == "2"
    assert not at.warning


def test_a_lost_run_and_nonsense_answers_are_no_error(opened: Open, empty: Store) -> None:
    at = step(opened, empty, 4, run="0123456789abcdef", said="nowhere~else", answered="9-x-3", sample="77")
    assert len(at.warning) == 1
    assert len(charts(at)) == 2
    assert not at.success
    at = step(opened, empty, 1, sample="77", said="nobody")
    assert len(charts(at)) == 1


def test_answers_are_kept_in_the_address_on_the_way(opened: Open, empty: Store) -> None:
    at = step(opened, empty, 1)
    early, late = ACROSS.request.end_layers[0], ACROSS.request.end_layers[-1]
    at = sound(widget(at, "radio", "learn-answer-1").set_value(late).run())
    assert len(at.warning) == 1
    assert said(at, "answered") == ""
    at = sound(widget(at, "radio", "learn-answer-1").set_value(early).run())
    assert len(at.success) == 1
    assert said(at, "answered") == "1"
    at = sound(widget(at, "button", "learn-next").click().run())
    assert (said(at, "step"), said(at, "answered"), said(at, "said")) == ("2", "1", "")
    at = sound(widget(at, "button", "learn-previous").click().run())
    assert len(at.success) == 1, "it stays answered"


def test_step_2_is_answered_by_the_last_layer_into_the_first(opened: Open, empty: Store) -> None:
    front, end = ACROSS.request.front_layers, ACROSS.request.end_layers
    assert len(step(opened, empty, 2, said=f"{front[0]}~{end[0]}").warning) == 1
    at = step(opened, empty, 2, said=f"{front[-1]}~{end[0]}", answered="2")
    assert "64 channels into 16" in text(at, "success")


def test_step_4_is_answered_by_any_cell_that_tells(opened: Open, empty: Store) -> None:
    right = distant_and_accurate(ACROSS)
    for cell in (right[0], right[-1]):
        at = step(opened, empty, 4, said="~".join(cell))
        assert " → ".join(cell) in text(at, "success")
        for method in ("tlm", "dm"):
            assert f"{ACROSS.value(method, 'accuracy', *cell):.2f}" in text(at, "success")
        assert all(figure["layout"]["shapes"] for figure in charts(at)), "framed in both"
    near = ACROSS.request.front_layers[3], ACROSS.request.end_layers[3]
    assert "distant" in text(step(opened, empty, 4, said="~".join(near)), "warning")
    at = sound(widget(step(opened, empty, 4), "button", "learn-none").click().run())
    assert len(at.warning) == 1
    at = sound(widget(at, "button", "learn-show").click().run())
    assert said(at, "said") == "~".join(right[0])
    assert said(at, "answered") == "4"


def test_step_4_says_honestly_that_there_is_none(opened: Open, asked: Run, without_gallery: None) -> None:
    run = fill(asked)
    at = step(opened, run.store, 4, run=run.id)
    at = sound(widget(at, "button", "learn-none").click().run())
    if distant_and_accurate(run):
        assert len(at.warning) == 1
    for i, j in run.request.cells:  # both methods alike
        run.store.put("cells", run._keys()["tlm", i, j], run.store.get("cells", run._keys()["dm", i, j]) or {})
    assert not distant_and_accurate(Run(run.store, run.record))
    at = step(opened, run.store, 4, run=run.id)
    at = sound(widget(at, "button", "learn-none").click().run())
    assert "No distant cell" in text(at, "success")
    assert said(at, "answered") == "4"


def test_step_5_takes_the_run_within_a_network(opened: Open, empty: Store) -> None:
    (found, *_) = unlike_itself(WITHIN, "tlm")
    at = step(opened, empty, 5, said=f"{found.layer}~{found.layer}")
    assert (drawn(charts(at)[0]) == WITHIN.matrix("tlm", "accuracy")).all()
    assert f"{found.own:.2f}" in text(at, "success")
    assert f"{found.value:.2f}" in text(at, "success")
    last = WITHIN.request.front_layers[-1]
    assert len(step(opened, empty, 5, said=f"{last}~{last}").warning) == 1


def test_step_6_counts_the_cells_in_which_both_are_accurate(opened: Open, empty: Store) -> None:
    found = both_accurate(DetectionResults(ACROSS))
    at = sound(widget(step(opened, empty, 6), "radio", "learn-answer-6").set_value("tlm").run())
    assert f"Both are accurate in {len(found.cells)} cells" in text(at, "success")
    assert f"(median of the Fréchet ratio {found.median('tlm'):.2f})" in text(at, "success")
    at = sound(widget(at, "radio", "learn-answer-6").set_value("dm").run())
    assert len(at.warning) == 1
    i, j = ACROSS.request.front_layers[0], ACROSS.request.end_layers[1]
    assert f"{i} → {j}" in text(step(opened, empty, 6, front_layer=i, end_layer=j), "markdown")


def test_step_7_explains_the_checks_where_none_was_computed(
    opened: Open, empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "1-tiny10-across-paper.stitch"
    shutil.copy(ROOT / "gallery" / name, tmp_path / name)
    monkeypatch.setenv("STITCHLAB_GALLERY", str(tmp_path))
    at = step(opened, empty, 7)
    cells = [cell for table in at.table for cell in table.value.to_numpy().ravel()]
    assert all(check.question in cells for check in CHECKS.values())
    assert "K = 100" in at.code[0].value
    assert "Checks: not computed yet" in at.code[0].value
    assert set(CHOICES_OF_CHECKS) < set(CHECKS)
    at = sound(widget(at, "radio", "learn-answer-7").set_value(ASKS_FOR_DISTANT).run())
    assert len(at.success) == 1
    assert "fail" not in text(at, "success")


def test_step_7_says_the_verdicts_of_the_table_and_reports_those_of_its_own_networks(
    opened: Open, empty: Store
) -> None:
    digits = GALLERY["7-digits-demo.stitch"]
    (record,) = suites(digits.store)
    answers = answers_of(digits.store, record)
    assert answers is not None
    at = step(opened, empty, 7, said=ASKS_FOR_DISTANT)
    for method, label in METHOD_LABELS.items():
        row = first_rows(answers)[ASKS_FOR_DISTANT, f"{method}/accuracy"]
        assert f"{label}: {row.verdict} ({row.value:.2f})" in text(at, "success")
    assert "Checks: not computed yet" in at.code[0].value, "the table is of other networks"
    at = step(opened, empty, 7, run=digits.id)
    assert "Checks: on digits-a, digits-b, digits-c, digits-d: " in at.code[0].value


def test_another_run_can_be_chosen(opened: Open, empty: Store) -> None:
    other = GALLERY["7-digits-demo.stitch"]
    at = step(opened, empty, 4, run=other.id)
    assert (drawn(charts(at)[0]) == other.matrix("tlm", "accuracy")).all()
    at = sound(widget(at, "button", "learn-next").click().run())
    assert said(at, "run") == other.id
