"""Task loss matching against a plain stitcher of two whole networks and hooks, and its independence of company."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from reference import MAP, TOKENS, VECTOR, Kind, Whole
from torch import Tensor, nn
from toys import Convolutions, InPlace, Tokens, fresh, network, noise, pair, seeded

from stitchlab.catalog.presets import PRESETS
from stitchlab.data import splits as dataset
from stitchlab.errors import Cancelled
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import Optimiser, TaskLoss, derived_seed
from stitchlab.stitch import tails
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.task import task_loss_matching

DATA = noise(size=12, train=50, test=20, seed=1)
TEN_STEPS = TaskLoss(epochs=2, batch=11)  # 4 full batches and one of 6, twice


def nets() -> dict[str, LoadedNetwork]:
    made: dict[str, nn.Module] = {
        "a": seeded(lambda: Convolutions((6, 7, 8), 4), 0),
        "b": seeded(lambda: Convolutions((5, 6, 9), 4), 1),
        "inplace": seeded(InPlace, 2),
        "tokens": seeded(lambda: Tokens(12, 4, 10, 4, True), 3),
    }
    return {name: network(module, DATA, name) for name, module in made.items()} | {"resnet": fresh("resnet14", DATA)}


NETS = nets()
CELLS = [
    ("a", "act0", MAP, "b", "act1", MAP),
    ("a", "act2", MAP, "b", "act0", MAP),
    ("b", "conv1", MAP, "b", "conv1", MAP),
    ("a", "flat", VECTOR, "b", "flat", VECTOR),
    ("a", "act1", MAP, "tokens", "first", TOKENS),
    ("tokens", "first", TOKENS, "a", "act1", MAP),
    ("tokens", "first", TOKENS, "tokens", "second", TOKENS),
    ("a", "act1", MAP, "inplace", "norm", MAP),
    ("inplace", "act", MAP, "resnet", "layer1.1", MAP),
    ("resnet", "layer3.0", MAP, "resnet", "layer2.0", MAP),
]
Cell = tuple[str, str, Kind, str, str, Kind]


def whole(cell: Cell) -> Whole:
    front, i, kind, end, j, target = cell
    return Whole(NETS[front], NETS[end], i, j, kind, target)


def initial(cell: Cell, seed: int) -> tuple[Tensor, Tensor]:
    """The engine's initialisation; that it is PyTorch's default is tested in test_affine."""
    front, i, _, end, j, _ = cell
    both = pair(NETS[front], NETS[end], DATA)
    generator = torch.Generator().manual_seed(derived_seed("initialisation", seed, i, j))
    stitch = Stitch(both.source(i), both.target(j), generator)
    return stitch.weight.detach(), stitch.bias.detach()


def trained(cell: Cell, recipe: TaskLoss, seed: int = 0, start: Stitch | None = None) -> Stitch:
    front, i, _, end, j, _ = cell
    begin = None if start is None else {(i, j): start}
    return task_loss_matching(pair(NETS[front], NETS[end], DATA), [(i, j)], recipe, seed, begin)[i, j]


def assert_same(stitch: Stitch, weight: Tensor, bias: Tensor, start: Tensor) -> None:
    assert float((weight - start).abs().max()) > 5e-3, "the reference itself did not move"
    torch.testing.assert_close(stitch.weight.detach(), weight, rtol=0, atol=1e-4)
    torch.testing.assert_close(stitch.bias.detach(), bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}.{c[4]}")
def test_ten_steps_are_those_of_the_plain_recipe(cell: Cell) -> None:
    weight, bias = initial(cell, 3)
    wanted = whole(cell).train(DATA.train, weight, bias, seed=3, epochs=2, batch=11, lr=1e-3)
    assert wanted[2] == 10
    assert_same(trained(cell, TEN_STEPS, 3), wanted[0], wanted[1], weight)


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (TaskLoss(epochs=2, batch=11, targets="soft"), {"soft": True}),
        (TaskLoss(epochs=2, batch=11, schedule="one-cycle", lr=1e-2), {"one_cycle": True, "lr": 1e-2}),
        (TaskLoss(epochs=2, batch=11, weight_decay=0.5), {"weight_decay": 0.5}),
        (TaskLoss(epochs=1, batch=5, lr=3e-3), {"lr": 3e-3, "epochs": 1, "batch": 5}),
    ],
)
def test_other_recipes(recipe: TaskLoss, settings: dict[str, float]) -> None:
    cell = CELLS[0]
    weight, bias = initial(cell, 0)
    how: dict[str, Any] = {"epochs": 2, "batch": 11, "lr": 1e-3} | settings
    wanted = whole(cell).train(DATA.train, weight, bias, seed=0, **how)
    assert wanted[2] == 10
    assert_same(trained(cell, recipe), wanted[0], wanted[1], weight)


def test_from_direct_matching() -> None:
    cell = CELLS[0]
    both = pair(NETS["a"], NETS["b"], DATA)
    start = direct_matching(both, [("act0", "act1")], torch.arange(30))["act0", "act1"]
    before = start.weight.detach().clone()
    wanted = whole(cell).train(DATA.train, before, start.bias.detach(), seed=0, epochs=2, batch=11, lr=1e-3)
    assert_same(trained(cell, TEN_STEPS, start=start), wanted[0], wanted[1], before)
    assert torch.equal(start.weight, before)


def test_the_papers_recipe() -> None:
    """The defaults are the paper's: Adam 1e-3, weight decay 1e-5, batch 256, 30 epochs, labels, default init."""
    wanted = TaskLoss(
        epochs=30, lr=1e-3, weight_decay=1e-5, batch=256, schedule="constant", targets="labels", init="default"
    )
    assert PRESETS["plain"] == TaskLoss() == wanted
    assert PRESETS["paper"] == replace(wanted, augment="auto")  # as Balogh & Jelasity's code trains
    assert PRESETS["quick"] != PRESETS["paper"]


@pytest.mark.parametrize("together", [0, 2**30])
@pytest.mark.parametrize("optimiser", ["adam", "soap"])
def test_company_does_not_matter(together: int, optimiser: Optimiser, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one not at all; where stitches share a batch, by rounding."""
    monkeypatch.setitem(tails.MAX_JOINED_BYTES, "cpu", together)
    both = pair(NETS["a"], NETS["b"], DATA)
    cells = [(i, j) for j in ("act0", "act1", "flat") for i in ("conv0", "act0", "act2", "flat")]
    recipe = replace(TEN_STEPS, optimiser=optimiser)
    every, backwards = (task_loss_matching(both, part, recipe, 0) for part in (cells, cells[::-1]))
    assert list(every) == cells
    for cell in cells:
        alone = task_loss_matching(both, [cell], recipe, 0)[cell]
        for other in (alone, backwards[cell]):
            close = 1e-5 if together else 0.0
            torch.testing.assert_close(other.weight, every[cell].weight, rtol=0, atol=close)
            torch.testing.assert_close(other.bias, every[cell].bias, rtol=0, atol=close)


@pytest.mark.parametrize("together", [0, 2**30])
@pytest.mark.parametrize("cell", [CELLS[1], CELLS[-1]], ids=["toy", "resnet"])
def test_an_epoch_in_float64_is_the_plain_recipes(cell: Cell, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tails.MAX_JOINED_BYTES, "cpu", together)
    front, i, kind, end, j, target = cell
    one, other = (replace(NETS[name], module=copy.deepcopy(NETS[name].module).double()) for name in (front, end))
    weight, bias = (start.double() for start in initial(cell, 0))
    plain = Whole(one, other, i, j, kind, target).train(DATA.train, weight, bias, seed=0, epochs=1, batch=5, lr=1e-3)
    made = task_loss_matching(pair(one, other, DATA), [(i, j)], TaskLoss(epochs=1, batch=5), 0)[i, j]
    assert plain[2] == 10
    torch.testing.assert_close(made.weight.detach(), plain[0], rtol=0, atol=1e-7)
    torch.testing.assert_close(made.bias.detach(), plain[1], rtol=0, atol=1e-7)


def test_what_does_not_fit_into_memory_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU whose memory holds four images of one stitch."""
    both, cells = pair(NETS["a"], NETS["b"], DATA), [("act0", "act1"), ("act1", "act1")]
    wanted = task_loss_matching(both, cells, TEN_STEPS, 0)
    whole, seen, failed = Pair.tail, [], []

    def small(self: Pair, layer: str) -> Callable[[Tensor], Tensor]:
        run = whole(self, layer)

        def tail(x: Tensor) -> Tensor:
            seen.append(len(x))
            if len(x) > 4:
                failed.append(len(x))
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run(x)

        return tail

    monkeypatch.setattr(Pair, "tail", small)
    made = task_loss_matching(both, cells, TEN_STEPS, 0)
    assert max(seen) == 22
    # Two stitches of 11 images, one after the other until 8 MB are below 1 MB, then 11 and 6 images: once, not a step.
    assert failed == [22, 22, 22, 22, 11, 6]
    for cell in cells:
        torch.testing.assert_close(made[cell].weight, wanted[cell].weight, rtol=0, atol=1e-5)
    order = torch.arange(20)
    monkeypatch.setattr(Pair, "tail", whole)
    before = evaluate(both, made, order)
    monkeypatch.setattr(Pair, "tail", small)
    for cell, found in evaluate(both, made, order).items():
        assert found.accuracy == before[cell].accuracy
        assert found.distance == pytest.approx(before[cell].distance, rel=1e-6)


def test_seeds_decide_order_and_initialisation() -> None:
    again, other = trained(CELLS[0], TEN_STEPS, 1), trained(CELLS[0], TEN_STEPS, 2)
    assert torch.equal(trained(CELLS[0], TEN_STEPS, 1).weight, again.weight)
    assert not torch.equal(again.weight, other.weight)
    assert not torch.equal(initial(CELLS[0], 1)[0], initial(CELLS[0], 2)[0])
    start = Stitch(again.source, again.target, torch.Generator().manual_seed(0))
    one, two = (trained(CELLS[0], TEN_STEPS, seed, start) for seed in (1, 2))
    assert not torch.equal(one.weight, two.weight), "the order of the images did not change with the seed"


def test_donors_stay_as_they_are() -> None:
    cell = ("inplace", "act", MAP, "resnet", "layer1.1", MAP)
    modules = [NETS[name].module for name in ("inplace", "resnet")]
    before = [{k: v.clone() for k, v in module.state_dict().items()} for module in modules]
    trained(cell, TaskLoss(epochs=1, batch=20, lr=0.1))
    for module, kept in zip(modules, before, strict=True):
        assert any("running_mean" in name for name in kept)
        assert all(torch.equal(value, kept[name]) for name, value in module.state_dict().items())
        assert not any(child.training for child in module.modules())
        assert all(p.grad is None and not p.requires_grad for p in module.parameters())


def test_every_batch_is_reported_and_cancelling_stops_at_once() -> None:
    both, told = pair(NETS["a"], NETS["b"], DATA), []

    def report(what: str, done: float) -> None:
        told.append((what, done))
        if len(told) == limit:
            raise Cancelled("stop")

    limit = 100
    task_loss_matching(both, [("act0", "act1")], TEN_STEPS, 0, report=report)
    assert len(told) == 10
    assert [done for _, done in told] == pytest.approx([k / 10 for k in range(10)])
    assert all("act1" in what for what, _ in told)
    told.clear()
    limit = 3
    with pytest.raises(Cancelled):
        task_loss_matching(both, [("act0", "act1")], TEN_STEPS, 0, report=report)
    assert len(told) == 3


def test_training_lowers_the_loss() -> None:
    """On labels that the front layer does show: the class is which half of the image is bright."""
    images = DATA.train.images // 4
    for k, label in enumerate(DATA.train.labels):
        images[k, :, 3 * label : 3 * label + 3] += 150
    bright = type(DATA)("b", "B", DATA.classes, type(DATA.train)(images, DATA.train.labels), DATA.test, "b")
    same = pair(NETS["a"], NETS["a"], bright)
    losses = []
    for epochs in (1, 12):
        recipe = TaskLoss(epochs=epochs, batch=10, lr=3e-2)
        stitch = task_loss_matching(same, [("act0", "act1")], recipe, 0)["act0", "act1"]
        pixels, labels = bright.train.take(torch.arange(50))
        with torch.no_grad():
            logits = same.end_cuts.after("act1")(stitch(same.run_front(["act0"])(pixels)["act0"]))
        losses.append(float(nn.functional.cross_entropy(logits, labels)))
    assert losses[1] < losses[0] - 0.05


def test_a_step_is_taken_on_the_whole_batch_however_large_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = CELLS[0]
    whole_batches = trained(cell, TEN_STEPS)
    one_cycle = replace(TEN_STEPS, schedule="one-cycle")
    both = [whole_batches, trained(cell, one_cycle)]
    monkeypatch.setattr(dataset, "MAX_FULL_BATCH_SIDE_PX", 7)  # 11 images of 12 pixels a side become 3 at a time
    assert pair(NETS["a"], NETS["b"], DATA).at_once(11) == 3
    for recipe, before in zip((TEN_STEPS, one_cycle), both, strict=True):
        torch.testing.assert_close(trained(cell, recipe).weight, before.weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("optimiser", ["adam", "soap"])
@pytest.mark.parametrize("batch", [7, 25, 50])
def test_a_cycle_of_few_steps_or_one(optimiser: Optimiser, batch: int) -> None:
    recipe = TaskLoss(epochs=1, batch=batch, lr=2e-2, schedule="one-cycle", optimiser=optimiser)
    made = trained(CELLS[0], recipe)
    moved = float((made.weight.detach() - initial(CELLS[0], 0)[0]).abs().max())
    assert 0 < moved < 2


def test_the_quick_recipe_takes_a_sixth_of_the_steps_and_gets_further() -> None:
    quick, paper = PRESETS["quick"], PRESETS["paper"]
    assert quick.epochs * 5 <= paper.epochs
    assert (quick.batch, quick.targets, quick.init) == (paper.batch, paper.targets, paper.init)
    both, losses = pair(NETS["a"], NETS["b"], DATA), []
    images, labels = DATA.train.take(torch.arange(50))
    for recipe in (quick, paper):
        short = replace(recipe, batch=10, augment="none")
        stitch = task_loss_matching(both, [("act0", "act1")], short, 0)["act0", "act1"]
        with torch.no_grad():
            logits = both.tail("act1")(stitch(both.run_front(["act0"])(images)["act0"]))
        losses.append(float(torch.nn.functional.cross_entropy(logits, labels)))
    assert losses[0] < losses[1]
