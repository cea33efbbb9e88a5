"""The Fréchet ratio: against SciPy's matrix root, and what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from handy import bounds, sure, width
from scipy.linalg import sqrtm
from torch import Tensor

from stitchlab.ood.detectors.frechet import BLOCKS, RowMoments, frechet
from stitchlab.results.activation_layout import layout_of

SHAPES = [(5, 4, 4), (4, 4, 6), (10, 7), (12,), (40, 2, 2)]  # map, map-last, tokens, vector, more channels than rows


def draw(shape: tuple[int, ...], count: int = 60, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator) * (1 + torch.rand(shape, generator=generator))


def gathered(x: Tensor, batch: int = 25) -> RowMoments:
    moments = RowMoments(layout_of(tuple(x.shape[1:])), len(x))
    for part in x.split(batch):
        moments.add(part)
    return moments


def rows(x: Tensor) -> np.ndarray:
    shape = layout_of(tuple(x.shape[1:]))
    last = x.movedim(1, -1) if shape.kind == "map" else x
    return last.reshape(-1, shape.channels).double().numpy()


def plain(x: Tensor, y: Tensor) -> float:
    a, b = rows(x), rows(y)
    c, d = np.cov(a.T), np.cov(b.T)
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c + d - 2 * sqrtm(c @ d).real)
    return float(distance / np.trace(c))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_scipys(shape: tuple[int, ...]) -> None:
    x, y = draw(shape), draw(shape, seed=1) * 1.5 + 0.3
    tolerance = 1e-8 if shape[0] != 40 else 1e-5  # sqrtm of a singular matrix is the less exact one
    assert frechet(gathered(x), gathered(y), paired=True).value == pytest.approx(plain(x, y), rel=tolerance)


def test_fewer_rows_than_channels() -> None:
    x, y = draw((30,), 12), draw((30,), 12, seed=1)
    assert frechet(gathered(x), gathered(y), paired=True).value == pytest.approx(plain(x, y), rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_sets_are_at_0_and_a_translation_at_its_square(shape: tuple[int, ...]) -> None:
    x = draw(shape)
    same = frechet(gathered(x), gathered(x), paired=True)
    assert same.value == pytest.approx(0, abs=1e-6)
    moved = frechet(gathered(x), gathered(x + 2), paired=True).value
    channels = layout_of(shape).channels
    assert moved == pytest.approx(4 * channels / np.trace(np.cov(rows(x).T)), rel=1e-5)


def test_a_rotation_of_both_and_a_scale_of_both_change_nothing() -> None:
    x, y = draw((6,), 80), draw((6,), 80, seed=1) + 1
    rotation = torch.linalg.qr(draw((6,), 6, seed=2)).Q
    value = frechet(gathered(x), gathered(y), paired=True).value
    assert frechet(gathered(3 * x @ rotation), gathered(3 * y @ rotation), paired=True).value == pytest.approx(
        value, rel=1e-4
    )


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_batches_do_not_matter(batch: int) -> None:
    x, y = draw((3, 2, 2)), draw((3, 2, 2), seed=1)
    value = frechet(gathered(x), gathered(y), paired=True).value
    assert frechet(gathered(x, batch), gathered(y, batch), paired=True).value == pytest.approx(value, rel=1e-9)


def test_blocks_hold_all_rows_once() -> None:
    x = draw((3, 2, 2), 130)
    moments = gathered(x, 60)
    mean, covariance = moments.mean_and_covariance(None)
    assert moments.blocks == 130 // 4
    assert np.allclose(mean, rows(x).mean(0))
    assert np.allclose(covariance, np.cov(rows(x).T))
    assert gathered(draw((2,), 1000)).blocks == BLOCKS


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_holds_the_value(paired: bool) -> None:
    x, y = draw((4, 3, 3), 200), draw((4, 3, 3), 200, seed=1) + 0.5
    found = frechet(gathered(x), gathered(y), paired=paired)
    low, value, high = bounds(found)
    assert 0 <= low < value < high
    assert frechet(gathered(x), gathered(y), paired=paired) == found


def test_the_interval_is_as_wide_as_the_value_varies() -> None:
    values, widths = [], []
    for seed in range(30):
        x, y = draw((4,), 200, 3 * seed), draw((4,), 200, 3 * seed + 1) + 1
        found = frechet(gathered(x), gathered(y), paired=False)
        values.append(sure(found.value))
        widths.append(width(found))
    assert np.mean(widths) == pytest.approx(4 * np.std(values), rel=0.5)


def test_few_images_have_no_interval() -> None:
    found = frechet(gathered(draw((2,), 20)), gathered(draw((2,), 20, 1)), paired=True)
    assert found.value is not None
    assert found.low is None
    many = gathered(draw((2,), 200))
    assert frechet(many, gathered(draw((2,), 200, 1)), paired=True, bounds=False).low is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_undefined_is_empty(bad: float) -> None:
    x = draw((3,))
    broken = x.clone()
    broken[4, 1] = bad
    assert frechet(gathered(x), gathered(broken), paired=True).value is None
    assert frechet(gathered(torch.ones(60, 3)), gathered(x), paired=True).value is None


def test_a_scale_has_the_closed_form() -> None:
    x = draw((4, 3, 3))
    x = x - x.mean((0, 2, 3), keepdim=True)
    for scale in (0.0, 0.5, 3.0):  # 0: the other set is constant
        found = frechet(gathered(x), gathered(scale * x), paired=True)
        assert found.value == pytest.approx((scale - 1) ** 2, rel=1e-5)


def test_covariances_without_a_common_axis() -> None:
    x, y = torch.zeros(80, 4, dtype=torch.float64), torch.zeros(80, 4, dtype=torch.float64)
    x[:, :2], y[:, 2:] = draw((2,), 80).double(), draw((2,), 80, seed=1).double()
    spread = [np.trace(np.cov(each.numpy().T)) for each in (x, y)]
    expected = (float((x.mean(0) - y.mean(0)).square().sum()) + sum(spread)) / spread[0]
    assert frechet(gathered(x), gathered(y), paired=False).value == pytest.approx(expected, rel=1e-6)


def test_far_from_zero_it_is_as_exact() -> None:
    x, y = draw((5,), 200).double(), draw((5,), 200, seed=1).double() * 1.2
    near = frechet(gathered(x), gathered(y), paired=True).value
    assert frechet(gathered(x + 1e4), gathered(y + 1e4), paired=True).value == pytest.approx(near, rel=1e-4)


def test_pairs_that_vary_together_have_narrower_intervals() -> None:
    x = 3 * draw((4,), 400)
    y = x + 1 + 0.05 * draw((4,), 400, seed=1)
    together, alone = (frechet(gathered(x), gathered(y), paired=paired) for paired in (True, False))
    assert together.value == alone.value
    assert width(together) < 0.7 * width(alone)


def test_sets_may_have_different_sizes() -> None:
    x, y = draw((3, 2, 2), 200), draw((3, 2, 2), 70, seed=1) + 1
    found = frechet(gathered(x), gathered(y), paired=False)
    assert found.value == pytest.approx(plain(x, y), rel=1e-8)
    low, value, high = bounds(found)
    assert low < value < high


@pytest.mark.parametrize("batch", [1, 7, 130, 200])
def test_batches_do_not_move_images_to_other_blocks(batch: int) -> None:
    x, y = draw((3, 2, 2), 200), draw((3, 2, 2), 200, seed=1) + 1
    for paired in (True, False):
        expected = frechet(gathered(x), gathered(y), paired=paired)
        assert width(expected) > 0
        assert frechet(gathered(x, batch), gathered(y), paired=paired) == pytest.approx(expected, rel=1e-9)
