"""cells.csv and run.json: the files that other people's scripts read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from grids import COLUMNS, ROWS, SMALL, made

from stitchlab.catalog.methods import METRICS
from stitchlab.errors import StitchLabError
from stitchlab.export.tables import cells_csv, run_json, write
from stitchlab.grid.ask import ask
from stitchlab.request import Request
from stitchlab.results.run import Run
from stitchlab.store import Store

INDEX_METRICS = {("cka", "similarity"), ("cka-debiased", "similarity"), ("pwcca", "distance"), ("opd", "distance")}


@pytest.fixture(scope="session")
def run(finished_grid: Store) -> Run:
    return made(finished_grid)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_cell_has_every_quantity_once(run: Run) -> None:
    text = cells_csv(run)
    assert text.splitlines()[0] == "front_layer,end_layer,method,metric,value"
    found = [(row["front_layer"], row["end_layer"], row["method"], row["metric"]) for row in rows(text)]
    quantities = {(method, metric) for method in ("tlm", "dm") for metric in METRICS} | INDEX_METRICS
    assert len(found) == len(set(found))
    assert set(found) == {(i, j, *quantity) for i in ROWS for j in COLUMNS for quantity in quantities}


def test_numbers_come_back_bit_for_bit(run: Run) -> None:
    for row in rows(cells_csv(run)):
        value = run.value(row["method"], row["metric"], row["front_layer"], row["end_layer"])
        assert value is not None
        assert float(row["value"]) == value


def test_what_is_not_there_is_empty_and_not_zero(store: Store) -> None:
    empty = ask("digits-a", "digits-b", store, **SMALL)
    assert {row["value"] for row in rows(cells_csv(empty))} == {""}


def test_run_json_holds_the_request_and_all_that_made_the_numbers(run: Run) -> None:
    told = json.loads(run_json(run))
    assert Request.from_json(told["request"]) == run.request
    assert told["id"] == run.id
    assert told["own_accuracy"] == run.own_accuracy
    assert told["complete"] is True
    assert {told["front"]["name"], told["end"]["name"]} == {"digits-a", "digits-b"}
    assert told["devices"]
    assert "torch" in told["versions"][0]
    assert set(told["seconds"]) == {"tlm", "dm", "cka", "cka-debiased", "pwcca", "opd"}


def test_write_makes_the_folder_and_leaves_nothing_beside(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path / "deep" / "out")
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == ["cells.csv", "run.json"]
    assert (tmp_path / "deep" / "out" / "cells.csv").read_text() == cells_csv(run)
    write(run, tmp_path / "deep" / "out")  # again, over what is there
    assert json.loads((tmp_path / "deep" / "out" / "run.json").read_text())["id"] == run.id


def test_a_folder_that_cannot_be_made_is_one_plain_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StitchLabError) as caught:
        write(run, tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "in the way"
