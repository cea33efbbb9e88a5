"""What a grid keeps and shares: interruptions, damage, claims of other processes, a full disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from grids import COLUMNS, ROWS, SMALL, Spy, grid_of, harm, impatient, made, numbers

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import Cancelled, StitchLabError
from stitchlab.grid.ask import ask
from stitchlab.models.tensors import get_tensors
from stitchlab.request import Method
from stitchlab.results.keys import accuracy_key, cell_key, index_key, map_key
from stitchlab.results.run import Run
from stitchlab.stitch import maps
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store
from stitchlab.store.claims import claimed


@pytest.mark.parametrize("after", [1, 4, 12, 18])
def test_what_is_done_is_kept_when_cancelled(store: Store, spy: Spy, after: int) -> None:
    count = 0

    def stop(what: str, share: float) -> None:
        nonlocal count
        count += 1
        assert 0 <= share <= 1
        if count == after:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        made(store, report=stop)
    part = ask("digits-a", "digits-b", store, **SMALL)
    assert not part.complete
    assert not list((store.root / "claims").glob("*.json")), "claims were left behind"
    kept = set(part.cells)
    spy.evaluated.clear()
    spy.indices.clear()
    whole = made(store)
    assert whole.complete
    assert all(whole.cells[cell] == value for cell, value in part.cells.items())
    assert not {(n, i, j) for n, i, j in kept if n in INDICES} & spy.indices
    assert (after < 10) or kept, "so late something must have been done"


@pytest.mark.parametrize("name", ["dm", "tlm", "cka", "opd"])
def test_a_damaged_cell_is_computed_again(done: Store, spy: Spy, name: str) -> None:
    first = ask("digits-a", "digits-b", done, **SMALL)
    before, cell = numbers(first), (ROWS[1], COLUMNS[0])
    method = cast(Method, name)  # where it is no index
    key = index_key(first.request, name, *cell) if name in INDICES else cell_key(first.request, method, *cell)
    harm(done.path("cells", key, ".json"))
    assert not ask("digits-a", "digits-b", done, **SMALL).complete
    again = made(done, report=impatient)
    assert [row[:4] for row in numbers(again)] == [row[:4] for row in before]
    for new, old in zip(numbers(again), before, strict=True):
        assert new[4] == pytest.approx(old[4], abs=1e-9)
    assert not spy.dm
    assert not spy.tlm


def test_a_damaged_map_is_fitted_again(done: Store, spy: Spy) -> None:
    first, cell = ask("digits-a", "digits-b", done, **SMALL), (ROWS[0], COLUMNS[0])
    harm(done.path("maps", map_key(first.request, "tlm", *cell), ".safetensors"))
    second = made(done, eval_images=90, report=impatient)
    assert spy.tlm == {cell}
    assert second.complete
    assert get_tensors(done, "maps", map_key(first.request, "tlm", *cell)) is not None


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_accuracy_is_measured_again(done: Store, lost: bool) -> None:
    first = ask("digits-a", "digits-b", done, **SMALL)
    before = numbers(first)
    path = done.path("accuracies", accuracy_key(first.request, first.request.end), ".json")
    path.unlink() if lost else harm(path)
    empty = ask("digits-a", "digits-b", done, **SMALL)
    assert empty.value("dm", "penalty", ROWS[0], COLUMNS[0]) is None
    assert not [e for e in empty.provenance()["undefined"] if "is 0" in e["reason"] or "constant" in e["reason"]]
    assert numbers(made(done, report=impatient)) == before


def test_a_damaged_record_of_a_run_is_written_anew(done: Store) -> None:
    first = ask("digits-a", "digits-b", done, **SMALL)
    harm(done.path("runs", first.id, ".json"))
    assert numbers(ask("digits-a", "digits-b", done, **SMALL)) == numbers(first)


def test_cells_that_somebody_else_computes_are_waited_for(done: Store, spy: Spy) -> None:
    """Another process holds the claim of one missing cell, and writes it after a while."""
    first, cell = ask("digits-a", "digits-b", done, **SMALL), (ROWS[0], COLUMNS[1])
    key = cell_key(first.request, "dm", *cell)
    value = done.get("cells", key)
    assert value is not None
    done.delete("cells", key)
    waited: list[str] = []
    with ExitStack() as theirs:
        assert theirs.enter_context(claimed(done, [key])) == {key}

        def finish(what: str, share: float) -> None:
            if "waiting" in what:
                waited.append(what)
                done.put("cells", key, value)
                theirs.close()

        run = made(done, report=finish)
    assert run.complete
    assert len(waited) == 1
    assert spy.nothing


def test_cells_that_somebody_gave_up_are_taken_over(done: Store, spy: Spy) -> None:
    first, cell = ask("digits-a", "digits-b", done, **SMALL), (ROWS[0], COLUMNS[1])
    key = cell_key(first.request, "dm", *cell)
    done.delete("cells", key)
    with ExitStack() as theirs:
        theirs.enter_context(claimed(done, [key]))
        run = made(done, report=lambda what, share: theirs.close() if "waiting" in what else None)
    assert run.complete
    assert spy.evaluated == {cell}


def test_waiting_can_be_cancelled(done: Store) -> None:
    first = ask("digits-a", "digits-b", done, **SMALL)
    key = cell_key(first.request, "dm", ROWS[0], COLUMNS[1])
    done.delete("cells", key)

    def stop(what: str, share: float) -> None:
        raise Cancelled("enough")

    with claimed(done, [key]):
        with pytest.raises(Cancelled):
            made(done, report=stop)
        with claimed(done, [key]) as mine:
            assert not mine, "somebody else's claim was given back"


def test_two_at_once_compute_everything_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    train = task_loss_matching

    def count(pair: Any, cells: Sequence[tuple[str, str]], *rest: Any) -> Any:
        calls.extend(cells)
        return train(pair, cells, *rest)

    monkeypatch.setattr(maps, "task_loss_matching", count)
    ask("digits-a", "digits-b", store, **SMALL)
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda: runs.append(made(store, methods=["tlm"], indices=[]))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(runs) == 2
    assert numbers(runs[0]) == numbers(runs[1])
    assert sorted(calls) == sorted(grid_of())


def test_a_full_disk_is_one_line_and_can_go_on_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write, limit = Path.write_bytes, 6

    def fill(path: Path, data: bytes) -> int:
        nonlocal limit
        limit -= 1
        if limit < 0:
            raise OSError(28, os.strerror(28))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(StitchLabError, match="No space left on device"):
            made(store, methods=["dm"])
    assert not list((store.root / "claims").glob("*.json"))
    assert not [path for path in store.root.rglob(".*") if path.is_file()]
    assert made(store, methods=["dm"], report=impatient).complete


def test_nothing_in_the_store_is_a_pickle_after_a_run(done: Store) -> None:
    rooms = {path.parent.name: path.suffix for path in done.root.rglob("*") if path.is_file()}
    assert {"networks", "maps", "cells", "runs", "accuracies"} <= set(rooms)
    suffixes = {path.suffix for path in done.root.rglob("*") if path.is_file() and path.parent.name != "claims"}
    assert suffixes <= {".json", ".safetensors", ".npz"}
