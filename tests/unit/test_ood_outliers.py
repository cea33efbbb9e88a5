"""Known outliers: what each kind is, for images of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchlab.catalog.outliers import OUTLIERS
from stitchlab.errors import UnknownName
from stitchlab.ood.outliers import outliers

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 7, 9), (3, 2, 2), (1, 1, 1)]


def images(shape: tuple[int, ...] = (3, 12, 12), count: int = 400) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(count, 4, generator=generator) @ torch.randn(4, int(np.prod(shape)), generator=generator)
    return (128 + 20 * base).clamp(0, 255).byte().view(count, *shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", OUTLIERS)
def test_as_many_images_of_the_same_shape(kind: str, shape: tuple[int, ...]) -> None:
    given = images(shape, 9)
    before = given.clone()
    made = outliers(kind, given, 0)
    assert made.shape == given.shape
    assert made.dtype == torch.uint8
    assert torch.equal(given, before)
    assert torch.equal(made, outliers(kind, given, 0))
    assert len(outliers(kind, given[:1], 0)) == 1


@pytest.mark.parametrize("kind", [kind for kind in OUTLIERS if kind != "blur"])
def test_another_seed_draws_others(kind: str) -> None:
    assert not torch.equal(outliers(kind, images(), 0), outliers(kind, images(), 1))


def test_noise_has_the_images_mean_and_covariance() -> None:
    given = images(count=2000).double().flatten(1).numpy()
    made = outliers("noise", images(count=2000), 0).double().flatten(1).numpy()
    assert np.abs(made.mean(0) - given.mean(0)).max() < 5
    ours, theirs = np.cov(made.T), np.cov(given.T)
    assert np.linalg.norm(ours - theirs) < 0.15 * np.linalg.norm(theirs)
    assert not (made[:, None, :8] == given[None, :50, :8]).all(2).any()


def test_patches_keep_the_pixels_and_move_them() -> None:
    given = images()
    made = outliers("patches", given, 0)
    assert not torch.equal(made, given)
    for before, after in zip(given[:20], made[:20], strict=True):
        assert torch.equal(before.flatten(1).sort(1).values, after.flatten(1).sort(1).values)
    tiles = given[0].unfold(1, 3, 3).unfold(2, 3, 3).permute(1, 2, 0, 3, 4).reshape(16, -1)
    moved = made[0].unfold(1, 3, 3).unfold(2, 3, 3).permute(1, 2, 0, 3, 4).reshape(16, -1)
    assert sorted(map(tuple, tiles.tolist())) == sorted(map(tuple, moved.tolist()))


def test_blurred_mixed_and_constant_images_are_that() -> None:
    given = images((1, 16, 16))
    checks = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    checks[:, :, ::2, ::2] = 255
    assert outliers("blur", checks, 0).float().std() < 0.2 * checks.float().std()
    mixed = outliers("mixed", given, 0).float()
    nearest = [min(float((mixed[0] - (given[0].float() + other.float()) / 2).abs().max()) for other in given)]
    assert max(nearest) <= 0.51
    flat = outliers("constant", images(), 0).flatten(2)
    assert (flat.amax(2) == flat.amin(2)).all()
    assert len(flat[:, 0, 0].unique()) > 50


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UnknownName, match="noise"):
        outliers("nois", images(), 0)


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 5, 6), (2, 2, 2)], ids=str)
def test_odd_sizes_keep_their_pixels_and_what_does_not_divide(shape: tuple[int, ...]) -> None:
    given = images(shape, 50)
    made = outliers("patches", given, 0)
    assert not torch.equal(made, given)
    assert torch.equal(made.flatten(2).sort(2).values, given.flatten(2).sort(2).values)
    height, width = shape[1:]
    down, across = (side - side % max(1, side // 4) for side in (height, width))
    assert torch.equal(made[:, :, down:], given[:, :, down:])
    assert torch.equal(made[:, :, :, across:], given[:, :, :, across:])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 7, 9)], ids=str)
def test_a_blur_takes_variance_and_leaves_the_brightness(shape: tuple[int, ...]) -> None:
    given = torch.randint(0, 256, (20, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    made = outliers("blur", given, 0).float().flatten(2)
    before = given.float().flatten(2)
    assert (made.var(2) < 0.2 * before.var(2)).all()
    assert (made.mean(2) - before.mean(2)).abs().max() < 40


def test_mixed_images_vary_less_and_constant_ones_fill_the_range() -> None:
    given = images((1, 8, 8))
    mixed = outliers("mixed", given, 0).float()
    half = given.float().var(0).mean().item() / 2
    assert mixed.var(0).mean().item() == pytest.approx(half, rel=0.1), "two independent images"
    colours = outliers("constant", images((3, 4, 4), 2000), 0).float()[:, :, 0, 0]
    assert colours.mean().item() == pytest.approx(127.5, abs=4)
    assert colours.std().item() == pytest.approx(255 / 12**0.5, rel=0.05)
    assert torch.corrcoef(colours.T).fill_diagonal_(0).abs().max() < 0.1, "channels are drawn apart"


def test_kinds_do_not_share_their_random_numbers() -> None:
    state = torch.get_rng_state()
    made = [outliers(kind, images(), 0) for kind in OUTLIERS]
    assert torch.equal(torch.get_rng_state(), state), "the caller's are left alone"
    assert len({each.numpy().tobytes() for each in made}) == len(OUTLIERS)
