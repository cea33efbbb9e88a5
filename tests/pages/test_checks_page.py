"""Checks: the table, the evidence of a cell by click and by address, the price and the button, other views."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
import streamlit as st
from looks import Notes, Open, charts, drawn, fill, has, heading, sound, text, widget
from made_checks import FEW, made_suite
from streamlit.testing.v1 import AppTest

from stitchlab import ui
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.presets import PRESETS
from stitchlab.jobs import Answer, Status
from stitchlab.jobs.names import checks_job
from stitchlab.results import demo, shelf
from stitchlab.results.bundle import pack
from stitchlab.results.checks import answers as room
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.suite import suite_of, wanted
from stitchlab.results.checks.table import rows
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run, list_runs
from stitchlab.store import Store
from stitchlab.ui import checks_page, checks_table

PAGE = "pages/3_Checks.py"

#: What the page asks of the queue for the demo's networks.
DEMO_SUITE = {
    "names": list(demo.SEEDS),
    "data": "digits",
    "methods": ["tlm", "dm"],
    "indices": list(INDICES),
    "tlm": asdict(PRESETS["quick"]),
    "dm_images": 100,
    "eval_images": None,
    "null": 150,
    "seed": 0,
}


@pytest.fixture
def answers(store: Store) -> Answers:
    return made_suite(store, indices=("cka", "opd"))


def table(at: AppTest) -> dict[str, Any]:
    """What the table is told: texts of its headings and cells."""
    (found,) = [e.proto.json for e in at.get("bidi_component") if e.proto.component_name == "stitchlab_checks"]
    told: dict[str, Any] = json.loads(found)
    return told


def cells(at: AppTest) -> dict[tuple[str, str], dict[str, Any]]:
    """The cells of the table by check and measure."""
    return {
        (name, row["title"]): cell
        for group in table(at)["groups"]
        for row in group["rows"]
        for name, cell in zip(CHECKS, row["cells"], strict=True)
    }


def statistics(at: AppTest) -> list[dict[str, Any]]:
    """The numbers of the evidence."""
    found: list[dict[str, Any]] = at.table[0].value.to_dict("records")
    return found


def test_the_table_shows_each_verdict_with_its_number_by_word_and_by_sign(
    opened: Open, jobs: Notes, answers: Answers
) -> None:
    at = sound(opened(answers.store, PAGE))
    shown = cells(at)
    first = {
        (row.check, row.subject): row for row in rows(answers) if row.statistic == CHECKS[row.check].statistics[0].name
    }
    assert len(shown) == len(CHECKS) * len(answers.suite.subjects)
    for place, row in first.items():
        cell = shown[place]
        assert cell["choice"] == list(place)
        if row.verdict == "not enough data":
            assert (cell["sign"], cell["small"], cell["kind"], cell["title"]) == ("?", row.verdict, "undecided", FEW)
        else:
            sign = {"pass": "✓", "fail": "✗"}[row.verdict]
            assert (cell["sign"], cell["word"], cell["kind"]) == (sign, row.verdict, row.verdict)
            assert cell["value"] == f"{row.value:.2f}"
            assert cell["small"] == (f"p = {row.p:.3f}" if row.p is not None else f"{row.low:.2f} to {row.high:.2f}")
    assert {cell["word"] for place, cell in shown.items() if place not in first} == {"n/a"}
    assert [group["title"] for group in table(at)["groups"]] == [
        "Task loss matching, recipe quick",
        "Direct matching",
        "Similarity indices",
    ]
    assert "corrected for the number of measures (Holm 1979)" in text(at, "caption")
    assert not jobs.checked


def test_unasked_the_first_check_that_accuracy_of_tlm_fails_is_explained(opened: Open, answers: Answers) -> None:
    at = sound(opened(answers.store, PAGE, suite=answers.suite.id))
    assert table(at)["chosen"] == ["self", "tlm/accuracy"]
    assert at.header[0].value == "Self: Task loss matching: accuracy"
    assert CHECKS["self"].question in text(at, "markdown")
    assert CHECKS["self"].about in text(at, "markdown")
    assert [row["Statistic"] for row in statistics(at)] == ["By columns", "By rows", "Symmetrised"]
    assert {row["Verdict"] for row in statistics(at)} == {"✗ fail"}
    matrix, _ = charts(at)
    answer = answers.answer("self", "tlm/accuracy")
    assert answer is not None
    np.testing.assert_allclose(drawn(matrix), np.array(answer.evidence["figures"][0]["values"], dtype=float))


def test_a_link_opens_its_evidence_with_the_runs_behind_it(opened: Open, answers: Answers) -> None:
    at = sound(opened(answers.store, PAGE, suite=answers.suite.id, check="sensitivity", subject="cka/similarity"))
    assert at.header[0].value == "Sensitivity: Linear CKA"
    assert table(at)["chosen"] == ["sensitivity", "cka/similarity"]
    told = {row.statistic: row for row in rows(answers, ["sensitivity"]) if row.subject == "cka/similarity"}
    shown = statistics(at)
    assert [row["Value"] for row in shown] == [f"{told[s.name].value:.3f}" for s in CHECKS["sensitivity"].statistics]
    assert shown[2]["To pass"].startswith("at most the probe's (")
    answer = answers.answer("sensitivity", "cka/similarity")
    assert answer is not None
    assert heading(charts(at)[0]).startswith("layer1.0")
    assert len(charts(at)) == len(answer.evidence["figures"])
    links = [link.proto for link in at.main.get("page_link")]
    for each in answer.evidence["runs"]:
        (link,) = [link for link in links if f"run={each['id']}" in link.query_string]
        assert link.page.endswith("Compare")
        assert f"{each['value']:.2f}" in link.label.replace("\\", "")
    assert sum(link.page.endswith("Runs") for link in links) == 1


def test_a_click_and_the_select_boxes_make_the_address(
    opened: Open, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = opened(answers.store, PAGE, suite=answers.suite.id)
    at = sound(widget(at, "selectbox", "evidence_check").select("controls").run())
    at = sound(widget(at, "selectbox", "evidence_subject").select("dm/accuracy").run())
    said = {"suite": answers.suite.id, "check": "controls", "subject": "dm/accuracy"}
    assert {key: "".join(at.query_params[key]) for key in said} == said
    assert at.header[0].value == "Controls: Direct matching: accuracy"
    at = sound(widget(at, "selectbox", "evidence_check").select("chance").run())
    assert "".join(at.query_params["subject"]) == "cka/similarity", "the check is for no stitched measure"
    chosen: list[Callable[[str, str], None]] = []
    monkeypatch.setattr(checks_table, "draw", lambda shown, now, choose: chosen.append(choose))
    at = sound(at.run())
    written: dict[str, Any] = {}
    monkeypatch.setattr(
        st,
        "query_params",
        type("Address", (), {"get": lambda *_: "", "update": lambda _, new: written.update(new)})(),
    )
    for nonsense in (("<b>", "dm/accuracy"), ("self", "../x"), ("", "")):
        chosen[-1](*nonsense)
    assert not written
    chosen[-1]("self", "dm/jsd")
    assert written == {"suite": answers.suite.id, "check": "self", "subject": "dm/jsd", "view": ""}


@pytest.mark.parametrize(
    "query",
    [
        {"suite": "../x", "check": "<b>", "subject": "\x00"},
        {"suite": "", "check": "self", "subject": "tlm/x"},
        {"suite": "0" * 16, "check": "chance", "subject": "tlm/accuracy", "view": "x", "check_networks": "nobody"},
        {"check": "self"},
        {"suite": ["a", "b"]},
        {"suite": "own", "check_indices": "x", "check_eval_images": "-1"},
    ],
)
def test_a_strange_address_is_said_and_shows_what_is_there(opened: Open, answers: Answers, query: Any) -> None:
    before = sorted(answers.store.root.rglob("*"))
    at = sound(opened(answers.store, PAGE, **query))
    assert "not here" in text(at, "warning") or query.get("suite") == "own"
    assert query.get("suite") == "own" or table(at)["chosen"] == ["self", "tlm/accuracy"]
    assert sorted(answers.store.root.rglob("*")) == before


def test_an_empty_store_offers_the_demo_and_says_what_is_checked(opened: Open, jobs: Notes, tmp_path: Any) -> None:
    jobs.answers["checks_price"] = Answer("there", {"seconds": 290.0, "timed": True, "grids": 24})
    at = sound(opened(Store(tmp_path / "empty"), PAGE))
    assert not [e for e in at.get("bidi_component") if e.proto.component_name == "stitchlab_checks"]
    said = text(at, "markdown")
    assert "10 checks to compute from 24 grids: about 5 min." in said.replace("*", "")
    assert "digits-a, digits-b, digits-c, digits-d are trained first" in said
    assert "recipe quick" in said
    assert list(at.table[0].value["Check"]) == [check.label for check in CHECKS.values()]
    assert at.selectbox(key="suites").options[0] == "The demo: four seeds of ResNet-14 on digits"
    sound(widget(at, "button", "run_checks").click().run())
    ((what, checks),) = jobs.checked
    assert what == DEMO_SUITE
    assert checks == list(CHECKS)
    assert not list((tmp_path / "empty").rglob("*.json")), "nothing is written before it is asked for"


def test_what_is_at_work_is_watched_and_what_failed_can_be_run_on(opened: Open, jobs: Notes, store: Store) -> None:
    answers = made_suite(store, checks=("self", "controls"), indices=("cka",))
    what = wanted(answers.checking)
    jobs.states[checks_job(what)] = Status("running", "Sensitivity", 0.4, 60.0)
    at = sound(opened(store, PAGE))
    assert has(at, "button", f"cancel-{checks_job(what)}")
    assert not has(at, "button", "run_checks")
    shown = cells(at)
    assert shown["chance", "cka/similarity"]["sign"] == "…"
    assert shown["chance", "cka/similarity"]["choice"] is None
    jobs.states[checks_job(what)] = Status("failed", message="no *room* is left")
    at = sound(at.run())
    assert "no *room* is left Finished checks are kept" in text(at, "error")
    sound(widget(at, "button", "run_checks").click().run())
    assert jobs.checked == [(what, [name for name in CHECKS if name not in ("self", "controls")])]


def test_work_on_the_demo_that_began_before_its_networks_were_there_is_watched(
    opened: Open, jobs: Notes, store: Store
) -> None:
    at = sound(opened(store, PAGE, suite="demo"))
    by_names = DEMO_SUITE
    jobs.states[checks_job(by_names)] = Status("running", "Self", 0.4, 60.0)
    at = sound(at.run())
    assert has(at, "button", f"cancel-{checks_job(by_names)}")


def test_networks_of_different_architectures_say_which_checks_still_can(
    opened: Open, jobs: Notes, store: Store
) -> None:
    at = sound(opened(store, PAGE, suite="own", check_networks=["digits-a", "vit"], check_indices=["Linear CKA"]))
    said = text(at, "info")
    assert "Correspondence, Specificity need networks with the same layers: they cannot be run" in said
    assert "Self, Distance order, Far layers, Sensitivity, Controls" in said
    at = sound(widget(at, "multiselect", "check_networks").set_value(["digits-a", "vit", "digits-b"]).run())
    assert "they are run on digits-a, digits-b" in text(at, "info")
    sound(widget(at, "button", "run_checks").click().run())
    ((what, _),) = jobs.checked
    made = suite_of(store, what)
    assert [network.name for network in made.networks] == ["digits-a", "vit", "digits-b"]
    assert (made.suite.indices, made.suite.tlm.optimiser) == (("cka",), "soap")
    at = sound(widget(at, "multiselect", "check_networks").set_value(["digits-a"]).run())
    assert "need 2 networks or more" in text(at, "info")
    at = sound(widget(at, "multiselect", "check_networks").set_value([]).run())
    assert "Choose the networks" in text(at, "info")


def test_mean_and_spread_are_over_both_directions(opened: Open, answers: Answers) -> None:
    runs = [fill(run) for run in answers.checking.across.values()]
    for (method, i, j), cell in runs[1].cells.items():
        if method == "dm":
            answers.store.put("cells", result_key(runs[1].request, "dm", i, j), {**cell, "accuracy": len(i) / 99})
    at = sound(
        opened(answers.store, PAGE, suite=answers.suite.id, view=checks_page.MEAN, mean_of="Direct matching: accuracy")
    )
    runs = [Run(run.store, run.record) for run in answers.checking.across.values()]
    values = np.stack([run.matrix("dm", "accuracy") for run in runs])
    mean, spread = charts(at)
    np.testing.assert_allclose(drawn(mean), values.mean(0))
    np.testing.assert_allclose(drawn(spread), np.abs(values[0] - values[1]) / np.sqrt(2), atol=1e-12)
    (link,) = [link.proto for link in at.main.get("page_link") if link.proto.page.endswith("Runs")]
    assert all(run.id in link.query_string for run in runs)
    assert table(at)["chosen"] is None


def test_rank_curves_have_the_probe_and_each_chosen_measure(opened: Open, answers: Answers) -> None:
    at = sound(opened(answers.store, PAGE, suite=answers.suite.id, view=checks_page.RANKS, rank_layer="layer2.1"))
    (figure,) = charts(at)
    assert heading(figure).startswith("layer2.1")
    names = [trace["name"] for trace in figure["data"]]
    assert names.count("Linear probe") == 1
    assert {"Task loss matching: accuracy", "Linear CKA"} <= set(names)
    at = sound(widget(at, "multiselect", "rank_of").set_value(["opd/distance"]).run())
    assert "Orthogonal Procrustes" in [trace["name"] for trace in charts(at)[0]["data"]]
    bare = sound(
        opened(made_suite(answers.store, checks=("self",), indices=("rsa",)).store, PAGE, view=checks_page.RANKS)
    )
    assert "no curves yet" in text(bare, "info")


def test_the_table_and_the_evidence_can_be_taken_along(opened: Open, answers: Answers) -> None:
    at = opened(answers.store, PAGE, suite=answers.suite.id)
    at.session_state["checks_files"] = at.session_state["evidence_files"] = True
    at = sound(at.run())
    assert {button.proto.label for button in at.get("download_button")} == {"Download .csv", "Download .svg"}
    at = sound(widget(at, "selectbox", "checks_file").select("tex").run())
    assert "Download .tex" in {button.proto.label for button in at.get("download_button")}
    assert any("Holm 1979" in code.value for code in at.code)


def test_a_suite_of_earlier_definitions_and_of_deleted_networks_is_said(opened: Open, answers: Answers) -> None:
    store = answers.store
    old = store.get(room.SUITES, answers.suite.id)
    assert old is not None
    store.put(room.SUITES, "0123456789abcdef", old | {"created": "2020-01-01T00:00:00+00:00"})
    at = sound(opened(store, PAGE, suite="0123456789abcdef"))
    assert "Definitions of checks" in text(at, "info")
    store.put(room.SUITES, "f" * 16, old | {"wanted": old["wanted"] | {"names": ["gone"]}})
    at = sound(opened(store, PAGE, suite="f" * 16))
    assert "gone" in text(at, "error")


def test_where_nothing_can_be_computed_the_table_is_shown_and_what_to_install(
    opened: Open, jobs: Notes, store: Store
) -> None:
    made_suite(store, checks=("self",), indices=("cka",))
    jobs.lacking = "Install PyTorch to compute."
    at = sound(opened(store, PAGE))
    assert "Install PyTorch" in text(at, "info")
    assert cells(at)["self", "cka/similarity"]["choice"]
    assert not has(at, "button", "run_checks")


def test_home_leads_here_and_the_page_has_its_place(opened: Open, store: Store) -> None:
    assert [title for _, title, _ in ui.PAGES][2:5] == ["Activations", "Checks", "Runs"]
    at = sound(opened(store, "app.py"))
    assert any(link.proto.page.endswith("Checks") for link in at.main.get("page_link"))
    assert not list_runs(store)


def test_a_run_leads_to_the_checks_of_its_networks(opened: Open, done: Run) -> None:
    at = sound(opened(done.store, "pages/1_Compare.py", run=done.id))
    (link,) = [link.proto for link in at.main.get("page_link") if link.proto.page.endswith("Checks")]
    said = parse_qs(link.query_string)
    assert said == {"suite": ["own"], "check_networks": ["digits-b", "digits-a"]}
    at = sound(opened(done.store, PAGE, **said))
    assert widget(at, "multiselect", "check_networks").value == ["digits-b", "digits-a"]
    assert "10 checks to compute" in text(at, "markdown")


def test_the_table_of_a_file_is_shown_as_its_makers(
    opened: Open, jobs: Notes, answers: Answers, tmp_path: Path
) -> None:
    data = pack(next(iter(answers.checking.across.values())))
    store = Store(tmp_path / "other")
    shelf.open_file(store, data, "theirs *x*.stitch")
    at = sound(opened(store, PAGE, suite=answers.suite.id, view=checks_page.MEAN))
    assert at.selectbox(key="suites").value == answers.suite.id
    (name,) = [option for option in at.selectbox(key="suites").options if option.startswith("theirs")]
    assert name == f"theirs *x*.stitch: digits-a, digits-b · {answers.suite.id[:6]}"
    assert "Opened: theirs *x*.stitch, made by StitchLab" in text(at, "caption").replace("\\", "")
    first = {
        (row.check, row.subject): row for row in rows(answers) if row.statistic == CHECKS[row.check].statistics[0].name
    }
    shown = cells(at)
    assert {place: cell["value"] for place, cell in shown.items() if cell["choice"]} == {
        place: "" if row.value is None else f"{row.value:.2f}" for place, row in first.items()
    }
    assert at.header[0].value == "Self: Task loss matching: accuracy"
    assert len(statistics(at)) == 3
    assert "holds no evidence" in text(at, "info")
    assert not charts(at)
    assert not has(at, "button", "run_checks")
    assert "to compute" not in text(at, "markdown")
    assert not jobs.checked
    at = sound(widget(at, "selectbox", "evidence_check").select("controls").run())
    assert "".join(at.query_params["suite"]) == answers.suite.id
    assert at.header[0].value == "Controls: Task loss matching: accuracy"
    at.session_state["checks_files"] = True
    at = sound(at.run())
    for suffix in ("csv", "json", "tex", "svg"):
        at = sound(widget(at, "selectbox", "checks_file").select(suffix).run())
        assert f"Download .{suffix}" in {button.proto.label for button in at.get("download_button")}
    assert not list(store.root.rglob("suites/*")), "nothing of it becomes one's own"


def test_ones_own_suite_is_shown_before_a_files(opened: Open, answers: Answers) -> None:
    store = answers.store
    shelf.open_file(store, pack(next(iter(answers.checking.across.values()))), "theirs.stitch")
    at = sound(opened(store, PAGE, suite=answers.suite.id))
    assert not [option for option in at.selectbox(key="suites").options if option.startswith("theirs")]
    assert charts(at)
    store.delete(room.SUITES, answers.suite.id)
    at = sound(opened(store, PAGE))
    assert at.selectbox(key="suites").value == "demo", "a file's is not chosen unasked"
    at = sound(widget(at, "selectbox", "suites").select(answers.suite.id).run())
    assert "holds no evidence" in text(at, "info")


def test_a_new_store_shows_the_gallerys_table(
    opened: Open, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1-digits.stitch").write_bytes(pack(next(iter(answers.checking.across.values()))))
    monkeypatch.setenv("STITCHLAB_GALLERY", str(tmp_path))
    at = sound(opened(Store(tmp_path / "empty"), PAGE))
    assert at.selectbox(key="suites").value == answers.suite.id
    assert "From the gallery" in text(at, "caption")


def test_an_opened_run_leads_to_the_table_that_came_with_it(opened: Open, answers: Answers, tmp_path: Path) -> None:
    run = fill(next(iter(answers.checking.across.values())))
    store = Store(tmp_path / "other")
    shelf.open_file(store, pack(run), "theirs.stitch")
    at = sound(opened(store, "pages/1_Compare.py", run=run.id))
    (link,) = [link.proto for link in at.main.get("page_link") if link.proto.page.endswith("Checks")]
    assert parse_qs(link.query_string) == {"suite": [answers.suite.id]}
