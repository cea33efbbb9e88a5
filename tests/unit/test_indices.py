"""CKA, PWCCA and OPD against NumPy on raw activations, their invariances, and the contract of the registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import reference
import torch
from torch import Tensor, nn
from toys import Convolutions, Tokens, network, noise, pair, seeded

from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES, Index
from stitchlab.errors import UnknownName
from stitchlab.indices import index_function, statistics
from stitchlab.indices.statistics import gram, indices, measure
from stitchlab.stitch.pair import Pair

Array = np.ndarray
NUMPY: dict[str, Callable[[Array, Array], float]] = {
    "cka": reference.cka, "pwcca": reference.pwcca, "opd": reference.opd,
}
# x, y, which rows PWCCA and OPD see
SHAPES = [
    ((40, 5), (40, 7), "averages"), ((40, 7), (40, 7), "averages"), ((12, 30), (12, 25), "averages"),
    ((20, 3, 4, 4), (20, 3, 4, 4), "positions"), ((20, 3, 4, 4), (20, 6, 4, 4), "averages"),
    ((20, 3, 4, 4), (20, 3, 2, 2), "averages"), ((20, 5, 1, 1), (20, 5), "averages"),
    ((15, 9, 4), (15, 9, 6), "positions"), ((15, 10, 4), (15, 9, 4), "averages"),
    ((15, 10, 4), (15, 3, 3, 3), "averages"),
    ((15, 4, 4, 3), (15, 5, 5, 3), "averages"), ((15, 4, 4, 3), (15, 3, 4, 4), "positions"),
    ((9, 20, 3, 3), (9, 6), "averages"),
]


def rows(x: Tensor, kind: str, last: bool = False) -> Array:
    """Positions as rows, or averages over positions, channels behind."""
    if x.dim() == 4:
        x = x.permute(0, 2, 3, 1).flatten(1, 2) if not last else x.flatten(1, 2)
    elif x.dim() == 2:
        x = x[:, None]
    return (x.flatten(0, 1) if kind == "positions" else x.mean(1)).double().numpy()


def wanted(name: str, x: Tensor, y: Tensor, kind: str) -> float:
    if name == "cka":
        return NUMPY[name](x.double().numpy(), y.double().numpy())
    last = [v.dim() == 4 and v.shape[1] == v.shape[2] != v.shape[3] for v in (x, y)]
    return NUMPY[name](rows(x, kind, last[0]), rows(y, kind, last[1]))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def related(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Activations that share something with x."""
    made = randn(*shape, seed=1)
    count = min(made[0].numel(), x[0].numel())
    made.flatten(1)[:, :count] += x.flatten(1)[:, :count]
    return made + 0.5


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(("one", "other", "kind"), SHAPES)
def test_values_are_numpys(name: str, one: tuple[int, ...], other: tuple[int, ...], kind: str) -> None:
    x = randn(*one) * 2 - 1
    y = related(x, other)
    assert measure(name, x, y) == pytest.approx(wanted(name, x, y, kind), rel=1e-6, abs=1e-6)
    assert measure(name, y, x) == pytest.approx(wanted(name, y, x, kind), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("spoil", ["dead", "doubled", "constant", "small"])
def test_rank_deficient(name: str, spoil: str) -> None:
    x, y = randn(50, 6), randn(50, 4, seed=1) + randn(50, 6)[:, :4]
    for v in (x, y):
        spoiled = {"dead": v[:, 1] * 0, "doubled": v[:, 0], "constant": v[:, 1] * 0 + 0.1, "small": v[:, 1] * 1e-4}
        v[:, 1] = spoiled[spoil]
    assert measure(name, x, y) == pytest.approx(wanted(name, x, y, "averages"), abs=1e-5)


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("shape", [(30, 6), (10, 3, 4, 4), (10, 9, 5)])
def test_a_copy_is_the_most_similar_and_noise_is_less(name: str, shape: tuple[int, ...]) -> None:
    x, best = randn(*shape), 1.0 if INDICES[name].metric == "similarity" else 0.0
    assert measure(name, x, x.clone()) == pytest.approx(best, abs=1e-7)
    other = measure(name, x, randn(*shape, seed=3))
    assert other is not None
    assert INDICES[name].low < other < INDICES[name].high
    assert abs(other - best) > 0.05


def orthogonal(size: int) -> Tensor:
    return torch.linalg.qr(randn(size, size, seed=9).double())[0]


@pytest.mark.parametrize("name", ["cka", "opd"])
@pytest.mark.parametrize("side", [0, 1])
def test_cka_and_opd_do_not_see_rotation_scale_and_shift(name: str, side: int) -> None:
    both = [randn(60, 5).double(), related(randn(60, 5), (60, 7)).double()]
    before = measure(name, *both)
    both[side] = both[side] @ orthogonal(both[side].shape[1]) * 3.5 + 2
    assert measure(name, *both) == pytest.approx(before, abs=1e-9)
    both[side] = both[side] @ torch.diag(torch.arange(1.0, both[side].shape[1] + 1).double())
    assert abs((measure(name, *both) or 0) - (before or 0)) > 1e-3


def test_pwcca_does_not_see_an_invertible_map_of_the_end_and_scale_of_the_front() -> None:
    x, y = randn(60, 5).double(), related(randn(60, 5), (60, 7)).double()
    before = measure("pwcca", x, y)
    assert before is not None
    invertible = randn(7, 7, seed=4).double() + 3 * torch.eye(7)
    assert measure("pwcca", x, y @ invertible + 1) == pytest.approx(before, abs=1e-9)
    assert measure("pwcca", 4 * x - 1, y) == pytest.approx(before, abs=1e-9)
    rotated = measure("pwcca", x @ orthogonal(5), y)
    assert abs((rotated or 0) - before) > 1e-4


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_constant_activations_have_no_value(name: str, value: float) -> None:
    x, constant = randn(40, 3, 4, 4), torch.full((40, 3, 4, 4), value)
    assert measure(name, x, constant) is None
    assert measure(name, constant, x) is None
    assert measure(name, constant, constant) is None


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
    monkeypatch.setattr(statistics, "GRAM_MEMORY", memory)
    torch.testing.assert_close(gram(batches, 48, 20), whole, rtol=1e-12, atol=1e-12)
    assert len(passes) == 1 + {1: 48, 8 * 20 * 7: 7, 8 * 20 * 48: 1}[memory]
    centred = x.flatten(1).double() - x.flatten(1).double().mean(0)
    torch.testing.assert_close(whole, centred @ centred.T)


DATA = noise(size=12, train=20, test=130, seed=2)


def through_networks(front: nn.Module, end: nn.Module) -> Pair:
    return pair(network(front, DATA, "front"), network(end, DATA, "end"), DATA)


@pytest.mark.parametrize("memory", [2**29, 10_000])
def test_values_through_networks_are_numpys(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "GRAM_MEMORY", memory)
    front, end = seeded(lambda: Convolutions((6, 7, 8), 4, tie=True)), seeded(lambda: Convolutions((6, 9), 4), 1)
    both = through_networks(front, end)
    cells = [(i, j) for i in ("conv0", "act1", "flat") for j in ("act0", "conv1", "fc")]
    order = DATA.test.order(7)[:120]
    made = indices(both, ["cka", "pwcca", "opd"], cells, order)
    assert set(made) == {(name, cell) for name in INDICES for cell in cells}
    images, _ = DATA.test.take(order)
    for (name, (i, j)), value in made.items():
        assert both.front.module is not None
        assert both.end.module is not None
        x = reference.capture(both.front.module, i, reference.prepared(both.front, images))
        y = reference.capture(both.end.module, j, reference.prepared(both.end, images))
        kind = "positions" if x.shape[1:] == y.shape[1:] and x.dim() == 4 else "averages"
        assert value == pytest.approx(wanted(name, x, y, kind), abs=1e-4), (name, i, j)


def test_tokens_through_networks() -> None:
    both = through_networks(seeded(lambda: Tokens(12, 4, 10, 4, True)), seeded(lambda: Tokens(12, 4, 6, 4, True), 1))
    made = indices(both, ["pwcca", "opd"], [("first", "second")], torch.arange(130))
    images, _ = DATA.test.take(torch.arange(130))
    assert both.front.module is not None
    assert both.end.module is not None
    x = reference.capture(both.front.module, "first", reference.prepared(both.front, images))
    y = reference.capture(both.end.module, "second", reference.prepared(both.end, images))
    for name in ("pwcca", "opd"):
        assert made[name, ("first", "second")] == pytest.approx(wanted(name, x, y, "positions"), abs=1e-6)


def test_one_cell_alone_has_the_same_values() -> None:
    both = through_networks(seeded(lambda: Convolutions((6, 7), 4)), seeded(lambda: Convolutions((6, 9), 4), 1))
    cells = [(i, j) for i in ("act0", "flat") for j in ("act0", "act1")]
    together = indices(both, list(INDICES), cells, torch.arange(130))
    for name in INDICES:
        for cell in cells:
            alone = indices(both, [name], [cell], torch.arange(130))[name, cell]
            assert alone == pytest.approx(together[name, cell], abs=1e-12)


def test_a_grid_has_these_indices_unless_some_are_named() -> None:
    assert DEFAULT_INDICES == ("cka", "pwcca", "opd")


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.name)
def test_the_contract_of_the_catalog(index: Index) -> None:
    assert INDICES[index.name] is index
    assert index.label
    assert index.reference
    assert index.metric in ("similarity", "distance")
    assert index.low < index.high
    assert index.needs in ("grams", "moments")
    text = inspect.getdoc(index_function(index.name)) or ""
    assert all(part in text for part in ("Args:", "Returns:", ">>> ", "None")), "formula, shapes, an example"
    module = inspect.getmodule(index_function(index.name))
    assert module is not None
    public = [name for name, value in vars(module).items() if inspect.isfunction(value)
              and value.__module__ == module.__name__ and not name.startswith("_")]
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
    front, end = Pair.run_front, Pair.run_end
    monkeypatch.setattr(Pair, "run_front", lambda self, layers: ran.append(list(layers)) or front(self, layers))
    monkeypatch.setattr(Pair, "run_end", lambda self, layers: ran.append(list(layers)) or end(self, layers))
    cells = [(i, j) for i in ("act0", "act1", "act2") for j in ("act0", "act1", "act2")]
    whole = indices(both, ["cka"], cells, torch.arange(120))
    ran.clear()
    monkeypatch.setattr(statistics, "GRAM_MEMORY", memory)
    assert indices(both, ["cka"], cells, torch.arange(120)) == pytest.approx(whole, abs=1e-12)
    assert len(ran) == passes
    assert sorted(layer for part in ran for layer in part) == sorted(["act0", "act1", "act2"] * 2)
