"""Training that was interrupted goes on from its resume point and gives the very maps of one that was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from grids import SMALL, harm, made, numbers
from handy import noting
from toys import Convolutions, network, noise, pair, seeded

from stitchlab.catalog.presets import PRESETS, resolved
from stitchlab.errors import Cancelled
from stitchlab.grid import estimate
from stitchlab.models.tensors import get_tensors
from stitchlab.request import Cell, DirectMatching, Request, TaskLoss
from stitchlab.results.cleaning import clean, delete_run
from stitchlab.results.keys import map_key
from stitchlab.results.run import list_runs
from stitchlab.stitch import resume, tails, trail
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.maps import maps
from stitchlab.stitch.soap import Soap
from stitchlab.store import Store
from stitchlab.store.checking import check

DATA = noise(size=12, train=50, test=20, seed=1)
BOTH = pair(
    network(seeded(lambda: Convolutions((6, 7, 8), 4), 0), DATA, "a"),
    network(seeded(lambda: Convolutions((5, 6, 9), 4), 1), DATA, "b"),
    DATA,
)
ROWS, COLUMNS = ("act0", "act1", "act2"), ("act0", "act1")
CELLS = [(i, j) for j in COLUMNS for i in ROWS]
STEPS = 5  # an epoch, of batches of 11 of 50 images
Maps = dict[Cell, Stitch]


def request(recipe: TaskLoss, seed: int = 0) -> Request:
    return Request(
        front="a",
        end="b",
        data="noise",
        front_layers=ROWS,
        end_layers=COLUMNS,
        eval_images=20,
        tlm=replace(resolved(recipe, "flip-crop"), batch=11),
        seed=seed,
        dm=DirectMatching(images=30),
    )


class Steps:
    """A report that counts the steps of training, and stops before the one that has this number."""

    def __init__(self, last: int | None = None, error: type[BaseException] = Cancelled) -> None:
        self.taken, self._last, self._error = 0, last, error

    def __call__(self, what: str, done: float) -> None:
        assert 0 <= done <= 1
        if "task loss" in what:
            if self.taken == self._last:
                raise self._error("stop")
            self.taken += 1


def trained(root: Path, of: Request, cells: Sequence[Cell] = CELLS, report: Steps | None = None) -> Maps:
    return maps(Store(root), BOTH, of, "tlm", cells, report or Steps())


def interrupted(root: Path, of: Request, steps: int, cells: Sequence[Cell] = CELLS) -> None:
    with pytest.raises(Cancelled):
        trained(root, of, cells, Steps(steps))


def assert_equal(found: Maps, wanted: Maps) -> None:
    for cell, stitch in found.items():
        assert torch.equal(stitch.weight, wanted[cell].weight), cell
        assert torch.equal(stitch.bias, wanted[cell].bias), cell


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume point is kept after every epoch, however short."""
    monkeypatch.setattr(resume, "MIN_INTERVAL_S", 0.0)


VARIATIONS = {
    **{
        f"{name}{'-soft' * soft}{'-dm' * dm}": replace(
            recipe, targets="soft" if soft else "labels", init="dm" if dm else "default"
        )
        for name, recipe in PRESETS.items()
        for soft, dm in ((False, False), (True, True))
    },
    "adam-cycle": TaskLoss(epochs=4, lr=1e-2, schedule="one-cycle"),
    "soap-constant": TaskLoss(epochs=4, lr=1e-2, optimiser="soap"),
}


@pytest.mark.parametrize("name", VARIATIONS)
def test_going_on_is_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    of = request(VARIATIONS[name])
    whole, first, second = Steps(), Steps(2 * STEPS + 3), Steps(STEPS - 1)
    wanted = trained(tmp_path / "whole", of, report=whole)
    assert whole.taken == of.tlm.epochs * STEPS
    with pytest.raises(Cancelled):
        trained(tmp_path / "parts", of, report=first)
    with pytest.raises(Cancelled):
        trained(tmp_path / "parts", of, report=second)
    last = Steps()
    made = trained(tmp_path / "parts", of, report=last)
    assert last.taken == whole.taken - 2 * STEPS, "two epochs were kept, and those steps lost that came after them"
    assert_equal(made, wanted)
    whole_store, store = Store(tmp_path / "whole"), Store(tmp_path / "parts")
    for cell in CELLS:
        (one, other) = (trail.read(s, map_key(of, "tlm", *cell)) for s in (whole_store, store))
        assert one is not None
        assert other is not None
        assert list(one) == list(other) == trail.epochs_to_keep(of.tlm.epochs)
        assert all(torch.equal(a, b) for epoch in one for a, b in zip(one[epoch], other[epoch], strict=True))
    assert not list((tmp_path / "parts" / "resume").iterdir()), "the resume point outlived its unit"
    assert not [wrong for _, wrong in check(store) if wrong]


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_a_unit_of_other_cells_takes_up_those_that_it_has(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where two workers shared a unit the first time: no cell begins anew, and none takes another's state."""
    monkeypatch.setitem(tails.MAX_JOINED_BYTES, "cpu", 0)  # else company counts, by rounding
    of = request(replace(PRESETS[name], epochs=4))
    wanted = trained(tmp_path / "whole", of)
    interrupted(tmp_path / "parts", of, 3 * STEPS + 1, CELLS[:3])
    interrupted(tmp_path / "parts", of, 1 * STEPS + 2, CELLS[3:5])
    asked = (([CELLS[1], CELLS[5]], 1 + 4), ([CELLS[0], CELLS[3]], 1 + 3), ([CELLS[4]], 3), ([CELLS[2]], 1))
    for cells, steps in asked:
        told = Steps()
        assert_equal(trained(tmp_path / "parts", of, cells, told), {cell: wanted[cell] for cell in cells})
        assert told.taken == steps * STEPS
    assert not list((tmp_path / "parts" / "resume").iterdir())


def test_the_furthest_of_several_points_is_taken(tmp_path: Path) -> None:
    of = request(replace(PRESETS["quick"], epochs=4))
    interrupted(tmp_path, of, 1 * STEPS, CELLS[:2])
    interrupted(tmp_path, of, 2 * STEPS, CELLS[:1])  # an epoch further
    keys = {cell: map_key(of, "tlm", *cell) for cell in CELLS}
    assert {cell: state.epoch for cell, state in resume.find(Store(tmp_path), keys).items()} == {
        CELLS[0]: 3,
        CELLS[1]: 1,
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda of: replace(of, seed=1),
        lambda of: replace(of, tlm=replace(of.tlm, lr=2e-3)),
        lambda of: replace(of, tlm=replace(of.tlm, epochs=5)),
        lambda of: replace(of, end="another"),
    ],
)
def test_other_settings_begin_anew(change: Callable[[Request], Request], tmp_path: Path) -> None:
    of = request(replace(PRESETS["paper"], epochs=4))
    interrupted(tmp_path / "parts", of, 3 * STEPS)
    told = Steps()
    found = trained(tmp_path / "parts", change(of), report=told)
    assert told.taken == change(of).tlm.epochs * STEPS
    assert_equal(found, trained(tmp_path / "other", change(of)))
    assert len(Store(tmp_path / "parts").keys("resume")) == 1, "somebody may still go on from it"


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_damaged_point_is_passed_over(suffix: str, tmp_path: Path) -> None:
    of = request(replace(PRESETS["quick"], epochs=3))
    wanted = trained(tmp_path / "whole", of)
    interrupted(tmp_path / "parts", of, 2 * STEPS)
    for path in (tmp_path / "parts" / "resume").glob(f"*{suffix}"):
        harm(path)
    told = Steps()
    assert_equal(trained(tmp_path / "parts", of, report=told), wanted)
    assert told.taken == 3 * STEPS
    assert not list((tmp_path / "parts" / "resume").iterdir())


def test_a_point_is_kept_once_a_minute_where_epochs_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    kept: list[int] = []
    monkeypatch.setattr(resume, "MIN_INTERVAL_S", 60.0)
    monkeypatch.setattr(resume, "time", SimpleNamespace(monotonic=lambda: clock))

    def note(self: Store, room: str, key: str, value: dict[str, Any], *rest: Any) -> None:
        if room == "resume":
            kept.append(value["epoch"])

    monkeypatch.setattr(Store, "put", noting(note, Store.put))

    def report(what: str, done: float) -> None:
        nonlocal clock
        clock += 5.0  # seconds a step, so 25 an epoch

    maps(Store(tmp_path), BOTH, request(replace(PRESETS["paper"], epochs=10)), "tlm", CELLS[:2], report)
    assert kept == [3, 6, 9]


def test_soap_goes_on_where_maps_of_a_shape_step_together() -> None:
    """As on a GPU: one state for all of them."""

    def fresh() -> tuple[list[tuple[torch.Tensor, torch.Tensor]], Soap]:
        generator = torch.Generator().manual_seed(0)
        made = [
            (torch.randn(3, 5, generator=generator).requires_grad_(), torch.zeros(3).requires_grad_()) for _ in range(3)
        ]
        optimiser = Soap(made, 0.05)
        joined = [p for group in optimiser.param_groups for p in group["params"]]
        optimiser.param_groups[:] = [optimiser.param_groups[0] | {"params": joined}]
        return made, optimiser

    def steps(of: list[tuple[torch.Tensor, torch.Tensor]], optimiser: Soap, count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad()
            losses = [(w @ torch.arange(5.0) * (k + 1) + b - 1).square().sum() for k, (w, b) in enumerate(of)]
            torch.stack(losses).sum().backward()
            optimiser.step()

    (whole, one), (parts, other), (last, third) = fresh(), fresh(), fresh()
    steps(whole, one, 33)
    steps(parts, other, 14)
    with torch.no_grad():
        for mine, theirs in zip(last, parts, strict=True):
            mine[0].copy_(theirs[0])
            mine[1].copy_(theirs[1])
    third.restore({mine[0]: other.state_of(theirs[0]) for mine, theirs in zip(last, parts, strict=True)})
    steps(last, third, 19)
    for mine, wanted in zip(last, whole, strict=True):
        assert torch.equal(mine[0], wanted[0])
        assert torch.equal(mine[1], wanted[1])


LONGER = {**SMALL, "indices": [], "methods": ["tlm"], "tlm": TaskLoss(epochs=3)}


def cancelled(store: Store, steps: int) -> None:
    with pytest.raises(Cancelled):
        made(store, report=Steps(steps), **LONGER)


def test_a_grid_that_was_cancelled_goes_on_within_a_unit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    per_epoch = 5  # 1,257 images by 256
    cancelled(store, 2 * per_epoch + 3)
    learned: list[set[Cell]] = []
    monkeypatch.setattr(
        estimate,
        "keep_rate",
        lambda store, pair, request, work, cells, seconds: learned.append(set(cells)) if work == "tlm" else None,
    )
    (name,) = store.keys("resume")
    assert not list((store.root / "claims").glob("*.json"))
    told = Steps()
    run = made(store, report=told, **LONGER)
    assert run.complete
    assert told.taken == (2 * 3 - 2) * per_epoch, "two units of three epochs, two of which were there"
    assert not list((store.root / "resume").iterdir()), name
    went_on = {(i, j) for (_, i, j), cell in run.cells.items() if cell.get("continued")}
    assert 0 < len(went_on) < len(run.cells)
    assert learned == [{(i, j) for _, i, j in run.cells} - went_on], "a part's seconds are no whole unit's"
    again = [(m, i, j, store.path("cells", key, ".json")) for (m, i, j), key in run._keys().items()]
    before = numbers(run)
    for _, i, j, path in again:
        path.unlink()
        for room in ("maps", "epochs"):
            for file in (store.root / room).glob(f"{map_key(run.request, 'tlm', i, j)}*"):
                file.unlink()
    assert numbers(made(store, **LONGER)) == before


def test_what_nobody_goes_on_from_is_cleaned_away(store: Store) -> None:
    cancelled(store, 7)
    (name,) = store.keys("resume")
    clean(store, min_age_s=-1)
    assert store.keys("resume") == [name], "the run still lacks those cells"
    files = {path: path.read_bytes() for path in (store.root / "resume").iterdir()}
    assert len(files) == 1 + 2, "a unit of two cells"
    made(store, **LONGER)
    for path, data in files.items():
        store.write(path, data)
    assert {amount.room: amount.files for amount in clean(store, min_age_s=-1)}["resume"] == 3, "its maps are there"
    for path, data in files.items():
        store.write(path, data)
    (run,) = list_runs(store)
    for i, j in run.request.cells:
        store.delete("maps", map_key(run.request, "tlm", i, j))
    delete_run(store, run.id)
    assert not list((store.root / "resume").iterdir())
    assert not list((store.root / "epochs").iterdir())


def test_a_point_holds_whole_precision(tmp_path: Path) -> None:
    of = request(replace(PRESETS["quick"], epochs=3))
    interrupted(tmp_path, of, STEPS)
    (name,) = Store(tmp_path).keys("resume")
    tensors = get_tensors(Store(tmp_path), "resume", f"{name}-1-0")
    assert tensors is not None
    assert tensors["weight"].dtype == torch.float32
    assert tensors["left_basis"].dtype == torch.float64


def test_a_kill_while_a_point_is_kept_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = request(replace(PRESETS["quick"], epochs=4))
    wanted = trained(tmp_path / "whole", of)
    write = Store.write

    def killed(self: Store, path: Path, data: bytes | memoryview) -> None:
        if "-2-3" in path.name:  # the fourth cell, after two epochs
            raise KeyboardInterrupt
        write(self, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "parts", of)
    told = Steps()
    assert_equal(trained(tmp_path / "parts", of, report=told), wanted)
    assert told.taken == 3 * STEPS
    assert not list((tmp_path / "parts" / "resume").iterdir())
