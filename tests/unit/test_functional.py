"""Agreement, divergence and error consistency of stitched networks, against SciPy, scikit-learn and counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from reference import MAP, TOKENS, VECTOR, Kind, Whole, prepared
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from sklearn.metrics import cohen_kappa_score
from torch import Tensor, nn
from toys import Convolutions, InPlace, Tokens, network, noise, pair, seeded

from stitchlab.request import Cell
from stitchlab.stitch import evaluate as evaluating
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.functional import (
    EndPredictions,
    Functional,
    PredictionSums,
    consistency,
    divergence,
    log_probabilities,
    log_softmax,
)
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.undefined import END_LOGITS_NOT_FINITE

DATA = noise(size=12, train=20, test=61, seed=2)
NETS = {
    "a": network(seeded(lambda: Convolutions((6, 7, 8), 4), 0), DATA, "a"),
    "b": network(seeded(lambda: Convolutions((5, 6, 9), 4), 1), DATA, "b"),
    "inplace": network(seeded(InPlace, 2), DATA, "inplace"),
    "tokens": network(seeded(lambda: Tokens(12, 4, 10, 4, True), 3), DATA, "tokens"),
}
CELLS = [
    ("a", "act0", MAP, "b", "act1", MAP),
    ("a", "act2", MAP, "b", "act0", MAP),
    ("b", "flat", VECTOR, "a", "act1", MAP),
    ("a", "act1", MAP, "tokens", "first", TOKENS),
    ("tokens", "first", TOKENS, "a", "flat", VECTOR),
    ("inplace", "norm", MAP, "inplace", "third", MAP),
]
ALL = torch.arange(61)
EMPTY = ("agreement", "jsd", "error_consistency")


def random_stitch(both: Pair, i: str, j: str, seed: int = 0) -> Stitch:
    return Stitch(both.source(i), both.target(j), torch.Generator().manual_seed(seed))


def identity(both: Pair, layer: str) -> Stitch:
    channels = both.target(layer).channels
    return Stitch.of(both.source(layer), both.target(layer), torch.eye(channels), torch.zeros(channels))


def jsd(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """SciPy's Jensen–Shannon divergence, in bits, of what rows of logits stand for."""
    found: npt.NDArray[np.float64] = jensenshannon(softmax(one, 1), softmax(other, 1), base=2, axis=1) ** 2
    return found


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}.{c[4]}")
def test_numbers_are_those_of_the_whole_networks(cell: tuple[str, str, Kind, str, str, Kind]) -> None:
    front, i, kind, end, j, target = cell
    both, order = pair(NETS[front], NETS[end], DATA), DATA.test.order(5)[:43]
    stitch = random_stitch(both, i, j)
    found = evaluate(both, {(i, j): stitch}, order)[i, j].functional
    images, labels = DATA.test.take(order)
    with torch.no_grad():
        made = Whole(NETS[front], NETS[end], i, j, kind, target).logits(
            images, stitch.weight.detach(), stitch.bias.detach()
        )[0]
        own = NETS[end].module(prepared(NETS[end], images))
    right, own_right = (logits.argmax(1) == labels for logits in (made, own))
    assert found.agreement == float((made.argmax(1) == own.argmax(1)).double().mean())
    assert found.jsd == pytest.approx(jsd(made.double().numpy(), own.double().numpy()).mean(), rel=1e-4)
    if right.any() and own_right.any():
        assert found.error_consistency == pytest.approx(cohen_kappa_score(right, own_right), abs=1e-12)
    else:
        assert "wrong on every evaluation image" in found.reasons["error_consistency"]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3])
def test_divergence_is_scipys(scale: float) -> None:
    random = np.random.default_rng(0)
    one, other = (scale * random.normal(size=(200, 7)) for _ in range(2))
    p, q = (log_probabilities(torch.from_numpy(logits)) for logits in (one, other))
    found = divergence(p, q)
    assert found == pytest.approx(jsd(one, other), rel=1e-6, abs=1e-14)
    assert found.min() >= 0
    assert found == pytest.approx(divergence(q, p), rel=1e-12)
    on_a_gpu = divergence(*(log_softmax(torch.from_numpy(logits)) for logits in (one, other)))
    assert found == pytest.approx(on_a_gpu.numpy(), rel=1e-12)


def test_divergence_of_saturated_and_of_nearly_equal_distributions() -> None:
    large = torch.tensor([[3e38, -3e38, 0.0], [3e38, -3e38, 0.0], [0.0, 0.0, 0.0]]).double()
    other = torch.tensor([[-3e38, 3e38, 0.0], [3e38, -3e38, 1.0], [0.0, 0.0, 0.0]]).double()
    assert divergence(log_probabilities(large), log_probabilities(other)).tolist() == [1.0, 0.0, 0.0]
    logits, nudge = torch.zeros(1, 2).double(), torch.tensor([[1e-6, 0.0]]).double()
    # To second order Σ (q − p)² / p / 8 nats; a difference of two entropies would leave none of these digits.
    (found,) = divergence(log_probabilities(logits), log_probabilities(logits + nudge))
    assert found == pytest.approx((1e-6) ** 2 / 32 / math.log(2), rel=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_consistency_is_cohens_kappa(seed: int) -> None:
    random = np.random.default_rng(seed)
    right = random.random(50) < random.uniform(0.2, 0.9)
    own = np.where(random.random(50) < 0.5, right, random.random(50) < 0.6)
    found = consistency(int((right & own).sum()), int(right.sum()), int(own.sum()), 50)
    assert found == pytest.approx(cohen_kappa_score(right, own), abs=1e-14)


@pytest.mark.parametrize(
    ("right", "own", "said"),
    [
        (0, 3, "the stitched network is wrong on every"),
        (8, 3, "the stitched network is right on every"),
        (3, 0, "the end network is wrong on every"),
        (3, 8, "the end network is right on every"),
    ],
)
def test_consistency_with_somebody_who_never_errs_is_undefined(right: int, own: int, said: str) -> None:
    found = consistency(min(right, own), right, own, 8)
    assert isinstance(found, str)
    assert said in found


def test_agreement_by_hand() -> None:
    own = EndPredictions(torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 0, 2], [2, 0, 0]]), torch.tensor([0, 1, 0, 1]))
    made = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, 5], [0, 1, 0]])
    cell = ("x", "u")
    answers = PredictionSums.none([cell])
    answers.add_own(own)
    answers.add(cell, made, made.argmax(1) == torch.tensor([0, 1, 0, 1]), own)
    found = answers.functional(cell, 4, 2, "")
    assert (answers.same[cell], answers.both[cell], answers.own_right) == (2, 1, 2)
    assert found.agreement == 0.5
    assert found.error_consistency == 0.0, "both are right on half of the images, on one of two together"


@pytest.mark.parametrize("layer", ["act0", "act1", "flat"])
def test_a_stitch_that_changes_nothing_answers_as_the_end_network(layer: str) -> None:
    both = pair(NETS["a"], NETS["a"], DATA)
    found = evaluate(both, {(layer, layer): identity(both, layer)}, ALL)[layer, layer].functional
    assert found == Functional(1.0, 0.0, 1.0, {})


def test_beside_deeper_layers_it_does_too() -> None:
    """The end network's own answers come from the deepest layer, by whatever order layers are asked for in."""
    both = pair(NETS["a"], NETS["a"], DATA)
    stitches = {(layer, layer): identity(both, layer) for layer in ("act2", "act0", "act1")}
    for cell, found in evaluate(both, stitches, ALL).items():
        assert (found.functional.agreement, found.functional.error_consistency) == (1.0, 1.0), cell
        assert found.functional.jsd == pytest.approx(0, abs=1e-12)


def test_neither_batches_nor_neighbours_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair(NETS["a"], NETS["b"], DATA)
    stitches = {cell: random_stitch(both, *cell) for cell in (("act0", "act1"), ("act2", "act1"), ("flat", "act2"))}
    whole = evaluate(both, stitches, ALL)
    alone = {cell: evaluate(both, {cell: stitch}, ALL)[cell] for cell, stitch in stitches.items()}
    monkeypatch.setattr(evaluating, "BATCH", 9)
    for found in (alone, evaluate(both, stitches, ALL), evaluate(both, stitches, ALL.flip(0))):
        for cell in stitches:
            mine, theirs = whole[cell].functional, found[cell].functional
            assert (mine.agreement, mine.error_consistency) == (theirs.agreement, theirs.error_consistency)
            assert mine.jsd == pytest.approx(theirs.jsd, rel=1e-6)


def test_what_did_not_fit_into_the_memory_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tries end in the middle of a batch, after some cells were added."""
    both = pair(NETS["a"], NETS["b"], DATA)
    stitches = {cell: random_stitch(both, *cell) for cell in (("act0", "act1"), ("act2", "act2"))}
    whole = evaluate(both, stitches, ALL)
    add, tries = PredictionSums.add, [0]

    def full(self: PredictionSums, cell: Cell, logits: Tensor, *rest: Any) -> None:
        if len(logits) > 20 and cell == ("act2", "act2"):
            tries[0] += 1
            raise torch.OutOfMemoryError
        add(self, cell, logits, *rest)

    monkeypatch.setattr(PredictionSums, "add", full)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for cell, found in evaluate(both, stitches, ALL).items():
        assert found.functional.agreement == whole[cell].functional.agreement
        assert found.functional.error_consistency == whole[cell].functional.error_consistency
        assert found.functional.jsd == pytest.approx(whole[cell].functional.jsd, rel=1e-6)
    assert tries[0] > 1


class _Strange(nn.Module):
    """Infinite on images whose first pixel is bright."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x[:, :1, :1, :1] > 0.5, torch.inf, x)


def test_logits_that_are_not_finite_leave_only_their_cells_undefined() -> None:
    data = noise(size=12, train=20, test=61, seed=2)
    data.test.images[:, :, 0, 0] = 0
    data.test.images[7, :, 0, 0] = 255
    end = network(seeded(lambda: Convolutions((5, 6, 9), 4), 1), data)
    broken = network(seeded(lambda: nn.Sequential(_Strange(), *Convolutions((6, 7, 8), 4).children()), 0), data)
    both = pair(broken, end, data)
    i, j = next(point.name for point in both.front_cuts.points[1:] if len(point.shape) == 3), "act1"
    cell = evaluate(both, {(i, j): random_stitch(both, i, j)}, ALL)[i, j]
    assert cell.functional.reasons == dict.fromkeys(EMPTY, cell.reasons["accuracy"])
    assert (cell.functional.agreement, cell.functional.jsd, cell.functional.error_consistency) == (None, None, None)
    good = random_stitch(both, i, "act2")
    source, target = both.source(i), both.target(j)
    nothing = torch.full((target.channels, source.channels), torch.nan)
    bad = Stitch.of(source, target, nothing, torch.zeros(target.channels))
    few = torch.arange(7)  # all dark: the front network is sound on these
    found = evaluate(both, {(i, j): bad, (i, "act2"): good}, few)
    assert found[i, j].functional.agreement is None
    assert "map is not finite" in found[i, j].functional.reasons["jsd"]
    alone = evaluate(both, {(i, "act2"): good}, few)[i, "act2"].functional
    assert found[i, "act2"].functional.agreement == alone.agreement is not None


def test_an_end_network_whose_own_logits_are_not_finite_has_none() -> None:
    data = noise(size=12, train=20, test=61, seed=2)
    data.test.images[:, :, 0, 0] = 0
    data.test.images[7, :, 0, 0] = 255
    end = network(seeded(lambda: nn.Sequential(_Strange(), *Convolutions((6, 7, 8), 4).children()), 0), data)
    both = pair(network(seeded(lambda: Convolutions((5, 6, 9), 4), 1), data), end, data)
    j = [point.name for point in both.end_cuts.points if len(point.shape) == 3][-1]
    found = evaluate(both, {("act1", j): random_stitch(both, "act1", j)}, ALL)["act1", j]
    assert found.accuracy is not None, "its tail is sound on what the front network makes"
    assert found.functional.reasons == dict.fromkeys(EMPTY, END_LOGITS_NOT_FINITE)
    assert (
        evaluate(both, {("act1", j): random_stitch(both, "act1", j)}, torch.arange(7))["act1", j].functional.agreement
        is not None
    )
