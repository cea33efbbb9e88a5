"""The command `ood`: its table, its choices, and what a user's mistake gets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from grids import COLUMNS, ROWS

from stitchlab.__main__ import main
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.grid.ask import ask
from stitchlab.ood import reference as side
from stitchlab.ood.detectors import knn
from stitchlab.ood.inputs import CannotFit, Native, Score
from stitchlab.request import METHODS
from stitchlab.results.detection import DetectionResults
from stitchlab.results.keys import cell_key
from stitchlab.results.run import list_runs
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
        ("native", ""),
        ("outliers", ""),
        *((m, i) for m in ("tlm", "dm") for i in ROWS),
    }
    assert {(r["detector"], r["metric"]) for r in rows} == {
        *(("knn", metric) for metric in ("auroc", "aupr", "fpr95", "shift")),
        ("frechet", "ratio"),
    }
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


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--detectors", "nonsense"], "mahalanobis-class"),
        (["--cells", "layer1.0"], "FRONT:END"),
        (["--cells", "layer1.0:nonsense"], f"{ROWS[0]}:"),
        (["--outliers", "nonsense"], "noise"),
        (["--outliers", "data:nonsense"], "digits"),
        (["--outliers", "data:mnist"], "not on this machine"),
        (["--device", "tpu"], "cpu"),
    ],
)
def test_mistakes_are_one_line(options: list[str], word: str, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ood", run_id, "--detectors", "knn", *options]) == 2
    said = capsys.readouterr()
    assert not said.out
    (line,) = [line for line in said.err.splitlines() if "%" not in line]
    assert word in line
    assert "Traceback" not in said.err


def test_an_unknown_run_and_one_without_cells(run_id: str, done: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ood", "0123456789abcdef"]) == 2
    assert run_id in capsys.readouterr().err
    empty = ask("digits-b", "digits-a", done, front_layers=["relu"], end_layers=["relu"])
    assert main(["ood", empty.id]) == 2
    assert "`compare` computes it" in capsys.readouterr().err
    assert main(["ood", empty.id, "--cells", "relu:relu"]) == 2
    assert "not computed yet" in capsys.readouterr().err


def test_every_detector_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ood", "--help"])
    said = "".join(capsys.readouterr().out.split())  # lines are wrapped at hyphens too
    assert all(name in said for name in DETECTORS)


def test_the_file_is_what_stdout_gets_in_full_precision(
    run_id: str, done: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ood", run_id, "--detectors", "frechet,mahalanobis", "--cells", PAIR, "--device", "cpu"]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert main([*asked, "--out", str(tmp_path / "ood.csv")]) == 0
    assert (tmp_path / "ood.csv").read_text() == out
    cells = [(method, ROWS[1], COLUMNS[0]) for method in METHODS]
    kept = list(DetectionResults(list_runs(done)[0]).rows(["mahalanobis", "frechet"], cells))
    rows = read(out)
    assert len(rows) == len(kept) == 4 * 5
    for row, expected in zip(rows, kept, strict=True):
        assert tuple(row[name] for name in HEADER[:5]) == expected[:5]
        assert tuple(float(row[name]) for name in HEADER[5:]) == expected[5:]


def test_what_is_undefined_is_an_empty_field_and_a_remark(
    run_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(native: Native) -> Score:
        raise CannotFit("nothing can be fitted here")

    monkeypatch.setattr(knn, "knn", refuse)
    side._references.clear()
    assert main(["ood", run_id, "--detectors", "knn,mahalanobis", "--cells", PAIR]) == 0
    said = capsys.readouterr()
    for row in read(said.out):
        assert all((row[name] == "") == (row["detector"] == "knn") for name in ("value", "low", "high"))
    assert f"do not believe knn at {COLUMNS[0]}: nothing can be fitted here" in said.err.splitlines()


def test_remarks_name_what_is_not_believed_and_nothing_else(
    run_id: str, done: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--outliers", "data:digits"]  # the data themselves: nothing tells them from native
    assert main(["ood", run_id, "--detectors", "knn,mahalanobis", "--cells", PAIR, *own]) == 0
    remarks = [line for line in capsys.readouterr().err.splitlines() if "%" not in line]
    assert remarks == [
        f"do not believe {name} at {COLUMNS[0]}: known outliers give only AUROC 0.50" for name in ("mahalanobis", "knn")
    ]
    assert main(["ood", run_id, "--detectors", "knn,mahalanobis"]) == 0
    found = DetectionResults(list_runs(done)[0])
    doubted = [(j, name) for j in COLUMNS for name in ("mahalanobis", "knn") if not found.reliability(name, j).holds]
    remarks = [line for line in capsys.readouterr().err.splitlines() if "%" not in line]
    assert [tuple(line.split(":")[0].split()[3::2][::-1]) for line in remarks] == doubted


def test_cells_that_are_not_there_yet_are_left_out(
    run_id: str, done: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = list_runs(done)[0]
    done.path("cells", cell_key(run.request, "tlm", ROWS[1], COLUMNS[0]), ".json").unlink()
    assert main(["ood", run_id, "--detectors", "knn"]) == 0
    said = capsys.readouterr()
    assert "7 of 8 cells are computed; the others are left out" in said.err
    cells = {(r["method"], r["front_layer"], r["end_layer"]) for r in read(said.out) if r["front_layer"]}
    assert cells == {(m, i, j) for m in ("tlm", "dm") for i in ROWS for j in COLUMNS} - {("tlm", ROWS[1], COLUMNS[0])}
    assert main(["ood", run_id, "--detectors", "knn", "--cells", PAIR]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.splitlines()[-1] == (
        f"stitchlab ood: tlm of {ROWS[1]} → {COLUMNS[0]} is not computed yet; `compare` computes it"
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--training-outliers", "patches,nonsense"], "nonsense"),
        (["--outliers", "data:"], "digits"),
        (["--out", "done"], "could not write"),
        (["--seed", "x"], "invalid int value"),
    ],
)
def test_more_mistakes_are_one_line(
    options: list[str],
    word: str,
    run_id: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["ood", run_id, "--detectors", "knn", "--cells", PAIR, *options])
    except SystemExit as stop:
        status = int(str(stop.code))
    said = capsys.readouterr()
    assert status == 2
    assert not said.out
    assert word in said.err
    assert "Traceback" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["done"], "nothing half-written"
