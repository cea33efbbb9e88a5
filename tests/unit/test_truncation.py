"""Activations cut to their leading principal directions, against NumPy's SVD; direct matching of them; training."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from reference import LAST, MAP, PATCHES, TOKENS, VECTOR, Kind, Whole, aligned, positions, prepared
from torch import Tensor, nn
from toys import Convolutions, Tokens, network, noise, pair, seeded

from benchmarks.plain import capture, lstsq
from stitchlab.indices.statistics import IndexRequest, indices
from stitchlab.indices.two_layers import value_or_reason
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import TaskLoss
from stitchlab.results.ranks import grid_of
from stitchlab.stitch import truncation
from stitchlab.stitch.direct import least_squares
from stitchlab.stitch.moments import with_ones
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.task import initial, task_loss_matching
from stitchlab.stitch.truncation import Basis, bases, cut_name, direct_matching_at, truncated

Array = npt.NDArray[np.float64]
DATA = noise(size=12, train=60, test=40, seed=3)


class Last(nn.Module):
    """A map with channels last (``last``), as Swin transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last, self.head = nn.Conv2d(1, 5, 3, 2, 1), Permuted(), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.last(self.conv(x)).mean((1, 2)))
        return logits


class Permuted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.permute(0, 2, 3, 1))


def nets() -> dict[str, LoadedNetwork]:
    made: dict[str, nn.Module] = {
        "wide": seeded(lambda: Convolutions((9, 11, 70), 4), 0),
        "large": seeded(lambda: Convolutions((6, 5, 7), 4, stride=1), 4),  # other positions than wide's
        "tied": seeded(lambda: Convolutions((7, 8, 70), 4, tie=True), 1),  # dead and doubled channels
        "class": seeded(lambda: Tokens(12, 4, 10, 4, True), 2),
        "class2": seeded(lambda: Tokens(12, 4, 6, 4, True), 5),
        "patches": seeded(lambda: Tokens(12, 3, 6, 4, False), 3),
        "last": seeded(Last, 6),
    }
    return {name: network(module, DATA, name) for name, module in made.items()}


NETS = nets()
# front, end, the layer of both, its kind, K
CELLS = [
    ("wide", "tied", "act1", MAP, 60),
    ("tied", "wide", "act0", MAP, 20),
    ("tied", "wide", "conv1", MAP, 20),
    ("wide", "tied", "flat", VECTOR, 60),  # K < C
    ("tied", "tied", "flat", VECTOR, 30),
    ("class", "class2", "first", TOKENS, 25),
    ("patches", "patches", "second", PATCHES, 25),
    ("last", "last", "last", LAST, 10),
    ("wide", "large", "act2", MAP, 60),
    ("large", "wide", "act2", MAP, 20),  # small to large, and large to small
]
Case = tuple[str, str, str, Kind, int]
cases = pytest.mark.parametrize("case", CELLS, ids=lambda c: f"{c[0]}-{c[1]}.{c[2]}")


class Plain:
    """The cut of a layer from the definition alone, by NumPy's SVD of all rows at once."""

    def __init__(self, net: LoadedNetwork, layer: str, kind: Kind, images: Tensor) -> None:
        self.net, self.layer, self.kind = net, layer, kind
        rows = positions(self.activations(images), kind).flatten(0, 1).double().numpy()
        self.mean = rows.mean(0)
        _, values, vectors = np.linalg.svd(rows - self.mean, full_matrices=False)
        self.values = values
        self.vectors = vectors[values > 1e-7 * np.linalg.norm(np.column_stack([rows, np.ones(len(rows))]), 2)].T

    def activations(self, images: Tensor) -> Tensor:
        return capture(cast(Any, self.net).module, self.layer, prepared(self.net, images))

    def cut(self, x: Tensor, rank: int) -> Tensor:
        axis = 1 if self.kind is MAP else -1
        last = x.double().movedim(axis, -1).numpy()
        v = self.vectors[:, :rank]
        return torch.from_numpy(self.mean + (last - self.mean) @ v @ v.T).movedim(-1, axis)


def both(case: Case) -> tuple[Pair, dict[str, Basis], Plain, Tensor]:
    front, end, layer, kind, count = case
    chosen, there = DATA.train.order(0)[:count], pair(NETS[front], NETS[end], DATA)
    known = bases(there, [layer], chosen)[layer]
    assert known is not None
    return there, {layer: known}, Plain(NETS[front], layer, kind, DATA.train.take(chosen)[0]), chosen


def ranks(case: Case) -> tuple[int, ...]:
    return grid_of(pair(NETS[case[0]], NETS[case[1]], DATA).source(case[2]).channels)


@cases
def test_activations_are_cut_as_by_numpys_svd(case: Case) -> None:
    there, found, plain, _ = both(case)
    layer = case[2]
    known = found[layer]
    np.testing.assert_allclose(
        known.values.sqrt(), plain.values[: len(known.values)], rtol=1e-6, atol=1e-6 * plain.values[0]
    )
    images, _ = DATA.test.take(torch.arange(len(DATA.test)))
    x = plain.activations(images)
    scale = float(x.abs().max())
    for wide, close in ((True, 1e-6), (False, 1e-5)):
        cut = truncated(there, found, {layer: ranks(case)[:-1]}, wide)
        names = [cut_name(layer, rank) for rank in ranks(case)[:-1]]
        made = cut.run_front([*names, layer])(images)
        torch.testing.assert_close(made.pop(layer), there.run_front([layer])(images)[layer], rtol=0, atol=0)
        for rank, name in zip(ranks(case)[:-1], names, strict=True):
            wanted = plain.cut(x, min(rank, len(known.values)))
            assert made[name].dtype == (torch.float64 if wide else torch.float32)
            np.testing.assert_allclose(made[name], wanted, atol=close * scale, rtol=0)
            assert cut.source(name) == there.source(layer)


def test_directions_without_variance_are_in_no_basis() -> None:
    dead = both(("tied", "wide", "act0", MAP, 20))[1]["act0"]
    assert len(dead.mean) == 7
    assert len(dead.values) == 5  # one dead, one doubled
    few = both(("tied", "tied", "flat", VECTOR, 30))
    assert len(few[1]["flat"].values) <= 29
    images, _ = DATA.test.take(torch.arange(10))
    names = ["flat@35", "flat@64"]
    made = truncated(few[0], few[1], {"flat": (35, 64)}).run_front(names)(images)
    assert torch.equal(made["flat@35"], made["flat@64"])


@cases
def test_direct_matching_at_each_rank_is_numpys_least_squares_on_cut_activations(case: Case) -> None:
    there, found, plain, chosen = both(case)
    _, end, layer, kind, _ = case
    stitches = direct_matching_at(there, found, {layer: ranks(case)[:-1]}, chosen)
    (images, _), (test, _) = DATA.train.take(chosen), DATA.test.take(torch.arange(len(DATA.test)))
    native = capture(cast(Any, NETS[end]).module, layer, prepared(NETS[end], images))
    y = positions(native, kind).flatten(0, 1).double().numpy()
    assert list(stitches) == [(cut_name(layer, rank), layer) for rank in ranks(case)[:-1]]
    for rank in ranks(case)[:-1]:
        x, new = (
            aligned(plain.cut(plain.activations(of), rank), kind, native, kind).flatten(0, 1).numpy()
            for of in (images, test)
        )
        weight, bias = lstsq(x, y)
        stitch = stitches[cut_name(layer, rank), layer]
        ours = new @ stitch.weight.detach().double().numpy().T + stitch.bias.detach().double().numpy()
        wanted = new @ weight.T + bias
        np.testing.assert_allclose(ours, wanted, atol=2e-4 * np.abs(wanted).max(), rtol=0)


@pytest.mark.parametrize("dead", [False, True])
def test_at_all_channels_it_is_direct_matching(dead: bool) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, dtype=torch.float64, generator=random) + 3
    x[:, 2] *= 0 if dead else 1
    y = torch.randn(50, 4, dtype=torch.float64, generator=random)
    gram, cross = with_ones(x).T @ with_ones(x), with_ones(x).T @ y
    ours, theirs = truncation.regressed(truncation.basis(gram), gram, cross, 6), least_squares(gram, cross)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_rows_resized_by_nothing_give_one_answer_either_way() -> None:
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3
    gram, cross = with_ones(x).T @ with_ones(x), with_ones(x).T @ x.flip(1).square()
    known = truncation.basis(gram)
    for one, other in zip(
        truncation.regressed(known, gram, cross, 3), truncation.projected(known, gram, cross, 3), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("case", [CELLS[0], CELLS[5]], ids=["map", "tokens"])
def test_training_on_cut_activations_is_a_plain_loop_with_a_hook_that_cuts(case: Case) -> None:
    there, found, plain, _ = both(case)
    front, end, layer, kind, _ = case
    cells = [(cut_name(layer, rank), layer) for rank in (1, 4)]
    first = initial(there, (layer, layer), 7, None)
    cut = truncated(there, found, {layer: (1, 4)})
    made = task_loss_matching(cut, cells, TaskLoss(epochs=2, batch=11), 7, dict.fromkeys(cells, first))
    for rank, cell in zip((1, 4), cells, strict=True):
        module = copy.deepcopy(cast(Any, NETS[front]).module)
        module.get_submodule(layer).register_forward_hook(
            lambda module, args, out, rank=rank: plain.cut(out, rank).float()
        )
        whole = Whole(network(module, DATA), NETS[end], layer, layer, kind, kind)
        weight, bias, _ = whole.train(
            DATA.train, first.weight.detach(), first.bias.detach(), seed=7, epochs=2, batch=11, lr=1e-3
        )
        torch.testing.assert_close(made[cell].weight.detach(), weight, atol=2e-5, rtol=0)
        torch.testing.assert_close(made[cell].bias.detach(), bias, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", ["cka", "cka-rbf", "pwcca", "cca", "opd-positions"])
@pytest.mark.parametrize("case", [CELLS[0], CELLS[3], CELLS[5]], ids=["map", "vector", "tokens"])
def test_an_index_sees_what_is_cut(case: Case, name: str) -> None:
    there, found, plain, _ = both(case)
    _, end, layer, _, _ = case
    chosen = torch.arange(len(DATA.test))
    images, _ = DATA.test.take(chosen)
    y = capture(cast(Any, NETS[end]).module, layer, prepared(NETS[end], images))
    for rank in (1, 4):
        cell = (cut_name(layer, rank), layer)
        cut = truncated(there, found, {layer: (rank,)}, float64=True)
        ours = indices(cut, IndexRequest([name]), [cell], chosen).values[name, cell]
        wanted = value_or_reason(name, plain.cut(plain.activations(images), rank), y.double())
        assert ours == (wanted if isinstance(wanted, str) else pytest.approx(wanted, abs=1e-6))


def test_what_is_not_finite_has_no_basis_and_its_neighbours_have() -> None:
    module = copy.deepcopy(cast(Any, NETS["wide"]).module)
    with torch.no_grad():
        module.conv1.bias[0] = torch.nan
    there = pair(network(module, DATA), NETS["wide"], DATA)
    found = bases(there, ["act0", "act1"], torch.arange(20))
    assert found["act1"] is None
    wanted = bases(pair(NETS["wide"], NETS["wide"], DATA), ["act0"], torch.arange(20))["act0"]
    assert found["act0"] is not None
    assert wanted is not None
    assert torch.equal(found["act0"].values, wanted.values)
