"""Direct matching against NumPy's least squares on plain captured activations, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from handy import sure
from reference import MAP, PATCHES, TOKENS, VECTOR, Kind, Whole, aligned, distance, positions
from torch import Tensor, nn
from toys import Convolutions, Tokens, network, noise, pair, seeded

from benchmarks.plain import lstsq
from stitchlab.data.splits import BATCH
from stitchlab.models.store import LoadedNetwork
from stitchlab.stitch.direct import direct_matching, least_squares
from stitchlab.stitch.evaluate import evaluate, own_accuracy
from stitchlab.stitch.moments import with_ones
from stitchlab.stitch.pair import Pair

DATA = noise(size=12, train=60, test=40, seed=3)


def nets() -> dict[str, LoadedNetwork]:
    made: dict[str, nn.Module] = {
        "wide": seeded(lambda: Convolutions((9, 11, 13), 4), 0),
        "tied": seeded(lambda: Convolutions((7, 8, 70), 4, tie=True), 1),  # dead and doubled channels
        "class": seeded(lambda: Tokens(12, 4, 10, 4, True), 2),
        "patches": seeded(lambda: Tokens(12, 3, 6, 4, False), 3),
    }
    return {name: network(module, DATA, name) for name, module in made.items()}


NETS = nets()
# front, its layer, its kind, end, its layer, its kind, K
CELLS = [
    ("wide", "act0", MAP, "tied", "act0", MAP, 10),
    ("wide", "act2", MAP, "wide", "act0", MAP, 60),  # small map to large
    ("wide", "conv0", MAP, "tied", "act2", MAP, 7),  # large to small
    ("tied", "act0", MAP, "wide", "act1", MAP, 20),  # rank deficient: dead and doubled
    ("tied", "conv1", MAP, "wide", "act2", MAP, 20),  # doubled, and one constant
    ("tied", "act2", MAP, "wide", "act2", MAP, 3),  # fewer rows than channels
    ("tied", "flat", VECTOR, "wide", "flat", VECTOR, 30),  # N < D
    ("tied", "flat", VECTOR, "wide", "act1", MAP, 30),
    ("wide", "act0", MAP, "tied", "flat", VECTOR, 60),
    ("wide", "act1", MAP, "class", "first", TOKENS, 25),  # no class token to give
    ("class", "first", TOKENS, "wide", "act1", MAP, 25),
    ("class", "first", TOKENS, "class", "second", TOKENS, 25),
    ("class", "first", TOKENS, "patches", "second", PATCHES, 25),
    ("patches", "first", PATCHES, "class", "second", TOKENS, 25),
    ("patches", "second", PATCHES, "tied", "flat", VECTOR, 60),
    ("tied", "flat", VECTOR, "class", "second", TOKENS, 60),
]
Cell = tuple[str, str, Kind, str, str, Kind, int]


def the_pair(front: str, end: str) -> Pair:
    return pair(NETS[front], NETS[end], DATA)


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c[0]}.{c[1]}-{c[3]}.{c[4]}")
def test_least_squares_is_numpys(cell: Cell) -> None:
    front, i, kind, end, j, target, count = cell
    chosen = DATA.train.order(0)[:count]
    ours = direct_matching(the_pair(front, end), [(i, j)], chosen)[i, j]
    whole = Whole(NETS[front], NETS[end], i, j, kind, target)
    images, _ = DATA.train.take(chosen)
    weight, bias = whole.direct(images)
    np.testing.assert_allclose(ours.weight.detach(), weight, atol=1e-4 * np.abs(weight).max())
    np.testing.assert_allclose(ours.bias.detach(), bias, atol=1e-4 * max(np.abs(bias).max(), np.abs(weight).max()))
    for split in (DATA.train, DATA.test):
        _, wanted = whole.evaluate(
            split, torch.arange(len(split)), torch.tensor(weight).float(), torch.tensor(bias).float()
        )
        _, came = whole.evaluate(split, torch.arange(len(split)), ours.weight.detach(), ours.bias.detach())
        assert came == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def random_rows(seed: int, rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns)) * scale


def moments(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    design = with_ones(torch.from_numpy(x))
    return design.T @ design, design.T @ torch.from_numpy(y)


@pytest.mark.parametrize(
    ("rows", "columns", "outputs"), [(200, 30, 7), (1, 5, 3), (12, 300, 4), (31, 30, 2), (9, 1, 1)]
)
@pytest.mark.parametrize("spoil", ["nothing", "dead", "doubled", "constant", "all dead", "sums", "tiny", "shifted"])
def test_minimum_norm(rows: int, columns: int, outputs: int, spoil: str) -> None:
    x, y = random_rows(0, rows, columns), random_rows(1, rows, outputs)
    if spoil == "dead":
        x[:, 0] = 0
    elif spoil == "doubled":
        x[:, -1] = x[:, 0]
    elif spoil == "constant":
        x[:, 0] = 3.0  # shares its effect with the bias, jointly of minimum norm
    elif spoil == "all dead":
        x[:] = 0
    elif spoil == "sums":
        x[:, -1] = x[:, :-1].sum(1)
    elif spoil == "shifted":
        x += 100
    elif spoil == "tiny":
        x[:, 0] *= 1e-5  # small, but above the cut-off
    weight, bias = least_squares(*moments(x, y))
    wanted_weight, wanted_bias = lstsq(x, y)
    assert float(weight.norm()) == pytest.approx(np.linalg.norm(wanted_weight), rel=1e-4, abs=1e-8)
    np.testing.assert_allclose(weight, wanted_weight, rtol=1e-4, atol=1e-4 * (np.abs(wanted_weight).max() + 1e-3))
    np.testing.assert_allclose(bias, wanted_bias, rtol=1e-4, atol=1e-4 * (np.abs(wanted_weight).max() + 1e-3))
    ours = distance(x, y, weight.numpy(), bias.numpy())
    assert ours == pytest.approx(distance(x, y, wanted_weight, wanted_bias), rel=1e-4, abs=1e-8)


def test_directions_below_the_cut_off_are_zero() -> None:
    x, y = random_rows(0, 50, 4), random_rows(1, 50, 2)
    x[:, 0] *= 1e-9
    weight, _ = least_squares(*moments(x, y))
    assert float(weight[:, 0].abs().max()) < 1e-6


@pytest.mark.parametrize("layer", ["conv0", "conv1", "conv2"])
def test_a_layer_on_itself_is_the_identity(layer: str) -> None:
    """Convolutions without ReLU have full column rank on this many positions."""
    same = the_pair("wide", "wide")
    stitch = direct_matching(same, [(layer, layer)], DATA.train.order(0)[:60])[layer, layer]
    torch.testing.assert_close(stitch.weight.detach(), torch.eye(len(stitch.bias)), atol=1e-4, rtol=0)
    torch.testing.assert_close(stitch.bias.detach(), torch.zeros(len(stitch.bias)), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("wide", "act0"),
        ("wide", "flat"),
        ("tied", "act1"),
        ("tied", "conv0"),
        ("class", "first"),
        ("patches", "second"),
        ("tied", "fc"),
    ],
)
def test_a_layer_on_itself_is_near_and_as_accurate_as_the_network(name: str, layer: str) -> None:
    same = the_pair(name, name)
    stitch = direct_matching(same, [(layer, layer)], DATA.train.order(0)[:60])[layer, layer]
    result = evaluate(same, {(layer, layer): stitch}, torch.arange(40))[layer, layer]
    assert result.distance == pytest.approx(0, abs=1e-8)
    own = sure(own_accuracy(same, torch.arange(40)))
    assert abs(sure(result.accuracy) - own) <= 1 / 40 + 1e-9


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, chosen = [("act0", "act1"), ("act1", "flat")], DATA.train.order(0)[:33]
    whole = direct_matching(the_pair("wide", "tied"), cells, chosen)
    monkeypatch.setattr(Pair.batches, "__defaults__", (7,))
    small = direct_matching(the_pair("wide", "tied"), cells, chosen)
    assert BATCH == 500
    for cell in cells:
        torch.testing.assert_close(small[cell].weight, whole[cell].weight, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(small[cell].bias, whole[cell].bias, rtol=1e-5, atol=1e-6)


def test_other_cells_do_not_matter() -> None:
    both, chosen = the_pair("wide", "tied"), DATA.train.order(0)[:20]
    cells = [(i, j) for i in ("act0", "act1", "flat") for j in ("conv0", "act1", "act2", "flat")]
    together = direct_matching(both, cells, chosen)
    for cell in cells:
        alone = direct_matching(both, [cell], chosen)[cell]
        assert torch.equal(alone.weight, together[cell].weight)
        assert torch.equal(alone.bias, together[cell].bias)


def test_a_missing_class_token_is_not_fitted() -> None:
    """The fit sees patch tokens only: another class token of the end network changes nothing."""
    chosen = DATA.train.order(0)[:25]
    images, _ = DATA.train.take(chosen)
    whole = Whole(NETS["wide"], NETS["class"], "act1", "first", MAP, TOKENS)
    a, native = whole.activations(images)
    x = aligned(a, MAP, native, TOKENS).flatten(0, 1).double().numpy()
    on_patches = lstsq(x, native[:, 1:].flatten(0, 1).double().numpy())[0]
    ours = direct_matching(the_pair("wide", "class"), [("act1", "first")], chosen)["act1", "first"]
    np.testing.assert_allclose(ours.weight.detach(), on_patches, atol=1e-4)
    assert len(x) == 25 * 9
    assert positions(native, TOKENS).shape[1] == 10


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    direct_matching(the_pair("wide", "wide"), [("act0", "act0")], torch.arange(4))
    assert torch.equal(torch.get_rng_state(), state)
