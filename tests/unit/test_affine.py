"""The stitch: what it does between every two kinds of activations, against plain loops that follow the definition."""

from __future__ import annotations

from math import prod

import pytest
import torch
from reference import LAST, MAP, PATCHES, TOKENS, VECTOR, Kind, stitched
from torch import Tensor

from stitchlab.errors import StitchLabError
from stitchlab.results.activation_layout import layout_of
from stitchlab.stitch.affine import Stitch, align

FRONTS: list[tuple[Kind, tuple[int, ...]]] = [
    (MAP, (5, 7, 7)),
    (MAP, (5, 4, 4)),
    (MAP, (5, 1, 1)),
    (MAP, (5, 3, 6)),
    (LAST, (6, 6, 5)),
    (PATCHES, (16, 5)),
    (PATCHES, (36, 5)),
    (TOKENS, (17, 5)),
    (TOKENS, (10, 5)),
    (TOKENS, (5, 5)),
    (VECTOR, (5,)),
]
ENDS: list[tuple[Kind, tuple[int, ...]]] = [
    (MAP, (3, 4, 4)),
    (MAP, (3, 9, 9)),
    (MAP, (3, 1, 1)),
    (MAP, (3, 2, 5)),
    (LAST, (4, 4, 3)),
    (PATCHES, (16, 3)),
    (TOKENS, (17, 3)),
    (TOKENS, (26, 3)),
    (VECTOR, (3,)),
]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("target", "end"), ENDS)
@pytest.mark.parametrize(("source", "front"), FRONTS)
def test_every_ordered_pair_of_kinds(source: Kind, front: tuple[int, ...], target: Kind, end: tuple[int, ...]) -> None:
    weight, bias, x = randn(3, 5, seed=1), randn(3, seed=2), randn(2, *front)
    made = Stitch.of(layout_of(front), layout_of(end), weight, bias)(x)
    wanted = stitched(x, source, torch.zeros(2, *end), target, weight, bias)
    assert made.shape == (2, *end)
    torch.testing.assert_close(made, wanted)


@pytest.mark.parametrize(
    ("shape", "kind", "class_token", "size"),
    [
        ((5, 7, 7), "map", False, (7, 7)),
        ((7, 7, 5), "map-last", False, (7, 7)),
        ((4, 4, 4), "map", False, (4, 4)),
        ((96, 1, 1), "map", False, (1, 1)),
        ((1, 1, 96), "map-last", False, (1, 1)),
        ((5,), "vector", False, (1, 1)),
        ((16, 5), "tokens", False, (4, 4)),
        ((17, 5), "tokens", True, (4, 4)),
        ((2, 5), "tokens", True, (1, 1)),
        ((1, 5), "tokens", False, (1, 1)),
        ((15, 5), "tokens", False, (0, 0)),
    ],
)
def test_forms(shape: tuple[int, ...], kind: str, class_token: bool, size: tuple[int, int]) -> None:
    made = layout_of(shape)
    channels = {"map": 0, "map-last": 2, "vector": 0, "tokens": 1}[kind]
    assert (made.kind, made.class_token, (made.height, made.width)) == (kind, class_token, size)
    assert made.channels == shape[channels]


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(StitchLabError, match="neither a map, tokens nor a vector"):
        layout_of((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("front", "end"),
    [
        ((15, 5), (3, 4, 4)),
        ((15, 5), (16, 3)),
        ((15, 5), (4, 4, 3)),
        ((5, 4, 4), (15, 3)),
        ((5,), (15, 3)),
        ((16, 5), (15, 3)),
    ],
)
def test_tokens_that_are_no_square_are_refused_in_one_line(front: tuple[int, ...], end: tuple[int, ...]) -> None:
    with pytest.raises(StitchLabError, match="15 tokens do not form a square map") as raised:
        Stitch(layout_of(front), layout_of(end))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("end", [(15, 3), (3,)])
def test_tokens_that_are_no_square_go_to_as_many_and_into_vectors(end: tuple[int, ...]) -> None:
    weight, bias, x = randn(3, 5), randn(3), randn(2, 15, 5)
    made = Stitch.of(layout_of((15, 5)), layout_of(end), weight, bias)(x)
    mapped = x @ weight.T + bias
    torch.testing.assert_close(made, mapped if len(end) == 2 else mapped.mean(1))


def test_a_class_token_that_only_the_end_wants_is_the_mean_of_the_mapped_tokens() -> None:
    made = Stitch(layout_of((5, 4, 4)), layout_of((17, 3)), torch.Generator().manual_seed(0))(randn(2, 5, 4, 4))
    torch.testing.assert_close(made[:, 0], made[:, 1:].mean(1))


def test_a_class_token_goes_to_the_class_token_and_never_into_a_map() -> None:
    x, changed = randn(2, 10, 5), randn(2, 10, 5)
    changed[:, 0] = 7
    to_tokens = Stitch(layout_of((10, 5)), layout_of((17, 3)), torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_tokens(changed)[:, 0], changed[:, 0] @ to_tokens.weight.T + to_tokens.bias)
    x[:, 1:] = changed[:, 1:]
    for end in ((3, 4, 4), (9, 3)):
        to_map = Stitch(layout_of((10, 5)), layout_of(end), torch.Generator().manual_seed(0))
        assert torch.equal(to_map(x), to_map(changed))


@pytest.mark.parametrize(("front", "end"), [((16, 4, 4), (300, 4, 4)), ((17, 16), (17, 300)), ((16,), (300,))])
def test_initialisation_is_pytorchs_default(front: tuple[int, ...], end: tuple[int, ...]) -> None:
    made = Stitch(layout_of(front), layout_of(end), torch.Generator().manual_seed(1))
    plain = torch.nn.Linear(16, 300)
    for ours, theirs in ((made.weight.detach(), plain.weight), (made.bias.detach(), plain.bias)):
        assert ours.shape == theirs.shape
        assert 0.9 / 4 < float(ours.abs().max()) <= 1 / 4  # U(−1/√16, 1/√16), as of a layer of 16 inputs
        assert abs(float(ours.mean())) < 0.03
        assert abs(float(ours.std()) - 0.25 / 3**0.5) < 0.02


def test_initialisation_hangs_on_its_generator_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, other, third = (Stitch(layout_of((5,)), layout_of((3,)), torch.Generator().manual_seed(s)) for s in (4, 4, 5))
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)
    assert not torch.equal(one.weight, third.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_resizing_neither_aligns_corners_nor_smooths() -> None:
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    made = align(ramp, layout_of((1, 8, 8)), layout_of((1, 2, 2)))
    torch.testing.assert_close(made[0, 0, 0], torch.tensor([1.5, 5.5]))  # two neighbours each, at 1.5 and 5.5
    impulse = torch.zeros(1, 1, 8, 8)
    impulse[0, 0, 0, 0] = 1.0
    assert align(impulse, layout_of((1, 8, 8)), layout_of((1, 2, 2))).abs().sum() == 0


def test_equal_sizes_are_left_as_they_are() -> None:
    for shape in ((5, 4, 4), (17, 5), (5,)):
        x = randn(2, *shape)
        assert torch.equal(align(x, layout_of(shape), layout_of(shape)), x)
        identity = Stitch.of(layout_of(shape), layout_of(shape), torch.eye(5), torch.zeros(5))
        torch.testing.assert_close(identity(x), x)
        assert prod(identity(x).shape[1:]) == prod(shape)
