"""Accuracy and distance of stitches against whole networks with hooks, all images at once."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import product

import pytest
import torch
from handy import sure
from reference import MAP, TOKENS, VECTOR, Kind, Whole
from torch import Tensor, nn
from toys import Convolutions, InPlace, Tokens, network, noise, pair, seeded

from benchmarks.distances import distances
from stitchlab.models.store import LoadedNetwork
from stitchlab.stitch import evaluate as evaluating
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.pair import Pair

DATA = noise(size=12, train=20, test=61, seed=2)


def nets() -> dict[str, LoadedNetwork]:
    made: dict[str, nn.Module] = {
        "a": seeded(lambda: Convolutions((6, 7, 8), 4), 0),
        "b": seeded(lambda: Convolutions((5, 6, 9), 4), 1),
        "inplace": seeded(InPlace, 2),
        "tokens": seeded(lambda: Tokens(12, 4, 10, 4, True), 3),
    }
    return {name: network(module, DATA, name) for name, module in made.items()}


NETS = nets()
CELLS = [
    ("a", "act0", MAP, "b", "act1", MAP),
    ("a", "act2", MAP, "b", "act0", MAP),
    ("a", "flat", VECTOR, "b", "act1", MAP),
    ("a", "act1", MAP, "tokens", "first", TOKENS),
    ("tokens", "first", TOKENS, "a", "flat", VECTOR),
    ("inplace", "norm", MAP, "inplace", "third", MAP),
    ("b", "act2", MAP, "inplace", "second", MAP),
]
CELL = ("act0", "act1")
Cell = tuple[str, str, Kind, str, str, Kind]


def random_stitch(both: Pair, i: str, j: str, seed: int = 0) -> Stitch:
    return Stitch(both.source(i), both.target(j), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}.{c[4]}")
def test_numbers_are_those_of_the_whole_networks(cell: Cell) -> None:
    front, i, kind, end, j, target = cell
    both, order = pair(NETS[front], NETS[end], DATA), DATA.test.order(5)[:43]
    stitch = random_stitch(both, i, j)
    result = evaluate(both, {(i, j): stitch}, order)[i, j]
    accuracy, distance = Whole(NETS[front], NETS[end], i, j, kind, target).evaluate(
        DATA.test, order, stitch.weight.detach(), stitch.bias.detach()
    )
    assert result.accuracy == accuracy
    assert result.distance == pytest.approx(distance, rel=1e-5)
    assert distances(both, {(i, j): stitch}, order)[i, j] == pytest.approx(distance, rel=1e-5)


@pytest.mark.parametrize("network", ["a", "tokens"])
def test_distances_from_moments_in_float64(network: str) -> None:
    """All pairs of layers at once, larger to smaller maps and back, against the stitched activations themselves."""
    one = replace(NETS[network], module=copy.deepcopy(NETS[network].module).double())
    both, order = pair(one, one, DATA), DATA.test.order(5)[:43]
    layers = [point.name for point in both.front_cuts.points if point.default or point.name == "flat"]
    stitches = {(i, j): random_stitch(both, i, j, k).double() for k, (i, j) in enumerate(product(layers, layers))}
    found, seen = distances(both, stitches, order), evaluate(both, stitches, order)
    assert len(found) == len(layers) ** 2
    for cell, distance in found.items():
        assert distance == pytest.approx(seen[cell].distance, rel=1e-9), cell


def test_a_distance_of_nothing_is_nothing() -> None:
    both = pair(NETS["a"], NETS["a"], DATA)
    channels = both.target("act1").channels
    perfect = Stitch.of(both.source("act1"), both.target("act1"), torch.eye(channels), torch.zeros(channels))
    assert distances(both, {("act1", "act1"): perfect}, torch.arange(61))["act1", "act1"] == pytest.approx(0, abs=1e-11)


def test_stitches_side_by_side_are_those_alone() -> None:
    both = pair(NETS["a"], NETS["b"], DATA)
    cells = [(i, j) for i in ("act0", "act2", "flat") for j in ("act1", "act2")]
    stitches = {cell: random_stitch(both, *cell) for cell in cells}
    together = evaluate(both, stitches, torch.arange(61))
    for cell, found in together.items():
        alone = evaluate(both, {cell: stitches[cell]}, torch.arange(61))[cell]
        assert found.accuracy == alone.accuracy
        assert found.distance == pytest.approx(alone.distance, rel=1e-6)
    assert len({result.distance for result in together.values()}) == 6


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair(NETS["a"], NETS["b"], DATA)
    stitches = {CELL: random_stitch(both, *CELL)}
    whole = evaluate(both, stitches, torch.arange(61))[CELL]
    monkeypatch.setattr(evaluating, "BATCH", 9)
    small = evaluate(both, stitches, torch.arange(61))[CELL]
    assert small.accuracy == whole.accuracy
    assert small.distance == pytest.approx(whole.distance, rel=1e-6)


def test_the_order_of_images_does_not_matter_but_which_they_are_does() -> None:
    both = pair(NETS["a"], NETS["b"], DATA)
    stitches = {CELL: random_stitch(both, *CELL)}
    forth, back, half = (
        evaluate(both, stitches, order)[CELL]
        for order in (torch.arange(61), torch.arange(61).flip(0), torch.arange(30))
    )
    assert back.accuracy == forth.accuracy
    assert back.distance == pytest.approx(forth.distance, rel=1e-6)
    assert half.distance != forth.distance


def test_distance_to_nothing_is_undefined() -> None:
    def dead() -> nn.Module:
        made = Convolutions((5, 6, 9), 4)
        with torch.no_grad():
            made.get_parameter("conv1.weight").zero_()
            made.get_parameter("conv1.bias").fill_(-1.0)
        return made

    both = pair(NETS["a"], network(seeded(dead), DATA), DATA)
    stitches = {CELL: random_stitch(both, *CELL)}
    result = evaluate(both, stitches, torch.arange(61))[CELL]
    assert distances(both, stitches, torch.arange(61)) == {CELL: None}
    assert result.distance is None
    assert 0 <= sure(result.accuracy) <= 1


def test_a_perfect_and_an_empty_stitch() -> None:
    both = pair(NETS["a"], NETS["a"], DATA)
    channels = both.target("act1").channels
    perfect = Stitch.of(both.source("act1"), both.target("act1"), torch.eye(channels), torch.zeros(channels))
    empty = Stitch.of(both.source("act1"), both.target("act1"), torch.zeros(channels, channels), torch.zeros(channels))
    one, other = (
        evaluate(both, {("act1", "act1"): stitch}, torch.arange(61))["act1", "act1"] for stitch in (perfect, empty)
    )
    assert one.distance == pytest.approx(0, abs=1e-12)
    assert one.accuracy == own_accuracy(both, torch.arange(61))
    assert other.distance == pytest.approx(1)


def test_own_accuracy_is_that_of_the_end_network() -> None:
    both = pair(NETS["a"], NETS["b"], DATA)
    order = DATA.test.order(0)[:37]
    images, labels = DATA.test.take(order)
    module = NETS["b"].module

    def right(x: Tensor) -> Tensor:
        logits: Tensor = module((x / 255 - 0.4) / 0.3)
        return (logits.argmax(1) == labels).double().mean()

    assert own_accuracy(both, order) == pytest.approx(float(right(images.float())))
