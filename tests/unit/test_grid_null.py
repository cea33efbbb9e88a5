"""Nulls of a grid: what is computed and kept, what tables, files and figures say of them."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import invented
import numpy as np
import pytest
from grids import SMALL, Spy, grid_of, made

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.captions import caption
from stitchlab.export.formats import make
from stitchlab.export.options import Options
from stitchlab.export.report.grids import shows, values
from stitchlab.figures import run_grids
from stitchlab.figures.grid import stars
from stitchlab.figures.heatmap import heatmap
from stitchlab.grid.ask import ask
from stitchlab.indices.null import NOT_PERMUTABLE
from stitchlab.request import NULL
from stitchlab.results import chance, cleaning
from stitchlab.results.bundle import pack, unpack
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.results.tables import cells_csv
from stitchlab.store import Store
from stitchlab.ui import links

SOME: dict[str, Any] = {"methods": [], "indices": ["cka", "mutual-knn", "opd", "opd-positions"]}
LAYERS = invented.layers(4)


@pytest.fixture
def permuted(store: Store) -> Run:
    return made(store, **SOME, null=25)


def test_a_null_is_added_to_what_is_there_and_nothing_is_stitched(store: Store, spy: Spy) -> None:
    before = made(store, **SOME)
    indices_with_null = made(store, **SOME, null=25)
    assert indices_with_null.id != before.id
    assert indices_with_null.complete
    assert indices_with_null.total == 2 * before.total
    assert not spy.dm
    assert not spy.tlm
    for name in SOME["indices"]:
        metric = dict(before.quantities())[name]
        assert (indices_with_null.matrix(name, metric) == before.matrix(name, metric)).all()
    spy.indices.clear()
    assert made(store, **SOME, null=25).complete
    assert not spy.indices, "nothing is computed twice"


def test_a_new_layer_computes_its_own_nulls_only_and_they_do_not_depend_on_the_rest(store: Store, spy: Spy) -> None:
    few = made(store, **{**SOME, "end_layers": SMALL["end_layers"][:1]}, null=25)
    spy.indices.clear()
    more = made(store, **SOME, null=25)
    assert spy.indices == {(n, *cell) for n in SOME["indices"] for cell in grid_of(columns=SMALL["end_layers"][1:])}
    for cell, kept in few.cells.items():
        assert more.cells[cell] == kept


def test_tables_have_the_bound_and_p_of_each_index(permuted: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(cells_csv(permuted))))
    assert {(row["method"], row["metric"]) for row in rows} == {
        (name, metric)
        for name in SOME["indices"]
        for metric in ("distance" if name.startswith("opd") else "similarity", "null95", "p")
    }
    by = {(row["front_layer"], row["end_layer"], row["method"], row["metric"]): row["value"] for row in rows}
    for i, j in permuted.request.cells:
        null = chance.null(permuted, "cka", i, j)
        assert null is not None
        assert len(null) == 25
        value = permuted.value("cka", "similarity", i, j)
        assert value is not None
        assert float(by[i, j, "cka", "null95"]) == sorted([*null, value])[24]  # of 26, 95 % are 24.7
        assert float(by[i, j, "cka", "p"]) == (1 + sum(n >= value for n in null)) / 26
        assert by[i, j, "opd-positions", "p"] == ""
        assert permuted.reason("opd-positions", "p", i, j) == NOT_PERMUTABLE
        assert permuted.reason("cka", "p", i, j) == ""
    assert {row["reason"] for row in permuted.undefined()} == {NOT_PERMUTABLE}


def test_calibrated_is_no_row_of_a_table_but_a_number_of_a_run(permuted: Run) -> None:
    i, j = permuted.request.cells[0]
    value, bound = permuted.value("opd", "distance", i, j), permuted.value("opd", "null95", i, j)
    assert value is not None
    assert bound is not None
    assert permuted.value("opd", "calibrated", i, j) == pytest.approx(1 - value / bound)
    assert "calibrated" not in cells_csv(permuted)
    with pytest.raises(UnknownName):
        permuted.matrix("cka", "null96")


def test_without_a_null_there_are_no_such_numbers(store: Store) -> None:
    run = made(store, **SOME)
    assert "null95" not in cells_csv(run)
    assert np.isnan(run.matrix("cka", "p")).all()
    assert chance.columns(run, "cka") == []
    assert run_grids.calibrated_grids(run) == []
    with pytest.raises(UnknownName, match="calibrated/cka"):
        make(run, "svg", Options(show=("calibrated/cka",)))


def test_a_null_without_an_index_is_no_other_request(store: Store) -> None:
    one, other = (
        ask("digits-a", "digits-b", store, **{**SMALL, "methods": ["dm"], "indices": []}, null=n) for n in (0, 200)
    )
    assert one.id == other.id


def test_a_stitch_file_has_the_nulls(permuted: Run) -> None:
    packed = pack(permuted)
    back = unpack(packed, "a.stitch")
    assert cells_csv(back) == cells_csv(permuted)
    assert chance.columns(back, "cka") == chance.columns(permuted, "cka")


def test_a_stitch_file_with_a_null_of_another_length_is_refused(permuted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = next(key for key in permuted.cells if key[0] == f"{NULL}cka")
    permuted.cells[first] = permuted.cells[first] | {"null": [0.5] * 24}
    with pytest.raises(StitchLabError, match="null with a wrong number of permutations"):
        pack(permuted)


def test_cleaning_keeps_nulls_and_deleting_removes_them(store: Store, permuted: Run) -> None:
    kept = set(store.keys("cells"))
    assert not [room for room in cleaning.clean(store, min_age_s=0) if room.room == "cells" and room.files]
    assert set(store.keys("cells")) == kept
    cleaning.delete_run(store, permuted.id)
    assert not store.keys("cells")


def chancy(store: Store) -> Run:
    """Invented numbers of CKA: the first two columns are far above their nulls, the others are in their midst."""
    return invented.run(
        store, LAYERS, LAYERS, indices=("cka",), null=100, chance=lambda name, i, j: 0.0 if j in LAYERS[:2] else 0.5
    )


def test_the_best_of_a_column_may_be_there_by_chance(store: Store) -> None:
    run = chancy(store)
    tests = chance.columns(run, "cka")
    assert [test.end_layer for test in tests] == LAYERS
    assert [test.by_chance for test in tests] == [False, False, True, True]
    assert all(test.decided for test in tests)
    assert tests[0].adjusted == pytest.approx(4 / 101)
    for test, column in zip(tests, run.matrix("cka", "similarity").T, strict=True):
        assert test.value == column.max()
    assert chance.by_chance(run, "cka") == tuple(LAYERS[2:])


def test_too_few_permutations_decide_nothing(store: Store) -> None:
    layers = invented.layers(9)
    run = invented.run(store, layers, layers, indices=("cka",), null=100, chance=lambda name, i, j: 0.5)
    assert not any(test.decided for test in chance.columns(run, "cka"))
    assert chance.by_chance(run, "cka") == ()
    assert chance.default_permutations(9) == 225


def test_stars_are_hollow_where_chance_gets_as_far(store: Store) -> None:
    run = chancy(store)
    (grid,) = run_grids.index_grids(run)
    full, hollow = stars(grid)
    assert {LAYERS[c] for _, c in full} == set(LAYERS[:2])
    assert {LAYERS[c] for _, c in hollow} == set(LAYERS[2:])
    by_name = {trace.name: trace for trace in heatmap(grid).data if trace.name}
    assert len(by_name["best"].x) == 4
    assert len(by_name["by chance"].x) == 2
    assert "95 % of chance: 0.0000" in by_name["cells"].text[0].replace("−", "-")
    root = ET.fromstring(make(run, "svg", Options(show=("cka",))))
    shapes = {group.get("id"): len(list(group)) for group in root.iter("{http://www.w3.org/2000/svg}g")}
    assert next(count for name, count in shapes.items() if name and name.endswith("by-chance")) > 0
    assert "Hollow ★" in caption(run, Options(show=("cka",)))


def test_calibrated_heatmaps_are_on_one_scale_and_exported(store: Store, tmp_path: Path) -> None:
    run = invented.run(store, LAYERS, LAYERS, indices=("cka", "opd"), null=100, chance=lambda name, i, j: 0.3)
    made_of = run_grids.calibrated_grids(run)
    assert [grid.title for grid in made_of] == ["Linear CKA, calibrated", "Orthogonal Procrustes, calibrated"]
    assert len({(grid.low, grid.high, grid.diverging) for grid in made_of}) == 1
    assert made_of[0].low == -made_of[0].high < 0, "something is below chance, so colours are centred on 0"
    said = caption(run, Options(show=("calibrated",)))
    assert "calibrated by 100 permutations of images" in said
    assert "TLM" not in said
    assert make(run, "svg", Options(show=("calibrated/opd",)))
    found = DetectionResults(run)
    assert "cka/calibrated" in values(found)
    assert {"calibrated", "indices"} <= {show["key"] for show in shows(found)}


def test_links_say_how_many_permutations(store: Store, permuted: Run) -> None:
    said = dict(links.query(permuted))
    assert said["null"] == "25"
    again = links.read(store, {key: [value for k, value in links.query(permuted) if k == key] for key in said})
    assert again is not None
    assert again.id == permuted.id
    for bad in ("10", "-3", "many"):
        link = {key: [value for k, value in links.query(permuted) if k == key] for key in said if key != "run"}
        other = links.read(store, link | {"null": [bad]})
        assert other is None or not other.request.null
