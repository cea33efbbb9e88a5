"""A whole suite on two small networks: what is computed and kept, what the command writes, what goes when."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import Spy

import stitchlab
from stitchlab.__main__ import main
from stitchlab.catalog.checks import CHECKS
from stitchlab.checks.compute import compute
from stitchlab.checks.price import price
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.create import untrained
from stitchlab.request import TaskLoss
from stitchlab.results import cleaning, demo, networks
from stitchlab.results.chance import min_permutations
from stitchlab.results.checks import answers as kept
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.plan import every, lacking, steps
from stitchlab.results.checks.suite import Checking, find, suite_of, wanted
from stitchlab.results.checks.table import CheckRow, rows
from stitchlab.store import Store

NAMES = ("one", "two")  # perceptrons, which are trained in a moment
SETTINGS: dict[str, Any] = {
    "indices": ("cka", "opd", "opd-positions"),
    "tlm": TaskLoss(epochs=1, images=120),
    "dm_images": 40,
    "eval_images": 150,
    "null": 150,
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which two networks are checked by all checks. Only read it."""
    store = Store(tmp_path_factory.mktemp("checked") / "cache")
    digits = stitchlab.load_data("digits", store)
    for seed, name in enumerate(NAMES):
        stitchlab.train(
            "mlp", digits, store, name=name, seed=seed, epochs=4, options={"width": 24, "depth": 5}, device="cpu"
        )
    stitchlab.check(NAMES, store, device="cpu", **SETTINGS)
    return store


@pytest.fixture
def mine(checked: Store, tmp_path: Path) -> Store:
    """A copy of `checked` of one's own."""
    shutil.copytree(checked.root, tmp_path / "mine")
    return Store(tmp_path / "mine")


def said(store: Store) -> list[CheckRow]:
    return Answers(find(store, NAMES, **SETTINGS)).rows()


def test_every_check_answers_every_measure_that_it_is_for(checked: Store) -> None:
    found = said(checked)
    assert {row.check for row in found} == set(CHECKS)
    assert {row.subject for row in found} == {
        *(
            f"{method}/{metric}"
            for method in ("tlm", "dm")
            for metric in ("accuracy", "distance", "agreement", "jsd", "error_consistency")
        ),
        "cka/similarity",
        "opd/distance",
        "opd-positions/distance",
    }
    assert {row.verdict for row in found} == {"pass", "fail", "not enough data"}
    for row in found:
        known = next(s for s in CHECKS[row.check].statistics if s.name == row.statistic)
        assert row.value is not None or row.reason, row
        if row.value is not None:
            assert known.low is None or row.value >= known.low, row
            assert known.high is None or row.value <= known.high, row
    assert [row.value for row in found if (row.check, row.subject) == ("self", "cka/similarity")] == [1, 1]
    few = [row for row in found if (row.check, row.statistic) == ("stability", "seeds")]
    assert {row.reason for row in few} == {"the spread of seeds needs 3 networks with the same layers"}


def test_the_demo_asks_for_the_same_null_before_its_networks_are_trained(done: Store) -> None:
    assert find(done, demo.NAMES).suite.null == min_permutations(demo.LAYERS)


def test_numbers_are_those_of_the_runs(checked: Store) -> None:
    checking = find(checked, NAMES, **SETTINGS)
    cka = {ends: run.matrix("cka", "similarity") for ends, run in checking.across.items()}
    hits = np.mean([np.argmax(matrix, axis=0) == np.arange(len(matrix)) for matrix in cka.values()])
    by = {(row.check, row.subject, row.statistic): row for row in said(checked)}
    assert by["correspondence", "cka/similarity", "columns"].value == pytest.approx(hits)
    opd = [run.matrix("opd", "distance") for run in (*checking.within.values(), *checking.across.values())]
    far = np.mean([m[-1, 0] > max(m[0, 0], m[-1, -1]) for m in opd])
    assert by["far-layers", "opd/distance", "last-to-first"].value == pytest.approx(far)
    noise = [
        (
            checking.across[f, g].matrix("cka", "similarity").max(0)
            > checking.controls["noise", g].matrix("cka", "similarity").max(0)
        )
        for f, g in checking.across
    ]
    assert by["controls", "cka/similarity", "noise"].value == pytest.approx(np.mean(noise))


def test_evidence_has_figures_and_the_runs_behind_it(checked: Store) -> None:
    answers = Answers(find(checked, NAMES, **SETTINGS))
    for check in CHECKS:
        subject = "tlm/accuracy" if CHECKS[check].of != "indices" else "cka/similarity"
        answer = answers.answer(check, subject)
        assert answer is not None
        assert answer.evidence["figures"], check
        for figure in answer.evidence["figures"]:
            assert figure["kind"] in ("matrix", "lines", "points", "intervals")
            assert figure["title"]
        for run in answer.evidence["runs"]:
            assert stitchlab.Run.load(run["id"], checked).complete


def test_nothing_is_computed_twice_and_a_check_that_was_lost_asks_for_no_grid(mine: Store, spy: Spy) -> None:
    before = said(mine)
    assert not steps(find(mine, NAMES, **SETTINGS))
    mine.delete_all(kept.ROOM, "")
    checking = find(mine, NAMES, **SETTINGS)
    assert [step.work for step in steps(checking)] == ["answers"]
    stitchlab.check(NAMES, mine, device="cpu", **SETTINGS)
    assert spy.nothing
    assert said(mine) == before


def test_one_more_index_computes_that_alone(mine: Store, spy: Spy) -> None:
    more = SETTINGS | {"indices": (*SETTINGS["indices"], "cca")}
    stitchlab.check(NAMES, mine, checks=["correspondence", "self"], device="cpu", **more)
    assert {name for name, *_ in spy.indices} == {"cca"}
    assert not spy.tlm
    assert not spy.dm


def test_a_suite_is_found_again_from_what_is_written_down(checked: Store) -> None:
    (record,) = kept.suites(checked)
    again = suite_of(checked, record["wanted"])
    assert again.suite == find(checked, NAMES, **SETTINGS).suite
    assert record["networks"] == list(NAMES)
    assert record["id"] == again.suite.id


def test_cleaning_keeps_a_suite_and_what_it_takes(mine: Store) -> None:
    before = said(mine)
    mine.put(kept.ROOM, "0123456789abcdef-self", {"answers": {}})
    freed = cleaning.clean(mine, min_age_s=-1)
    assert [(amount.room, amount.files) for amount in freed] == [(kept.ROOM, 1)]
    assert said(mine) == before


def test_what_changes_the_numbers_changes_the_suite(checked: Store) -> None:
    one = find(checked, NAMES, **SETTINGS).suite
    for change in (
        {"indices": ("cka",)},
        {"methods": ("dm",)},
        {"tlm": TaskLoss(epochs=2, images=120)},
        {"dm_images": 41},
        {"eval_images": 151},
        {"null": 0},
        {"seed": 1},
    ):
        assert find(checked, NAMES, **SETTINGS | change).suite.id != one.id, change


def test_networks_of_different_layers_are_checked_as_far_as_that_goes(mine: Store) -> None:
    digits = stitchlab.load_data("digits", mine)
    other = untrained("mlp", digits, mine, name="other", device="cpu", options={"depth": 4})
    stitchlab.check(["one"], mine, checks=["self"], device="cpu", **SETTINGS)
    from stitchlab.models.cut_points import cut_points_of_any

    cut_points_of_any(mine, other)
    checking = find(mine, ["one", "other"], methods=(), **{**SETTINGS, "indices": ("cka",)})
    assert [len(group) for group in checking.alike] == [1, 1]
    assert set(checking.next) == {(n, n) for n in checking.suite.networks}
    found = compute(checking, ["self", "correspondence", "controls"], stitchlab_device())
    by = {row.check: row for row in rows(found)}
    assert by["correspondence"].verdict == "not enough data"
    assert "two networks with the same layers" in by["correspondence"].reason
    assert by["self"].value == 1
    assert by["controls"].value is not None


def stitchlab_device() -> Any:
    import torch

    return torch.device("cpu")


def test_what_is_wrong_is_one_line(checked: Store) -> None:
    with pytest.raises(StitchLabError, match="one was named twice"):
        find(checked, ["one", "one"])
    identifier = networks.find(checked, "one").id
    with pytest.raises(StitchLabError, match="named twice"):
        find(checked, ["one", identifier])
    with pytest.raises(StitchLabError, match="need one network or more"):
        find(checked, [])
    with pytest.raises(UnknownName, match="no network is called 'nobody'"):
        find(checked, ["one", "nobody"])
    with pytest.raises(UnknownName, match="no similarity index"):
        find(checked, NAMES, indices=["nonsense"])


def test_the_steps_of_networks_that_are_not_trained_yet_are_the_same(digits_store: Store, tmp_path: Path) -> None:
    names = ("digits-a", "digits-b")
    checking = find(digits_store, names, **SETTINGS)
    what = wanted(checking) | {"names": list(names), "data": "digits"}
    ahead = lacking(Store(tmp_path), what)
    assert [(step.work, step.end) for step in ahead[:2]] == [("train", "digits-a"), ("train", "digits-b")]
    there = every(wanted(checking), {n.id: n.name for n in checking.networks}, tuple(CHECKS), list(checking.next))
    assert [(step.work, step.label) for step in ahead[2:]] == [(step.work, step.label) for step in there]


def test_a_price_is_said_for_what_is_there_and_for_what_is_not_trained_yet(mine: Store, tmp_path: Path) -> None:
    checking = find(mine, NAMES, **SETTINGS)
    assert price(mine, wanted(checking), tuple(CHECKS), "cpu") == {"seconds": 0.0, "timed": True, "grids": 0}
    more = wanted(find(mine, NAMES, **SETTINGS | {"eval_images": 200}))
    found = price(mine, more, tuple(CHECKS), "cpu")
    assert found["grids"] == 2 + 2 + 4 + 2 + 2  # within, across, controls, half of DM's images, nulls
    assert found["seconds"] > price(mine, more, ["self"], "cpu")["seconds"] > 0
    ahead = wanted(checking) | {"names": ["digits-a", "digits-b"], "data": "digits"}
    untrained_yet = price(Store(tmp_path / "empty"), ahead, tuple(CHECKS), "cpu")
    assert untrained_yet["grids"] == found["grids"]
    assert not untrained_yet["timed"]
    assert untrained_yet["seconds"] > 0


def test_the_command_writes_the_table(
    mine: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(mine.root))
    asked_for = [
        "check",
        "self",
        "correspondence",
        "--networks",
        ",".join(NAMES),
        "--methods",
        "dm",
        "--indices",
        "cka",
        "--eval-images",
        "150",
        "--dm-images",
        "40",
        "--null",
        "150",
        "--device",
        "cpu",
    ]
    assert main(asked_for) == 0
    written = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(written[0]) == ("check", "subject", "statistic", "value", "low", "high", "p", "verdict", "reason")
    checking: Checking = find(mine, NAMES, methods=["dm"], **{**SETTINGS, "indices": ("cka",), "tlm": TaskLoss()})
    expected = rows(Answers(checking), ["self", "correspondence"])
    assert [(row["check"], row["subject"], float(row["value"])) for row in written] == [
        (row.check, row.subject, row.value) for row in expected
    ]
    assert main([*asked_for, "--out", str(tmp_path / "table.csv")]) == 0
    assert (tmp_path / "table.csv").read_text().splitlines()[0].startswith("check,subject")
    assert main(["check", "nonsense", "--networks", "one"]) == 2
    assert "no check is called 'nonsense'" in capsys.readouterr().err
