"""The benchmark: its plain side gives the engine's numbers, its rows say what they should, its table can be read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from handy import sure
from PIL import Image
from torch import Tensor

from benchmarks import __main__ as command
from benchmarks import (
    app,
    demo,
    limit,
    matching,
    material,
    measure,
    plain,
    serving,
    similarity,
    training,
    whole,
    workers,
)
from benchmarks.material import Source
from benchmarks.measure import Measured, Row, Skipped
from stitchlab.catalog.presets import PRESETS
from stitchlab.data import registry as datasets
from stitchlab.grid.ask import compare
from stitchlab.request import TaskLoss
from stitchlab.results.run import Run, list_runs
from stitchlab.stitch.task import epoch_order, task_loss_matching
from stitchlab.store import Store

CPU = torch.device("cpu")


@pytest.fixture
def source(store: Store, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Digits and two small networks; measured in this process, since that is quicker."""
    monkeypatch.setattr(measure, "in_own_process", lambda work, *arguments: work(*arguments))
    for module in (training, limit, matching, similarity, whole):
        monkeypatch.setattr(module, "in_own_process", measure.in_own_process)
    digits = datasets.load("digits", store)
    return Source(str(store.root), "digits-a", "digits-b", digits.fingerprint, "cpu", ("layer1.0", "layer3.1"))


def test_the_plain_recipe_trains_the_engines_stitches(source: Source) -> None:
    loaded = material.load(source).first(300)
    cell = ("layer3.1", "layer1.0")
    recipe = TaskLoss(epochs=3, batch=100)
    ours = task_loss_matching(loaded.pair, [cell], recipe, 0)[cell]
    start, (weight, bias) = loaded.start(cell)[0].detach(), loaded.start(cell)
    optimiser = plain.adam(weight, bias)
    pixels, labels = loaded.pixels(loaded.data.train)
    for epoch in range(3):
        for batch in plain.in_memory(pixels, labels, epoch_order(300, 0, epoch), 100):
            plain.train_step(loaded.front, loaded.end, *cell, *batch, weight, bias, optimiser)
    assert float((weight - start).detach().abs().max()) > 5e-3
    # Adam divides a gradient by its own size: where one is as small as rounding, so is the sense of its step, lr = 1e-3
    # long. With AVX2 only (ONEDNN_MAX_CPU_ISA) that are 9 of 1,024 numbers, at most 1.5e-4 apart; with AVX-512 none.
    apart = torch.cat([(ours.weight - weight).flatten(), ours.bias - bias]).detach().abs()
    assert float((apart > 1e-4).float().mean()) < 0.02
    assert float(apart.max()) < 5e-4


def test_the_plain_side_has_networks_of_its_own(source: Source) -> None:
    """As they are loaded, contiguous, whatever layout the engine brings its own to."""
    loaded = material.load(source)
    for side, network, cuts in (
        (loaded.front, loaded.pair.front, loaded.pair.front_cuts),
        (loaded.end, loaded.pair.end, loaded.pair.end_cuts),
    ):
        assert cuts.points
        assert network.module is not None
        ours, theirs = network.module.get_parameter("conv1.weight"), side.module.get_parameter("conv1.weight")
        assert torch.equal(ours, theirs)
        assert ours.data_ptr() != theirs.data_ptr()
        big = side.module.get_parameter("layer2.1.conv1.weight")
        assert big.is_contiguous()
        assert not big.is_contiguous(memory_format=torch.channels_last)


def test_a_loader_gives_what_lies_in_memory(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (200, 100, 0) if name == "a" else (0, 0, 50)).save(tmp_path / name / "0.png")
    ((images, labels),) = plain.loader(str(tmp_path), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 2)
    first = images[labels == 0][0]
    torch.testing.assert_close(first[:, 0, 0], (torch.tensor([200, 100, 0]) / 255 - 0.5) / 0.2)


def test_direct_matching_rows_agree(source: Source) -> None:
    rows = list(matching.against_plain(source, quick=True))
    assert [row.what.rpartition(", ")[2] for row in rows] == ["distances only", "with accuracy"]
    for row in rows:
        assert float(row.note.split()[3]) < 1e-4, "distances of both sides"
        assert row.ratio == sure(row.baseline_s) / sure(row.ours_s)


def test_training_rows(source: Source) -> None:
    small = replace(source, layers=("layer3.0", "layer3.1"))
    memory, augmented, numbers = training.against_plain(small, quick=True)
    assert memory.baseline == "plain-memory"
    assert memory.ratio == pytest.approx(sure(memory.baseline_s) / sure(memory.ours_s))
    assert augmented.baseline == "un-augmented"
    assert augmented.ratio == pytest.approx(sure(augmented.baseline_s) / sure(augmented.ours_s))
    assert max(numbers.details["accuracy_gap"].values()) <= 0.005
    assert max(numbers.details["parameters_apart"].values()) < 1e-2
    (share,) = limit.share_of_the_limit(small, quick=True)
    assert set(share.details) == {"front", *small.layers}
    assert share.baseline_s == pytest.approx(sum(share.details.values()))
    assert 0 < sure(share.ratio) < 2


def test_quick_against_paper_counts_the_cells_that_are_lower(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "paper": {("a", "b"): 0.8, ("c", "d"): 0.5, ("e", "f"): 0.3, ("g", "h"): 0.2},
        "quick": {("a", "b"): 0.789, ("c", "d"): 0.495, ("e", "f"): 0.9, ("g", "h"): 0.2},
    }
    monkeypatch.setattr(
        training,
        "in_own_process",
        lambda work, source, name, images: Measured([2.0 if name == "quick" else 12.0], 5.0, found[name]),
    )
    (row,) = training.quick_against_paper(source, quick=True)
    assert row.ratio == 6
    assert row.details["lower"] == ["a→b"]
    assert "75.0% of cells" in row.note
    steps = [PRESETS[name].epochs * 2 for name in ("quick", "paper")]
    assert f"{steps[0]} steps against {steps[1]}" in row.note
    assert PRESETS["quick"].epochs * 5 <= PRESETS["paper"].epochs


def test_index_rows_agree(source: Source) -> None:
    (row,) = similarity.all_indices(source, quick=True)
    assert float(row.note.split()[3]) < 1e-5
    assert sure(row.ours_s) > 0


@pytest.fixture
def run(store: Store) -> Run:
    """A complete run of one cell, without TLM."""
    return compare(
        "digits-a",
        "digits-b",
        store=store,
        front_layers=["layer3.1"],
        end_layers=["layer1.0"],
        methods=["dm"],
        device="cpu",
    )


def test_commands_are_timed_on_twenty_runs(
    source: Source, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "finished", lambda source: run)
    filled = demo.many_runs(run, tmp_path / "many", 3)
    assert {made.request.seed for made in list_runs(filled)} == {0, 1, 2}
    assert all(made.complete and made.cells == run.cells for made in list_runs(filled))
    listed, asked = app.commands(source, quick=True)
    assert "20 runs of 1×1" in listed.what
    for row in (listed, asked):
        assert row.ratio == sure(row.ours_s) / sure(row.baseline_s)
    monkeypatch.setattr(app, "LISTED_RUNS", 21)
    monkeypatch.setattr(app, "many_runs", lambda run, folder, count: demo.many_runs(run, folder, 3))
    with pytest.raises(AssertionError, match="lists 3 of 21 runs"):
        list(app.commands(source, quick=True))


def test_a_copy_without_results_has_the_networks(run: Run, tmp_path: Path) -> None:
    copied = demo.without_results(run.store, tmp_path / "copy")
    assert copied.keys("networks") == run.store.keys("networks")
    assert run.store.keys("cells")
    assert not copied.keys("cells")
    assert not copied.keys("runs")


def test_browser_rows(source: Source, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which side is which, and that the first turn does not count, on servers that are not there."""
    seen: list[str] = []

    @contextlib.contextmanager
    def server(side: str) -> Iterator[Any]:
        yield type(
            "Fake",
            (),
            {"url": side, "started": 1.0, "memory_mb": {"ours": 300.0, "bare": 100.0}[side], "cpu_seconds": 0.0},
        )

    def drawn(browser: Any, url: str, since: float | None = None) -> float:
        seen.append(url)
        return len(seen) * 1.0

    monkeypatch.setattr(app, "require", lambda *modules, chromium: None)
    monkeypatch.setattr(app, "finished", lambda source: run)
    monkeypatch.setattr(app, "chromium", lambda: contextlib.nullcontext())
    monkeypatch.setattr(app, "_ours", lambda run, checkout: server("ours"))
    monkeypatch.setattr(app, "_bare", lambda run, folder, dask=False: server("bare"))
    monkeypatch.setattr(app, "visit", lambda browser, urls, plots: seen.extend(urls))
    monkeypatch.setattr(app, "_wait_until_idle", lambda server: None)
    monkeypatch.setattr(app, "seconds_until_drawn", drawn)
    (memory,) = app.server_memory(source, quick=False)
    assert (memory.ratio, memory.ours_peak_mb, memory.ours_s) == (3.0, 300.0, None)
    assert {"ours/", "ours/Compare", "ours/Networks?part=Train"} <= set(seen)
    seen.clear()
    started, there, *_ = app.first_heatmaps(source, quick=True)
    assert (started.ours_s, started.baseline_s) == (5.0, 7.0), "the turn after the warm-up"
    assert (there.ours_s, there.baseline_s) == (6.0, 8.0)
    assert seen[8:12] == ["ours/Compare", "ours/Compare", "bare/", "bare/"]


def test_workers_rows(source: Source, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "finished", lambda source: run)
    seconds = {workers.by_workers: {False: 4.0, True: 6.0}, workers.in_one_process: {False: 5.0, True: 15.0}}
    monkeypatch.setattr(
        workers,
        "in_own_process",
        lambda work, *arguments: Measured(
            [0.3, 0.1, 0.2] if work is workers.questions else [seconds[work][arguments[-1]]]
        ),
    )
    (asked,) = workers.question_beside_a_grid(source, quick=True)
    assert asked.ours_s == 0.2, "half of the answers took no longer"
    nothing, busy = workers.beside_a_busy_core(source, quick=True)
    assert (nothing.ours_s, nothing.baseline_s, nothing.ratio) == (4.0, 5.0, 0.8)
    assert (busy.ours_s, busy.baseline_s, busy.ratio) == (6.0, 15.0, 0.4)
    assert "costs 1.50 times the time, one process 3.00 times" in busy.note


@pytest.mark.parametrize("work", [workers.by_workers, workers.in_one_process])
def test_a_grid_beside_a_busy_core(store: Store, work: Callable[[str, int, bool], Measured]) -> None:
    before = os.times()
    (seconds,) = work(str(store.root), 5, True).seconds
    assert seconds > 0
    assert not store.keys("cells"), "computed in a copy"
    # The process that kept a core busy has ended, and did so as long as the grid took.
    assert os.times().children_user - before.children_user > 0.2 * seconds


def test_what_cannot_be_measured_here_is_left_out(
    source: Source, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Skipped, match="no chromium"):
        list(app.server_memory(source, quick=True))
    with pytest.raises(Skipped, match="no nothing_of_this_name"):
        serving.require("nothing_of_this_name")
    monkeypatch.setattr(command, "prepare", lambda *arguments, **options: source)
    assert command.main(["--rows", "j", "--device", "cpu"]) == 0
    assert "j is left out: there is no chromium here" in capsys.readouterr().err


def test_time_and_memory() -> None:
    def work() -> Tensor:
        time.sleep(0.01)
        return torch.ones(5_000_000)

    made = measure.timed(work, CPU, 3)
    assert len(made.seconds) == 3
    assert 0.01 <= made.median < 0.5
    assert made.peak_mb is None or 15 < made.peak_mb < 500


def test_the_table_and_the_file(
    source: Source, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(source: Source, *, quick: bool) -> Any:
        assert quick
        yield Row("a", "this", "plain-memory", 2.0, 8.0, 4.0, 12.3, "cpu")
        yield Row("f", "that", "none", 2.0, None, 1.01, None, "cpu")

    monkeypatch.setattr(command, "prepare", lambda *arguments, **options: source)
    monkeypatch.setitem(command.ROWS, "a", rows)
    assert command.main(["--quick", "--rows", "a", "--json", str(tmp_path / "out.json"), "--device", "cpu"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["row", "what", "baseline", "ours", "baseline", "ratio", "peak"]
    assert out[1].split() == ["a", "this", "plain-memory", "2", "s", "8", "s", "4", "12", "MB"]
    kept = json.loads((tmp_path / "out.json").read_text())
    assert [line["row"] for line in kept] == ["a", "f"]
    fields = {"row", "what", "baseline", "ours_s", "baseline_s", "ratio", "ours_peak_mb", "device"}
    assert fields <= set(kept[0])
    assert set(asdict(Row("", "", "", 0, 0, 0, 0, ""))) <= set(kept[0])
    assert torch.__version__.startswith(kept[0]["machine"]["torch"])
    for wrong, message in ((["--rows", "z"], "there is no row z"), (["--device", "abacus"], "no device is called")):
        with pytest.raises(SystemExit) as stop:
            command.main(wrong)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_images_are_made_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    material._write_gratings(tmp_path, {"train": 2, "test": 1})
    data = datasets.load(f"folder:{tmp_path}", Store(tmp_path / "cache"))
    assert (len(data.train), len(data.test), data.shape) == (20, 10, (3, 32, 32))
    means = data.train.images.reshape(20, -1).mean(1)
    assert means.std() < 10
    assert not math.isnan(means.mean())
