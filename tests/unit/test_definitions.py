"""A run under an earlier definition keeps its id and its numbers; what it lacks is asked for under today's."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from grids import COLUMNS, ROWS, SMALL, Spy, made, numbers

from stitchlab.__main__ import main
from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.grid.ask import ask
from stitchlab.grid.compute import compute, compute_unit
from stitchlab.jobs import Jobs
from stitchlab.ood.evaluate import detect
from stitchlab.ood.trajectory import compute_trajectory
from stitchlab.request import DEFINITIONS, TaskLoss, content_id
from stitchlab.results import definitions, plan
from stitchlab.results.keys import cell_key, functional_key, map_key
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.worker import tasks

CPU = torch.device("cpu")
EVERY = [*DEFINITIONS, *INDICES]
#: Rests on every definition of methods there is.
RECIPE = TaskLoss(epochs=1, optimiser="soap", schedule="one-cycle", init="dm")
WANTED: dict[str, Any] = {**SMALL, "tlm": RECIPE, "front_layers": ROWS[1:], "indices": list(INDICES)}


@pytest.fixture(scope="module")
def half(digits_store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store with a run of two cells of which one is computed, and the run's id. Only read it."""
    root = tmp_path_factory.mktemp("half") / "cache"
    shutil.copytree(digits_store.root, root)
    store = Store(root)
    made(store, **{**WANTED, "end_layers": COLUMNS[:1]})
    return store, ask("digits-a", "digits-b", store, **WANTED).id


@pytest.fixture
def old(half: tuple[Store, str], tmp_path: Any) -> Run:
    """It in a store of one's own."""
    shutil.copytree(half[0].root, tmp_path / "half")
    return Run.load(half[1], Store(tmp_path / "half"))


@contextlib.contextmanager
def raised(name: str) -> Iterator[None]:
    """The definition is another from here on."""
    with pytest.MonkeyPatch.context() as patch:
        if name in INDICES:
            patch.setitem(INDICES, name, replace(INDICES[name], version=INDICES[name].version + 1))
        else:
            patch.setitem(DEFINITIONS, name, DEFINITIONS[name] + 1)
        yield


@pytest.mark.parametrize("name", EVERY)
def test_what_an_old_run_lacks_is_computed_under_todays_definitions(name: str, old: Run, spy: Spy) -> None:
    before, files = numbers(old), set(old.store.keys("cells"))
    with raised(name):
        run = compute(old.store, Run.load(old.id, old.store), CPU)
        assert run.complete
        assert (
            run.id
            == old.under_todays_definitions().id
            == resolve(old.store, "digits-a", "digits-b", **WANTED).id
            != old.id
        )
        assert Run.load(run.id, old.store).request == run.request, "it is in the store"
        kept = Run.load(old.id, old.store)
        assert kept.request == old.request
        assert [now for now in numbers(kept) if now in before][:1], "its numbers are there"
        written = set(old.store.keys("cells")) - files
        todays = {functional_key(run.request, m, *cell) for m in run.request.methods for cell in run.request.cells}
        todays |= set(run._keys().values())
        assert written <= todays, "nothing was written under a key of the old definition alone"
        assert kept.provenance()["earlier_definitions"] == {
            name: {"version": (was := old.request.definitions.get(name, 1)), "today": was + 1}
        }
        if name in INDICES:
            assert spy.tlm == spy.dm == {(ROWS[1], COLUMNS[1])}, "maps are shared"
            assert not spy.accuracies
    assert Run.load(old.id, old.store).under_todays_definitions().id == old.id


@pytest.mark.parametrize("name", EVERY)
def test_no_unit_of_an_old_run_is_computed(name: str, old: Run) -> None:
    files, unit = set(old.store.keys("cells")), plan.missing(old)[0]
    old.store.put("jobs", "job", {"attempt": "job-00000000", "labels": ["it"], "weights": [1.0], "created": 0.0})
    with raised(name):
        with pytest.raises(StitchLabError, match=rf"under other definitions than today's \({name}: version"):
            compute_unit(old.store, old.request, unit, CPU)
        with pytest.raises(StitchLabError, match="Ask for the same comparison again"):
            tasks.compute(str(old.store.root), old.id, unit, "cpu", "job-00000000", 0)
    assert set(old.store.keys("cells")) == files


@pytest.mark.parametrize("name", EVERY)
def test_the_queue_takes_todays_run(name: str, old: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Jobs, "_submit", lambda self, *wanted, **more: queued.append(wanted))
    jobs = Jobs(old.store)
    with raised(name):
        run = jobs.compute(Run.load(old.id, old.store))
        assert run.id == old.under_todays_definitions().id != old.id
    assert [wanted[0] for wanted in queued] == [run.id]
    assert {call.arguments[0] for call, _ in queued[0][2]} == {run.id}
    assert jobs.compute(old).id == old.id, "today's again"


@pytest.mark.parametrize("name", EVERY)
def test_numbers_say_which_definition_they_are_of(name: str, old: Run) -> None:
    rests = {n for n in (*old.request.methods, *old.request.indices) if name in definitions.rests_on(n, RECIPE)}
    assert rests
    assert not any(definitions.remark(old.request, n) for n in EVERY if n in old.request.indices)
    with raised(name):
        said = {n: definitions.remark(old.request, n) for n in (*old.request.methods, *old.request.indices)}
    assert {n for n, remark in said.items() if remark == "earlier definition"} == rests
    later = replace(old.request, definitions={n: v + 1 for n, v in old.request.definitions.items()})
    assert definitions.remark(later, "cka") == "later definition"


@pytest.mark.parametrize("name", ["dm", "tlm", "soap", "evaluation", "input"])
def test_detectors_do_not_look_at_stitches_of_an_earlier_definition(name: str, old: Run) -> None:
    """They would write what today's code makes of them under the old keys."""
    with raised(name):
        with pytest.raises(StitchLabError, match=f"{name}: version"):
            detect(old, detectors=["knn"], device="cpu")
        with pytest.raises(StitchLabError, match=f"{name}: version"):
            compute_trajectory(old, ROWS[1], COLUMNS[0], CPU)
        with pytest.raises(StitchLabError, match=f"{name}: version"):
            Jobs(old.store).compute_trajectory(old, ROWS[1], COLUMNS[0])
    assert not old.store.keys("ood")


def test_detectors_do_not_mind_the_definition_of_an_index(old: Run) -> None:
    with raised("pwcca"):
        assert (
            detect(old, detectors=["frechet"], device="cpu")
            .interval("frechet", "dm", "ratio", ROWS[1], COLUMNS[0])
            .value
            is not None
        )


def test_a_complete_run_is_returned_as_it_is(half: tuple[Store, str]) -> None:
    run = resolve(half[0], "digits-a", "digits-b", **{**WANTED, "end_layers": COLUMNS[:1]})
    assert run.complete
    with raised("cka"):
        assert compute(run.store, run, CPU).id == run.id


def test_a_run_from_before_pwcca_was_dings(
    old: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1 had the paper's rows of the first 1,000 images; its request and its key are as they were."""
    request = replace(
        old.request,
        methods=(),
        indices=("cka", "pwcca"),
        eval_images=500,
        definitions={"cka": 1, "pwcca": 1, "input": 2, "evaluation": 1},
    )
    old.store.put("runs", request.id, old.record | {"request": asdict(request)})
    i, j = ROWS[1], COLUMNS[0]
    old.store.put(
        "cells",
        content_id(
            {
                "what": "index",
                "index": "pwcca",
                "images": 500,
                "version": 1,
                "front": request.front,
                "end": request.end,
                "front_layer": i,
                "end_layer": j,
                "data": request.data,
                "seed": 0,
                "precision": "fp32",
                "input": 2,
            }
        ),
        {"distance": 0.4321, "reason": "", "seconds": 0.1, "device": "cpu", "versions": {}},
    )
    run = Run.load(request.id, old.store)
    assert run.value("pwcca", "distance", i, j) == 0.4321
    monkeypatch.setenv("STITCHLAB_CACHE", str(old.store.root))
    assert main(["show", run.id]) == 0
    told = capsys.readouterr().out
    assert "pwcca / distance (earlier definition)" in told
    assert "cka / similarity\n" in told
    assert "0.4321" in told


def test_keys_of_maps_and_cells_do_not_know_of_indices(old: Run) -> None:
    with raised("opd"):
        now = old.under_todays_definitions().request
    for method in now.methods:
        for key in (map_key, cell_key):
            assert key(now, method, ROWS[1], COLUMNS[0]) == key(old.request, method, ROWS[1], COLUMNS[0])
