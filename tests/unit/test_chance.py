"""Permutation nulls by brute force and against `calibrated-similarity`; the best of a column; what a run says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from calibrated_similarity import calibrate, calibrate_layers
from handy import noting
from torch import Tensor, nn
from toys import Convolutions, network, noise, pair, seeded

from stitchlab.catalog.indices import INDICES, Index
from stitchlab.indices import null, statistics
from stitchlab.indices.null import NOT_PERMUTABLE, draw_permutations
from stitchlab.indices.statistics import IndexRequest, indices
from stitchlab.indices.two_layers import measure, permutation_null
from stitchlab.results.chance import calibrated, holm, null95, p_value
from stitchlab.stitch.pair import Pair

PERMUTABLE = [name for name, index in INDICES.items() if index.permutable]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layers(count: int = 40) -> tuple[Tensor, Tensor]:
    x = randn(count, 5, 3, 3)
    y = randn(count, 7, 2, 2, seed=1)
    y[:, :3] += 3 * x[:, :3].mean((2, 3))[:, :, None, None]
    return x, y


@pytest.mark.parametrize("name", PERMUTABLE)
def test_a_null_is_the_index_on_permuted_images(name: str) -> None:
    x, y = layers()
    brute = [measure(name, x, y[order]) for order in draw_permutations(3, 40, 25)]
    assert permutation_null(name, x, y, 25, seed=3) == pytest.approx(brute, abs=1e-9)


@pytest.mark.parametrize("name", ["cka", "cca", "mutual-knn"])
def test_numbers_of_a_null_are_those_of_calibrated_similarity(name: str) -> None:
    x, y = layers()
    drawn = iter(list(draw_permutations(0, 40, 60)))
    score, p, bound = calibrate(
        x.flatten(1),
        y.flatten(1),
        lambda a, b: measure(name, a.view_as(x), b.view_as(y)) or 0.0,
        K=60,
        perm_fn=lambda n, device: next(drawn),
    )
    index, value, chance = INDICES[name], measure(name, x, y), permutation_null(name, x, y, 60)
    assert value is not None
    assert isinstance(chance, list)
    assert null95(value, chance, index) == pytest.approx(float(bound), abs=1e-6)
    assert p_value(value, chance, index) == pytest.approx(float(p))
    said = calibrated(value, float(bound), index)
    assert said is not None
    assert max(said, 0) == pytest.approx(float(score), abs=1e-5)  # it clamps what is below its null


def test_the_best_of_a_column_is_held_against_the_best_of_a_permuted_column() -> None:
    fronts, (_, y) = [layers()[0], randn(40, 4, 2, 2, seed=5), randn(40, 6, seed=6)], layers()
    drawn = iter(list(draw_permutations(0, 40, 60)))
    shapes = {x.flatten(1).shape[1]: x for x in fronts}
    _, p, bound = calibrate_layers(
        [x.flatten(1) for x in fronts],
        [y.flatten(1)],
        lambda a, b: measure("cka", a.view_as(shapes[a.shape[1]]), b) or 0.0,
        K=60,
        perm_fn=lambda n, device: next(drawn),
    )
    values = [measure("cka", x, y) or 0.0 for x in fronts]
    nulls = np.array([permutation_null("cka", x, y, 60) for x in fronts])
    assert null95(max(values), nulls.max(0), INDICES["cka"]) == pytest.approx(float(bound), abs=1e-6)
    assert p_value(max(values), nulls.max(0), INDICES["cka"]) == pytest.approx(float(p))


@pytest.mark.parametrize("index", [INDICES[name] for name in PERMUTABLE], ids=lambda index: index.name)
def test_unrelated_layers_are_within_their_null_and_a_copy_is_beyond_it(index: Index) -> None:
    x, y = randn(60, 5), randn(60, 4, seed=1)
    for other, alike in ((y, False), (x, True)):
        value, chance = measure(index.name, x, other), permutation_null(index.name, x, other, 100)
        assert value is not None
        assert isinstance(chance, list)
        bound = null95(value, chance, index)
        assert (p_value(value, chance, index) < 0.02) is alike
        assert ((calibrated(value, bound, index) or 0) > 0.5) is alike


def test_what_an_index_says_by_chance_grows_as_images_get_fewer_and_debiased_cka_does_not() -> None:
    by_count = {}
    for count in (32, 64, 128, 256):
        pairs = [(randn(count, 8, seed=s), randn(count, 8, seed=s + 100)) for s in range(12)]
        by_count[count] = [np.mean([measure(name, *both) for both in pairs]) for name in ("cka", "cka-debiased")]
    biased = [value for value, _ in by_count.values()]
    assert biased == pytest.approx([0.20, 0.11, 0.06, 0.03], abs=0.02)
    assert all(abs(debiased) < 0.02 for _, debiased in by_count.values())


def test_indices_of_positions_have_no_null() -> None:
    x, y = layers()
    for name in set(INDICES) - set(PERMUTABLE):
        assert permutation_null(name, x, y, 25) == NOT_PERMUTABLE


def test_an_undefined_index_has_its_reason_for_a_null() -> None:
    x, y = layers(10)
    assert permutation_null("mutual-knn", x, y, 25) == "mutual nearest neighbours need 12 images or more; got 10"
    assert "10 rows are too few" in str(permutation_null("cca", x, y, 25))
    assert permutation_null("cka", 0 * x, y, 25) == "the activations of the front layer are constant"


DATA = noise(size=12, train=20, test=130, seed=2)


def through_networks(front: nn.Module, end: nn.Module) -> Pair:
    return pair(network(front, DATA, "front"), network(end, DATA, "end"), DATA)


def grid() -> tuple[Pair, list[tuple[str, str]]]:
    both = through_networks(seeded(lambda: Convolutions((6, 7), 4)), seeded(lambda: Convolutions((6, 9), 4), 1))
    return both, [(i, j) for j in ("act0", "act1", "fc") for i in ("act0", "conv1", "flat")]


def test_nulls_change_no_value_and_take_no_further_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    both, cells = grid()
    ran: list[int] = []
    note = noting(lambda self, split, order, *size: ran.append(len(order)), Pair.batches)
    monkeypatch.setattr(Pair, "batches", note)
    plain = indices(both, IndexRequest(PERMUTABLE), cells, torch.arange(130))
    passes = len(ran)
    found = indices(both, IndexRequest(PERMUTABLE, 25), cells, torch.arange(130))
    assert found.values == plain.values
    assert len(ran) == 2 * passes
    assert set(found.nulls) == set(found.values)
    assert not plain.nulls


@pytest.mark.parametrize("memory", [2**29, 1])
def test_a_cell_has_the_same_null_alone(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    both, cells = grid()
    whole = indices(both, IndexRequest(PERMUTABLE, 25, 7), cells, torch.arange(100)).nulls
    monkeypatch.setattr(null, "MEMORY", memory)
    monkeypatch.setattr(statistics, "MOMENT_MEMORY", memory)
    part = indices(both, IndexRequest(PERMUTABLE, 25, 7), cells[4:6], torch.arange(100)).nulls
    for item, chance in part.items():
        assert chance == pytest.approx(whole[item], abs=1e-9), item


def test_a_layer_that_is_not_finite_has_no_null_and_spoils_no_other() -> None:
    both, cells = grid()
    sound = indices(both, IndexRequest(PERMUTABLE, 25), cells, torch.arange(130)).nulls
    with torch.no_grad():
        both.front.module.get_parameter("conv1.weight").fill_(float("nan"))
    for (name, (i, j)), chance in indices(both, IndexRequest(PERMUTABLE, 25), cells, torch.arange(130)).nulls.items():
        if i == "act0":
            assert chance == pytest.approx(sound[name, (i, j)], abs=1e-9)
        else:
            assert chance == "the activations of the front layer are not finite"


@pytest.mark.parametrize("memory", [1, 10**9])
def test_matrices_of_any_kind_have_the_nulls_that_numpy_gives(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symmetric ones, others, one that is not finite, and an index of which no front layer has a matrix."""
    monkeypatch.setattr(null, "MEMORY", memory)
    skew = torch.randn(7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    plain, odd, broken = skew + skew.T, skew, skew.clone().fill_(torch.nan)
    layers = {
        "even": ({"a": plain, "b": plain @ plain}, {"c": plain, "d": broken}),
        "uneven": ({"a": odd}, {"c": plain, "d": odd.T}),
        "none": ({}, {"c": plain}),
    }
    shuffles = list(draw_permutations(0, 7, 5))
    found = null.of_matrices(layers, shuffles, lambda done: None)
    assert set(found) == {(name, (i, j)) for name, (front, end) in layers.items() for i in front for j in end}
    for (name, (i, j)), values in found.items():
        front, end = layers[name][0][i].numpy(), layers[name][1][j].numpy()
        wanted = [(front * end[np.ix_(shuffle, shuffle)]).sum() for shuffle in (order.numpy() for order in shuffles)]
        assert values == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_permutations_are_drawn_one_by_one() -> None:
    """The first of many are the few: a null of more permutations goes on where one of fewer ended."""
    few, many = list(draw_permutations(1, 30, 5)), list(draw_permutations(1, 30, 9))
    assert all(torch.equal(a, b) for a, b in zip(few, many, strict=False))
    assert all(sorted(order.tolist()) == list(range(30)) for order in many)
    assert not torch.equal(many[0], next(draw_permutations(2, 30, 1)))


def test_holms_correction() -> None:
    assert holm([0.04, 0.001, 0.03, 0.5]) == pytest.approx([0.09, 0.004, 0.09, 0.5])
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]
