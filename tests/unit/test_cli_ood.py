"""The command `ood`: its table, its choices, and what a user's mistake gets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from grids import COLUMNS, ROWS

from stitchlab.__main__ import main
from stitchlab.grid import ask
from stitchlab.ood import REGISTRY
from stitchlab.run import list_runs
from stitchlab.store import Store

HEADER = ["front_layer", "end_layer", "method", "detector", "metric", "value", "low", "high"]
PAIR = f"{ROWS[1]}:{COLUMNS[0]}"


@pytest.fixture
def run_id(done: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STITCHLAB_CACHE", str(done.root))
    return list_runs(done)[0].id


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_its_table_is_the_contracts(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ood", run_id[:8], "--detectors", "knn,frechet"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == ",".join(HEADER)
    rows = read(said.out)
    assert {(r["method"], r["front_layer"]) for r in rows} == {
        ("native", ""), ("outliers", ""), *((m, i) for m in ("tlm", "dm") for i in ROWS)}
    assert {(r["detector"], r["metric"]) for r in rows} == {
        *(("knn", metric) for metric in ("auroc", "aupr", "fpr95", "shift")), ("frechet", "ratio")}
    assert len(rows) == 5 * len(COLUMNS) * (2 + 2 * len(ROWS))
    assert all(float(r["low"]) <= float(r["high"]) for r in rows)


def test_a_file_and_chosen_cells(run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "ood.csv"
    assert main(["ood", run_id, "--detectors", "pca-residual", "--cells", PAIR, "--out", str(out)]) == 0
    rows = read(out.read_text())
    assert {(r["front_layer"], r["end_layer"]) for r in rows} == {("", COLUMNS[0]), (ROWS[1], COLUMNS[0])}
    said = capsys.readouterr()
    assert not said.out
    kept = {r["metric"]: float(r["value"]) for r in rows if r["method"] == "outliers"}
    doubted = kept["auroc"] < 0.8
    assert ("do not believe pca-residual" in said.err) == doubted


def test_the_kind_of_outliers_is_chosen(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for kind in ("noise", "constant"):
        assert main(["ood", run_id, "--detectors", "knn", "--cells", PAIR, "--outliers", kind]) == 0
        tables.append(read(capsys.readouterr().out))
    differ = {one["method"] for one, other in zip(*tables, strict=True) if one != other}
    assert differ == {"outliers"}


@pytest.mark.parametrize(("options", "word"), [
    (["--detectors", "nonsense"], "mahalanobis-class"), (["--cells", "layer1.0"], "FRONT:END"),
    (["--cells", "layer1.0:nonsense"], f"{ROWS[0]}:"), (["--outliers", "nonsense"], "noise"),
    (["--outliers", "data:nonsense"], "digits"), (["--outliers", "data:mnist"], "not on this machine"),
    (["--device", "tpu"], "cpu"),
])
def test_mistakes_are_one_line(
    options: list[str], word: str, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ood", run_id, "--detectors", "knn", *options]) == 2
    said = capsys.readouterr()
    assert not said.out
    (line,) = [line for line in said.err.splitlines() if "%" not in line]
    assert word in line
    assert "Traceback" not in said.err


def test_an_unknown_run_and_one_without_cells(run_id: str, done: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ood", "0123456789abcdef"]) == 2
    assert run_id in capsys.readouterr().err
    empty = ask(done, "digits-b", "digits-a", front_layers=["relu"], end_layers=["relu"])
    assert main(["ood", empty.id]) == 2
    assert "`compare` computes it" in capsys.readouterr().err
    assert main(["ood", empty.id, "--cells", "relu:relu"]) == 2
    assert "not computed yet" in capsys.readouterr().err


def test_every_detector_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ood", "--help"])
    said = "".join(capsys.readouterr().out.split())  # lines are wrapped at hyphens too
    assert all(name in said for name in REGISTRY)
