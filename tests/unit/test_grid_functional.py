"""Grids have functional metrics; a run from before them keeps its id, and asking again adds them, fitting nothing."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from grids import COLUMNS, ROWS, SMALL, Spy, grid_of, harm, impatient, made
from reference import MAP, VECTOR, Whole, prepared
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from sklearn.metrics import cohen_kappa_score

from stitchlab.__main__ import main
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.data import registry as datasets
from stitchlab.export.captions import caption
from stitchlab.export.options import Options
from stitchlab.grid import estimate
from stitchlab.grid.ask import ask
from stitchlab.grid.compute import compute
from stitchlab.jobs import Jobs
from stitchlab.models import store as models
from stitchlab.models.tensors import get_tensors
from stitchlab.ood.evaluate import detect
from stitchlab.request import METHODS, Method
from stitchlab.results import plan, shelf, summary
from stitchlab.results.bundle import archive, pack, unpack
from stitchlab.results.bundle.private import private
from stitchlab.results.cleaning import clean, delete_run
from stitchlab.results.detection import DetectionResults
from stitchlab.results.keys import cell_key, functional_key, map_key
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.results.tables import cells_csv
from stitchlab.results.why_empty import BEFORE
from stitchlab.stitch.pair import load_pair
from stitchlab.store import Store
from stitchlab.store.claims import claimed
from stitchlab.worker import tasks

CPU = torch.device("cpu")


def numbers(run: Run, metrics: tuple[str, ...] = FUNCTIONAL) -> dict[tuple[str, ...], float | None]:
    return {tuple(row[:4]): row.value for row in run.rows() if row.metric in metrics}


def forget(run: Run, methods: tuple[Method, ...] = METHODS) -> Run:
    """The run as it was before there were functional metrics, or those of some methods."""
    for method in methods:
        for cell in run.request.cells:
            run.store.delete("cells", functional_key(run.request, method, *cell))
    return Run(run.store, run.record)


def written(run: Run) -> dict[str, bytes]:
    """Every result that is kept, as its file has it."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for room in ("cells", "maps", "ood", "accuracies")
        for path in (run.store.root / room).glob("*")
    }


def test_a_grids_numbers_are_those_of_plain_references(done: Store) -> None:
    run = ask("digits-a", "digits-b", done, **SMALL)
    front, end = (models.load(name, done, device="cpu") for name in ("digits-a", "digits-b"))
    chosen = torch.randperm(540, generator=torch.Generator().manual_seed(0))[:150]
    pixels, truth = datasets.load("digits", done).test.take(chosen)
    with torch.no_grad():
        own = end.module(prepared(end, pixels))
    targets = (("layer1.0", "layer2.0", MAP), ("layer3.1", "flatten", VECTOR))
    for method, (i, j, target) in zip(METHODS, targets, strict=True):
        kept = get_tensors(done, "maps", map_key(run.request, method, i, j))
        assert kept is not None
        with torch.no_grad():
            logits = Whole(front, end, i, j, MAP, target).logits(pixels, kept["weight"], kept["bias"])[0]
        agreement, jsd, kappa = (run.value(method, metric, i, j) for metric in FUNCTIONAL)
        assert agreement == pytest.approx(float((logits.argmax(1) == own.argmax(1)).double().mean()), abs=1 / 150)
        both = [softmax(each.double().numpy(), 1) for each in (logits, own)]
        assert jsd == pytest.approx((jensenshannon(*both, base=2, axis=1) ** 2).mean(), rel=1e-4)
        assert kappa == pytest.approx(cohen_kappa_score(logits.argmax(1) == truth, own.argmax(1) == truth), abs=0.05)


def test_a_run_from_before_them_shows_them_empty_with_the_reason(done: Store) -> None:
    now = made(done)
    before = forget(now)
    assert resolve(done, "digits-a", "digits-b", **SMALL).id == before.id == now.id
    assert "functional" not in before.request.definitions
    assert before.complete
    assert set(numbers(before).values()) == {None}
    assert {before.reason(*q) for q in (("dm", "jsd", *c) for c in grid_of())} == {BEFORE}
    assert before.value("dm", "accuracy", ROWS[0], COLUMNS[0]) == now.value("dm", "accuracy", ROWS[0], COLUMNS[0])
    assert [e["reason"] for e in before.undefined()] == [BEFORE] * 24
    assert f"{ROWS[0]},{COLUMNS[0]},dm,jsd,\n" in cells_csv(before)
    assert len(before.without_functional) == 8
    said = caption(before, Options(show=("dm/jsd",)))
    assert f"Prediction divergence: 8 stitched cells of run {before.id} were {BEFORE}." in said
    assert "mean Jensen–Shannon divergence, in bits" in said
    assert BEFORE not in caption(before, Options(show=("accuracy",))) + caption(now, Options(show=("dm/jsd",)))
    assert plan.to_compute(before) == (
        "agreement, prediction divergence and error consistency of 8 cells to add, without training"
    )


def test_asking_again_adds_them_and_fits_nothing(done: Store, spy: Spy) -> None:
    now = made(done)
    detect(now, detectors=["knn"], device="cpu")
    wanted, said = numbers(now), list(DetectionResults(now).rows(["knn"]))
    before = forget(now)
    units = plan.missing(before)
    assert [(u.work, u.names) for u in units] == [("functional", (m,)) for m in METHODS for _ in COLUMNS]
    files = written(before)
    again = made(done, report=impatient)
    assert again.id == now.id
    assert spy.evaluated == grid_of()
    assert not spy.dm | spy.tlm
    assert not spy.indices
    assert spy.accuracies == 0
    for key, number in numbers(again).items():
        assert number == pytest.approx(wanted[key], rel=1e-9), key
    there = written(again)
    assert files == {name: there[name] for name in files}, "nothing else was written anew"
    assert len(there) == len(files) + 8
    assert list(DetectionResults(again).rows(["knn"])) == said
    assert plan.missing(again) == []
    assert again.provenance()["seconds"]["dm"] > now.provenance()["seconds"]["dm"]


def test_only_those_that_lack_are_added(done: Store, spy: Spy) -> None:
    run = made(done)
    one = functional_key(run.request, "tlm", ROWS[1], COLUMNS[0])
    harm(done.path("cells", one, ".json"))
    spy.evaluated.clear()
    assert [(u.names, u.cells) for u in plan.missing(Run(done, run.record))] == [(("tlm",), ((ROWS[1], COLUMNS[0]),))]
    assert numbers(made(done, report=impatient)) == pytest.approx(numbers(run), rel=1e-6)
    assert spy.evaluated == {(ROWS[1], COLUMNS[0])}


@pytest.mark.parametrize("lost", [True, False])
def test_where_a_map_is_gone_it_is_fitted_again(done: Store, spy: Spy, lost: bool) -> None:
    run, cell = made(done), (ROWS[0], COLUMNS[0])
    before = forget(run, ("dm",))
    path = done.path("maps", map_key(run.request, "dm", *cell), ".safetensors")
    path.unlink() if lost else harm(path)
    again = made(done, report=impatient)
    assert spy.dm == {cell}
    assert not spy.tlm
    assert numbers(again) == pytest.approx(numbers(run), rel=1e-6)
    assert not plan.missing(again)
    assert before.cells == again.cells, "cells stay as they were"


def test_other_images_have_them_from_the_start(done: Store, spy: Spy) -> None:
    run = made(done, eval_images=90)
    assert spy.dm == spy.tlm == set()
    assert not run.without_functional
    assert None not in numbers(run).values()


def test_what_another_process_adds_is_waited_for(done: Store, spy: Spy) -> None:
    run = made(done)
    key = functional_key(run.request, "dm", ROWS[0], COLUMNS[1])
    value, before = done.get("cells", key), forget(run, ("dm",))
    assert value is not None
    waited: list[str] = []
    with ExitStack() as theirs:
        assert theirs.enter_context(claimed(done, [key])) == {key}

        def finish(what: str, share: float) -> None:
            if "waiting" in what and not waited:
                waited.append(what)
                done.put("cells", key, value)
                theirs.close()

        again = compute(done, before, CPU, finish)
    assert waited
    assert spy.evaluated == grid_of() - {(ROWS[0], COLUMNS[1])}
    assert numbers(again) == pytest.approx(numbers(run), rel=1e-6)


def test_a_worker_does_one_methods_and_does_not_wait_for_the_others(done: Store) -> None:
    before = forget(made(done))
    unit = next(u for u in plan.missing(before) if u.names == ("dm",))
    done.put("jobs", "job", {"attempt": "job-00000000", "labels": ["it"], "weights": [1.0], "created": 0.0})
    work = threading.Thread(
        target=tasks.compute, daemon=True, args=(str(done.root), before.id, unit, "cpu", "job-00000000", 0)
    )
    work.start()
    work.join(60)
    assert not work.is_alive(), "those of task loss matching on the same cells are another unit"
    now = Run(done, before.record)
    assert {cell[0] for cell in now.functional} == {"dm"}
    assert {(m, i, j) for m, i, j in now.functional} >= {("dm", *cell) for cell in unit.cells}


def test_the_queue_adds_them_and_says_what_it_takes(done: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = forget(made(done))
    queued: list[list[str]] = []
    monkeypatch.setattr(
        Jobs, "_submit", lambda self, job, kind, tasks, **more: queued.append([d.label for _, d in tasks])
    )
    assert Jobs(done).compute(before).id == before.id
    assert queued == [[f"functional metrics of {m} into {j}" for m in ("TLM", "DM") for j in reversed(COLUMNS)]]
    pair = load_pair(done, before.request, CPU)
    units = plan.missing(before)
    flops = [estimate.flops(pair, before.request, work, units[0].cells) for work in ("functional", "dm", "tlm")]
    assert flops == sorted(flops)
    compute(done, before, CPU)
    (found, *_) = estimate.cost(done, pair, before.request, units)
    assert found.timed


def test_clean_keeps_them_and_a_deleted_run_takes_them_along(done: Store) -> None:
    run = made(done)
    keys = {functional_key(run.request, m, *cell) for m in METHODS for cell in grid_of()}
    clean(done, min_age_s=-1)
    assert keys <= set(done.keys("cells"))
    whole = summary.Summaries(done).count(run).bytes
    assert whole > summary.Summaries(done).count(forget(run)).bytes
    compute(done, Run(done, run.record), CPU)
    delete_run(done, run.id)
    assert not done.keys("cells")


def test_a_file_from_before_them_opens_and_says_so(done: Store) -> None:
    now = made(done)
    data = pack(now)
    opened = unpack(data, "now.stitch")
    assert list(opened.rows()) == list(now.rows())
    assert opened.functional == {cell: private(kept) for cell, kept in now.functional.items()}
    assert pack(opened) == data
    entries = {name: archive.Archive(data).read(name) for name in archive.Archive(data).names}
    cells = json.loads(entries["cells.json"])
    assert len(cells.pop("functional")) == 8
    old = unpack(repacked(entries | {"cells.json": json.dumps(cells).encode()}), "old.stitch")
    assert old.id == now.id
    assert set(numbers(old).values()) == {None}
    assert shelf.differences(now, old) == shelf.differences(old, now) == [], "what is not there is no other number"
    assert old.reason("tlm", "agreement", ROWS[0], COLUMNS[0]) == BEFORE
    assert old.value("tlm", "accuracy", ROWS[0], COLUMNS[0]) == now.value("tlm", "accuracy", ROWS[0], COLUMNS[0])
    assert list(unpack(pack(old), "again.stitch").rows()) == list(old.rows())
    before = forget(now)
    assert list(unpack(pack(before), "before.stitch").rows()) == list(before.rows())


def repacked(entries: dict[str, bytes]) -> bytes:
    """A file of these entries, its checksums made right."""
    manifest = json.loads(entries["stitchlab.json"])
    for name, said in manifest["entries"].items():
        said |= {"sha256": hashlib.sha256(entries[name]).hexdigest(), "bytes": len(entries[name])}
    return archive.write(entries | {"stitchlab.json": json.dumps(manifest).encode()})


def test_the_command_compare_adds_them(
    done: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLAB_CACHE", str(done.root))
    run = made(done, methods=["dm"], indices=[])
    before = forget(run, ("dm",))
    assert main(["show", before.id]) == 0
    assert f"dm / jsd ({BEFORE})" in capsys.readouterr().out
    assert (
        main(
            [
                "compare",
                "digits-a",
                "digits-b",
                "--methods",
                "dm",
                "--indices",
                "",
                "--front-layers",
                ",".join(ROWS),
                "--end-layers",
                ",".join(COLUMNS),
                "--dm-images",
                "40",
                "--tlm-epochs",
                str(run.request.tlm.epochs),
                "--eval-images",
                "150",
                "--device",
                "cpu",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == run.id
    assert told.err.splitlines()[0].startswith("agreement, prediction divergence and error consistency of 4 cells to")
    assert (tmp_path / "out" / "cells.csv").read_text() == cells_csv(Run(done, run.record))
    assert ",jsd,\n" not in cells_csv(Run(done, run.record))
    assert cell_key(run.request, "dm", ROWS[0], COLUMNS[0]) in done.keys("cells")
