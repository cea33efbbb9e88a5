"""What work will cost, before: an order of magnitude from a measure of the machine, until work like it was timed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stitchlab.grid import estimate, machine
from stitchlab.grid.compute import compute
from stitchlab.request import TaskLoss
from stitchlab.results.plan import missing
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store
from stitchlab.worker.questions import pair_on_cpu, seconds

CPU = torch.device("cpu")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """How often the machine is measured: as one that needs 2e-11 seconds for an operation."""
    asked: list[torch.device] = []

    def measure(device: torch.device) -> float:
        asked.append(device)
        return 2e-11

    monkeypatch.setattr(machine, "measure_rate", measure)
    return asked


@pytest.fixture
def run(store: Store) -> Run:
    return resolve(
        store,
        "digits-a",
        "digits-b",
        front_layers=["layer1.0", "layer3.1"],
        end_layers=["layer2.0"],
        eval_images=50,
        tlm=TaskLoss(epochs=10),
    )


def test_a_machine_is_measured_once(store: Store, run: Run, measured: list[torch.device]) -> None:
    told = [seconds(str(store.root), {**run.record}, "cpu", there) for there in range(3)]
    assert told[0] == told[1] == told[2]
    assert measured == [CPU]
    assert len(store.keys("timings")) == 1


def test_before_anything_was_timed_it_is_arithmetic_at_the_machines_rate(
    store: Store, run: Run, measured: list[torch.device]
) -> None:
    pair = pair_on_cpu(run, "cpu")
    units = missing(run)
    flops = [estimate.flops(pair, run.request, unit.work, unit.cells) for unit in units]
    made = estimate.cost(store, pair, run.request, units)
    assert [one.seconds for one in made] == pytest.approx(
        [2e-11 * estimate.OVERHEAD_FACTORS[unit.work] * count for unit, count in zip(units, flops, strict=True)]
    )
    assert not any(one.timed for one in made)
    assert estimate.total(store, pair, run.request, []) == (0, True)


def test_what_was_timed_counts_more(store: Store, run: Run, measured: list[torch.device]) -> None:
    pair, (unit, *_) = pair_on_cpu(run, "cpu"), [u for u in missing(run) if u.work == "tlm"]
    estimate.keep_rate(store, pair, run.request, "tlm", unit.cells, 40.0)
    found = estimate.total(store, pair, run.request, [unit])
    assert found.seconds == pytest.approx(40.0)
    assert found.timed
    assert measured == [], "nothing is measured that is known"
    assert not estimate.total(store, pair, run.request, missing(run)).timed, "direct matching was not timed"


def test_computing_measures_nothing_by_itself(store: Store, run: Run, measured: list[torch.device]) -> None:
    compute(
        store,
        resolve(
            store,
            "digits-a",
            "digits-b",
            front_layers=["layer3.1"],
            end_layers=["layer3.1"],
            eval_images=20,
            tlm=TaskLoss(epochs=1),
        ).save(),
        CPU,
    )
    assert measured == []


def test_cheaper_ways_are_estimated_by_the_same_rule(
    store: Store, run: Run, measured: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "CHEAPER_TRAINING_IMAGES", 500)
    told = seconds(str(store.root), {**run.record}, "cpu")
    assert told is not None
    ways = dict(told["cheaper"])
    assert list(ways) == ["quick", "DM and indices only", "500 training images"]
    assert 0 < ways["DM and indices only"] < ways["500 training images"] < told["seconds"]
    tlm = told["seconds"] - ways["DM and indices only"]
    assert ways["quick"] - ways["DM and indices only"] == pytest.approx(tlm / 2, rel=0.05), "5 epochs of 10"


def test_the_measure_is_a_rate_and_leaves_threads_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STITCHLAB_GRID_THREADS", "2")
    before = torch.get_num_threads()
    assert 1e-14 < machine.rate(Store(tmp_path), CPU) < 1e-8
    assert torch.get_num_threads() == before
