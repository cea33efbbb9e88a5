"""Every index against other people's packages on raw activations, its invariances, and the contract of the registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import reference
import torch
from handy import noting
from index_references import REFERENCES
from reference import Kind
from torch import Tensor, nn
from toys import Convolutions, Tokens, network, noise, pair, seeded

from benchmarks import plain
from stitchlab.catalog.indices import CHANGES, DEFAULT_INDICES, INDICES, ROWS, Change, Index
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import Value, grams, index_function, statistics
from stitchlab.indices.grams import gram
from stitchlab.indices.statistics import IndexRequest
from stitchlab.indices.two_layers import measure, value_or_reason
from stitchlab.request import Cell
from stitchlab.stitch.pair import Pair

Array = np.ndarray


def indices(pair: Pair, names: Sequence[str], cells: Sequence[Cell], images: Tensor) -> dict[tuple[str, Cell], Value]:
    """The values of indices alone."""
    return statistics.indices(pair, IndexRequest(names), cells, images).values


CHANNELS = [name for name, index in INDICES.items() if index.needs != "grams"]
SHAPES = [
    ((40, 5), (40, 7)),
    ((40, 7), (40, 7)),
    ((12, 30), (12, 25)),
    ((60, 3, 4, 4), (60, 3, 4, 4)),
    ((60, 3, 4, 4), (60, 6, 4, 4)),
    ((60, 3, 4, 4), (60, 3, 2, 2)),
    ((20, 5, 1, 1), (20, 5)),
    ((20, 5, 3, 3), (20, 4)),
    ((25, 9, 4), (25, 9, 6)),
    ((25, 10, 4), (25, 9, 4)),
    ((25, 9, 4), (25, 10, 4)),
    ((25, 10, 4), (25, 3, 3, 3)),
    ((25, 9, 4), (25, 2)),
    ((15, 4, 4, 3), (15, 5, 5, 3)),
    ((15, 4, 4, 3), (15, 3, 4, 4)),
    ((9, 20, 3, 3), (9, 6)),
    ((30, 7, 4), (30, 7, 5)),
    ((30, 7, 4), (30, 4, 3, 3)),
]


def kind_of(x: Tensor) -> Kind:
    """What an activation is, read off its shape."""
    if x.dim() == 4:
        return reference.LAST if x.shape[1] == x.shape[2] != x.shape[3] else reference.MAP
    if x.dim() == 2:
        return reference.VECTOR
    return reference.TOKENS if (x.shape[1] - 1) ** 0.5 % 1 == 0 else reference.PATCHES


def compared(needs: str, x: Tensor, y: Tensor) -> tuple[Array, Array] | None:
    """The rows that an index compares; None where no stitch is defined."""
    one, other = kind_of(x), kind_of(y)
    maps = [reference.as_map(v, kind) for v, kind in ((x, one), (y, other)) if v.dim() == 4]
    equal = maps[0].shape == maps[1].shape if len(maps) == 2 else x.dim() == y.dim() == 3 and x.shape[1] == y.shape[1]
    if needs == "averages" or (needs == "paper" and not equal):
        first, second = (reference.positions(v, kind_of(v)).double().mean(1).numpy() for v in (x, y))
        return first, second
    if not equal and any(v.dim() == 3 and v.shape[1] == 7 for v in (x, y)) and y.dim() != 2:
        return None
    front, end = reference.aligned(x, one, y, other), reference.positions(y, other)
    end = end[:, 1:] if other.class_token and not one.class_token else end
    return front.flatten(0, 1).double().numpy(), end.flatten(0, 1).double().numpy()


def wanted(name: str, x: Tensor, y: Tensor) -> float | None:
    index = INDICES[name]
    if index.needs == "grams":
        return REFERENCES[name](x.double().numpy(), y.double().numpy())
    rows = compared(index.needs, x, y)
    return None if rows is None else REFERENCES[index.formula or name](*rows)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def related(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Activations that share something with x."""
    made = randn(*shape, seed=1)
    count = min(made[0].numel(), x[0].numel())
    made.flatten(1)[:, :count] += x.flatten(1)[:, :count]
    return made + 0.5


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(("one", "other"), SHAPES)
def test_values_are_numpys(name: str, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    x = randn(*one) * 2 - 1
    y = related(x, other)
    for a, b in ((x, y), (y, x)):
        expected = wanted(name, a, b)
        assert measure(name, a, b) == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-6))


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("spoil", ["dead", "doubled", "constant", "small"])
def test_rank_deficient(name: str, spoil: str) -> None:
    x, y = randn(50, 6), randn(50, 4, seed=1) + randn(50, 6)[:, :4]
    for v in (x, y):
        spoiled = {"dead": v[:, 1] * 0, "doubled": v[:, 0], "constant": v[:, 1] * 0 + 0.1, "small": v[:, 1] * 1e-4}
        v[:, 1] = spoiled[spoil]
    assert measure(name, x, y) == pytest.approx(wanted(name, x, y), abs=1e-5)


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("shape", [(30, 6), (14, 3, 4, 4), (14, 9, 5)])
def test_a_copy_is_the_most_similar_and_noise_is_less(name: str, shape: tuple[int, ...]) -> None:
    x, best = randn(*shape), 1.0 if INDICES[name].metric == "similarity" else 0.0
    assert measure(name, x, x.clone()) == pytest.approx(best, abs=1e-7)
    other = measure(name, x, randn(*shape, seed=3))
    assert other is not None
    assert INDICES[name].low < other < INDICES[name].high
    assert abs(other - best) > 0.03


def orthogonal(size: int) -> Tensor:
    q: Tensor = torch.linalg.qr(randn(size, size, seed=9).double())[0]
    return q


CHANGED: dict[Change, Callable[[Tensor], Tensor]] = {
    "shift": lambda x: x + torch.arange(x.shape[1]) ** 2,
    "scale": lambda x: 3.5 * x,
    "permutation": lambda x: x.flip(1),
    "channel scales": lambda x: x * torch.arange(1.0, x.shape[1] + 1).double() ** 2,
    "rotation": lambda x: x @ orthogonal(x.shape[1]),
    "invertible map": lambda x: x @ orthogonal(x.shape[1]) @ torch.logspace(0, -2, x.shape[1]).double().diag(),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.name)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("side", [0, 1])
def test_invariances_are_those_that_the_catalog_says_and_no_others(index: Index, change: Change, side: int) -> None:
    both = [randn(60, 5).double(), related(randn(60, 5), (60, 7)).double()]
    before = measure(index.name, *both)
    assert before is not None
    both[side] = CHANGED[change](both[side])
    after = measure(index.name, *both)
    assert after is not None
    if change in (index.front, index.end)[side]:
        assert after == pytest.approx(before, abs=1e-8)
    else:
        assert abs(after - before) > 1e-4


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_constant_activations_have_no_value(name: str, value: float) -> None:
    x, constant = randn(40, 3, 4, 4), torch.full((40, 3, 4, 4), value)
    assert measure(name, x, constant) is None
    assert measure(name, constant, x) is None
    assert measure(name, constant, constant) is None


@pytest.mark.parametrize("name", INDICES)
def test_one_image_has_no_index(name: str) -> None:
    """Centred it is constant; positions of one image are rows all the same."""
    x, y = randn(1, 6), randn(1, 4, seed=1)
    assert value_or_reason(name, x, y) == "the activations of the front layer are constant"
    x, y = randn(1, 3, 4, 4), randn(1, 5, 4, 4, seed=1)
    assert isinstance(value_or_reason(name, x, y), float if INDICES[name].needs == "positions" else str)


@pytest.mark.parametrize("name", INDICES)
def test_constant_activations_say_which_layer(name: str) -> None:
    x, constant = randn(40, 3, 4, 4), torch.ones(40, 3, 4, 4)
    assert value_or_reason(name, constant, x) == "the activations of the front layer are constant"
    assert value_or_reason(name, x, constant) == "the activations of the end layer are constant"


@pytest.mark.parametrize("front", [5, 12, 20])
@pytest.mark.parametrize("spoil", ["nothing", "constant and doubled columns", "rank 4", "scales"])
def test_pwcca_of_second_moments_is_that_of_rows(front: int, spoil: str) -> None:
    """By eigenvectors of moments here, by singular vectors of rows in NumPy: 1e-8 apart at most."""
    x = randn(50, front).double() + 0.3
    y = torch.tanh(x[:, :3]) @ randn(3, 12, seed=1).double() + randn(50, 12, seed=2).double()
    if spoil == "constant and doubled columns":
        x[:, 1], x[:, 3], y[:, 0], y[:, 5] = 0.7, x[:, 0], 3.0, 2 * y[:, 1]
    elif spoil == "rank 4":
        x = x @ randn(front, 4, seed=3).double() @ randn(4, 30, seed=4).double()
    elif spoil == "scales":
        x = x * torch.logspace(0, -3, front).double()
    for a, b in ((x, y), (y, x)):
        expected = plain.pwcca(a.numpy(), b.numpy())
        assert expected is not None
        assert measure("pwcca", a, b) == pytest.approx(expected, abs=1e-8)


def test_pwcca_counts_what_the_end_lacks() -> None:
    """Ding's rule: an end with 16 of the front's 64 directions is not identical to it."""
    x = randn(400, 64).double()
    y = x @ randn(64, 16, seed=1).double()
    value = measure("pwcca", x, y)
    assert value is not None
    assert 0.4 < value < 0.9
    assert measure("pwcca", y, x) == pytest.approx(0, abs=1e-9)


def test_equal_correlations_do_not_leave_pwcca_to_the_library() -> None:
    """Where the end has 16 directions of the front's own, any basis of them has correlations 1: one is fixed."""
    x = randn(400, 64).double() @ torch.diag(torch.linspace(1, 3, 64)).double()
    y = x @ randn(64, 16, seed=1).double()
    value = measure("pwcca", x, y)
    for seed in range(3):
        basis = randn(16, 16, seed=7 + seed).double() + 3 * torch.eye(16)
        order = torch.randperm(400, generator=torch.Generator().manual_seed(seed))
        assert measure("pwcca", x[order], y[order] @ basis) == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("rows", "expected"), [(12, None), (13, "a number")])
def test_pwcca_needs_more_rows_than_directions(rows: int, expected: str | None) -> None:
    """7 + 5 directions and the mean: with 13 rows some number, with 12 two unrelated sets correlate perfectly."""
    value = value_or_reason("pwcca", randn(rows, 7), randn(rows, 5, seed=1))
    if expected is None:
        assert value == (
            "12 rows are too few for 7 directions of the front and 5 of the end: two such sets of any "
            "rows correlate perfectly somewhere"
        )
    else:
        assert isinstance(value, float)


@pytest.mark.parametrize("count", [10, 50, 200])
def test_debiased_cka_of_unrelated_activations_is_near_0_where_cka_is_not(count: int) -> None:
    debiased, biased = (
        [measure(name, randn(count, 100, seed=s), randn(count, 100, seed=s + 50)) or 0.0 for s in range(20)]
        for name in ("cka-debiased", "cka")
    )
    assert abs(sum(debiased) / 20) < 0.02
    assert min(debiased) < 0, "never clamped"
    assert sum(biased) / 20 == pytest.approx(100 / (100 + count), abs=0.05)


def test_debiased_cka_has_its_limits() -> None:
    x = randn(4, 3)
    assert isinstance(value_or_reason("cka-debiased", x, randn(4, 3, seed=1)), float)
    assert value_or_reason("cka-debiased", x[:3], x[:3]) == "debiased CKA needs 4 images or more; got 3"
    apart = torch.eye(6)
    assert (
        value_or_reason("cka-debiased", apart, randn(6, 2)) == "in one layer all images are equally far from each other"
    )


def test_positions_need_a_stitch_and_averages_do_not() -> None:
    x, y = randn(30, 7, 4), randn(30, 3, 3, 3)
    for name in ("pwcca", "opd", "pwcca-paper", "opd-paper"):
        assert isinstance(value_or_reason(name, x, y), float)
    for name in ("pwcca-positions", "opd-positions"):
        assert "7 tokens do not form a square map" in str(value_or_reason(name, x, y))


def test_averages_do_not_put_cells_of_equal_shape_on_another_scale() -> None:
    """Noise on positions, a signal in the averages: the paper's rule rates the pair of equal shapes less similar."""
    signal = randn(200, 4)[:, :, None, None]
    x, same, smaller = (signal + 3 * randn(200, 4, side, side, seed=k) for k, side in ((1, 8), (2, 8), (3, 7)))
    values = {name: (measure(name, x, same) or 0, measure(name, x, smaller) or 0) for name in ("opd", "opd-paper")}
    assert abs(values["opd"][0] - values["opd"][1]) < 0.1
    assert values["opd-paper"][0] > values["opd-paper"][1] + 0.5


@pytest.mark.parametrize(("one", "other"), [((5, 3), (6, 3)), ((5,), (5,))])
def test_measure_checks_shapes(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    with pytest.raises(StitchLabError, match=r"of the same N ≥ 1 images at both|tensor of real numbers"):
        measure("cka", torch.zeros(one), torch.zeros(other))


def test_an_unknown_index_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="'pwca'; nearest: pwcca"):
        measure("pwca", randn(4, 2), randn(4, 2))


@pytest.mark.parametrize("memory", [1, 8 * 20 * 7, 8 * 20 * 48])
def test_gram_in_portions(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, passes = randn(20, 3, 4, 4) + 5, []

    def batches() -> list[Tensor]:
        passes.append(1)
        return [x[:7], x[7:14], x[14:]]

    whole = gram(batches, 48, 20)
    assert len(passes) == 1
    monkeypatch.setattr(grams, "GRAM_MEMORY", memory)
    for part, same in zip(vars(gram(batches, 48, 20)).values(), vars(whole).values(), strict=True):
        torch.testing.assert_close(part, same, rtol=1e-12, atol=1e-12)
    assert len(passes) == 1 + {1: 48, 8 * 20 * 7: 7, 8 * 20 * 48: 1}[memory]
    centred = x.flatten(1).double() - x.flatten(1).double().mean(0)
    torch.testing.assert_close(whole.centred, centred @ centred.T)
    torch.testing.assert_close(whole.raw, x.flatten(1).double() @ x.flatten(1).double().T)


DATA = noise(size=12, train=20, test=130, seed=2)


def through_networks(front: nn.Module, end: nn.Module) -> Pair:
    return pair(network(front, DATA, "front"), network(end, DATA, "end"), DATA)


@pytest.mark.parametrize("memory", [2**29, 10_000])
def test_values_through_networks_are_numpys(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grams, "GRAM_MEMORY", memory)
    front, end = seeded(lambda: Convolutions((6, 7, 8), 4, tie=True)), seeded(lambda: Convolutions((6, 9), 4), 1)
    both = through_networks(front, end)
    cells = [(i, j) for i in ("conv0", "act1", "flat") for j in ("act0", "conv1", "fc")]
    order = DATA.test.order(7)[:120]
    made = indices(both, list(INDICES), cells, order)
    assert set(made) == {(name, cell) for name in INDICES for cell in cells}
    images, _ = DATA.test.take(order)
    for (name, (i, j)), value in made.items():
        assert both.front.module is not None
        assert both.end.module is not None
        x = plain.capture(both.front.module, i, reference.prepared(both.front, images))
        y = plain.capture(both.end.module, j, reference.prepared(both.end, images))
        assert value == pytest.approx(wanted(name, x, y), abs=1e-4), (name, i, j)


def test_tokens_through_networks() -> None:
    both = through_networks(seeded(lambda: Tokens(12, 4, 10, 4, True)), seeded(lambda: Tokens(12, 4, 6, 4, True), 1))
    made = indices(both, CHANNELS, [("first", "second")], torch.arange(130))
    images, _ = DATA.test.take(torch.arange(130))
    assert both.front.module is not None
    assert both.end.module is not None
    x = plain.capture(both.front.module, "first", reference.prepared(both.front, images))
    y = plain.capture(both.end.module, "second", reference.prepared(both.end, images))
    for name in CHANNELS:
        assert made[name, ("first", "second")] == pytest.approx(wanted(name, x, y), abs=1e-6)


class Spoilt(nn.Module):
    """Puts a value where an activation is among its largest: on few positions of few images."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x >= x.amax(), self.value, x)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("side", ["front", "end"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_activations_that_are_not_finite_are_undefined_cell_by_cell(value: float, side: str, layer: int) -> None:
    """All else in the grid has the very numbers that it had before."""
    cells = [(i, j) for j in ("act0", "act1", "act2") for i in ("act0", "act1", "act2")]
    modules = [seeded(lambda: Convolutions((6, 7, 8), 4), seed) for seed in (0, 1)]
    sound = indices(through_networks(*modules), list(INDICES), cells, torch.arange(130))
    modules = [seeded(lambda: Convolutions((6, 7, 8), 4), seed) for seed in (0, 1)]
    modules[side == "end"].add_module(f"act{layer}", nn.Sequential(nn.ReLU(), Spoilt(value)))
    made = indices(through_networks(*modules), list(INDICES), cells, torch.arange(130))
    for (name, (i, j)), number in made.items():
        if int((i if side == "front" else j)[-1]) >= layer:
            assert number == f"the activations of the {side} layer are not finite", (name, i, j)
        else:
            assert number == sound[name, (i, j)]
            assert isinstance(number, float)


def test_averages_are_of_all_images_and_all_else_is_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "INDEX_IMAGES", 80)
    both = through_networks(seeded(lambda: Convolutions((6, 7), 4)), seeded(lambda: Convolutions((6, 9), 4), 1))
    cell = ("act0", "act0")
    whole, first = (indices(both, list(INDICES), [cell], torch.arange(count)) for count in (130, 80))
    of_all = {name for name, index in INDICES.items() if index.needs == "averages"}
    assert {name for name, _ in whole if whole[name, cell] != first[name, cell]} == of_all


def test_second_moments_of_some_cells_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = through_networks(seeded(lambda: Convolutions((6, 7), 4)), seeded(lambda: Convolutions((6, 9), 4), 1))
    cells = [(i, j) for i in ("act0", "flat") for j in ("act0", "act1")]
    whole = indices(both, CHANNELS, cells, torch.arange(60))
    monkeypatch.setattr(statistics, "MOMENT_MEMORY", 8 * 12 * 12 + 1)
    ran: list[Tensor] = []
    monkeypatch.setattr(Pair, "batches", noting(lambda self, split, order, size: ran.append(order), Pair.batches))
    assert indices(both, CHANNELS, cells, torch.arange(60)) == whole
    assert len(ran) > 3


def test_one_cell_alone_has_the_same_values() -> None:
    both = through_networks(seeded(lambda: Convolutions((6, 7), 4)), seeded(lambda: Convolutions((6, 9), 4), 1))
    cells = [(i, j) for i in ("act0", "flat") for j in ("act0", "act1")]
    together = indices(both, list(INDICES), cells, torch.arange(130))
    for name in INDICES:
        for cell in cells:
            alone = indices(both, [name], [cell], torch.arange(130))[name, cell]
            assert alone == pytest.approx(together[name, cell], abs=1e-12)


def test_a_grid_has_these_indices_unless_some_are_named() -> None:
    assert DEFAULT_INDICES == ("cka", "cka-debiased", "pwcca", "opd")
    assert tuple(INDICES)[:4] == DEFAULT_INDICES, "the pickers show these first"


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.name)
def test_the_contract_of_the_catalog(index: Index) -> None:
    assert INDICES[index.name] is index
    assert index.label
    assert index.reference
    assert index.metric in ("similarity", "distance")
    assert index.low < index.high
    assert index.needs in ROWS
    assert index.all_images(index.version) == (index.needs == "averages")
    text = inspect.getdoc(index_function(index.name)) or ""
    assert all(part in text for part in ("Args:", "Returns:", ">>> ", "reason")), "formula, shapes, an example"
    module = inspect.getmodule(index_function(index.name))
    assert module is not None
    public = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert public == [index_function(index.name).__name__], "one file, one public function"
    for seed in range(5):
        value = measure(index.name, randn(25, 4, seed=seed), randn(25, 6, seed=seed + 50))
        assert value is not None
        assert index.low - 1e-9 <= value <= index.high + 1e-9


@pytest.mark.parametrize(("memory", "passes"), [(2**29, 2), (4 * 120 * (864 + 252), 4), (8 * 120 * 100, 6)])
def test_a_network_runs_once_for_as_many_layers_as_memory_holds(
    memory: int, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three front layers of 864, 252 and 72 features, and three end layers of the same network."""
    both = through_networks(*(seeded(lambda: Convolutions((6, 7, 8), 4)) for _ in range(2)))
    ran: list[list[str]] = []
    for run in ("run_front", "run_end"):
        note = noting(lambda self, layers: ran.append(list(layers)), getattr(Pair, run))
        monkeypatch.setattr(Pair, run, note)
    cells = [(i, j) for i in ("act0", "act1", "act2") for j in ("act0", "act1", "act2")]
    whole = indices(both, ["cka"], cells, torch.arange(120))
    ran.clear()
    monkeypatch.setattr(grams, "GRAM_MEMORY", memory)
    assert indices(both, ["cka"], cells, torch.arange(120)) == pytest.approx(whole, abs=1e-12)
    assert len(ran) == passes
    assert sorted(layer for part in ran for layer in part) == sorted(["act0", "act1", "act2"] * 2)
