"""Compute the Fréchet distance of two sets of activations, divided by the native variance: it does not saturate.

The distance is that of Dowson & Landau 1982; with other features and without the denominator it is the FID of Heusel et
al. 2017. Rows are positions, as in direct matching. Moments are kept for blocks of images, so that the bootstrap can
draw blocks again, and activations need not be held.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.ood.inputs import positions
from stitchlab.ood.metrics import interval
from stitchlab.results.activation_layout import Layout
from stitchlab.results.interval import Interval
from stitchlab.stitch.numerics import to_float64

BLOCKS = 50  # of images at most; fewer where MAX_PRODUCT_NUMBERS demands it, but at least MIN_BLOCKS
MIN_BLOCKS = 12  # that an interval takes
REPLICATES = 100  # of the bootstrap at most; fewer where MAX_ROOT_NUMBERS demands it, but at least MIN_REPLICATES
MIN_REPLICATES = 20
MAX_PRODUCT_NUMBERS = 2**22  # in the products of all blocks of one set
MAX_ROOT_NUMBERS = 2**25  # in the covariance roots of all native replicates


def frechet(native: RowMoments, other: RowMoments, *, paired: bool, bounds: bool = True) -> Interval:
    """Compute (‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁ C₂)^½)) / tr(C₁), C₁ and μ₁ native, with its 95 % bootstrap interval.

    Args:
        native, other: moments of rows (positions), covariances with N − 1.
        paired: whether both come from the same images, so that they are drawn together.
        bounds: whether the interval is wanted.

    Returns:
        ratio 0..∞; 0 where both have equal moments; None where native rows are constant or anything is infinite.

    >>> from stitchlab.results.activation_layout import layout_of
    >>> x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    >>> native, other = RowMoments(layout_of((3,)), 64), RowMoments(layout_of((3,)), 64)
    >>> native.add(x), other.add(x + 1)
    (None, None)
    >>> round(frechet(native, other, paired=True).value * float(torch.cov(x.T).trace()), 4)
    3.0
    """
    if not (native.finite and other.finite):
        return Interval()
    root, mean, variance = native.all_blocks
    if not variance > 0:
        return Interval()
    value = _ratio(root, mean, variance, *other.mean_and_covariance(None))
    replicates: list[float] = []
    if bounds and min(native.blocks, other.blocks) >= MIN_BLOCKS:
        draws = _draws(other.blocks, len(native.replicates), 0 if paired else 1)
        for native_replicate, weights in zip(native.replicates, draws, strict=True):
            replicates.append(_ratio(*native_replicate, *other.mean_and_covariance(weights)))
    # Drawing again adds noise to both sets, and so to their distance: the interval is moved back around the value.
    ratios = np.array(replicates)
    return interval(value, np.maximum(0.0, ratios - ratios.mean() + value) if len(ratios) else ratios)


class RowMoments:
    """Sum counts, values and products of rows for blocks of images.

    Args:
        layout: of the activations.
        images: how many will come; with 0 there is one block, and so no interval.
    """

    def __init__(self, layout: Layout, images: int) -> None:
        self.layout = layout
        max_blocks = max(MIN_BLOCKS, min(BLOCKS, MAX_PRODUCT_NUMBERS // layout.channels**2))
        self.blocks = max(1, min(max_blocks, images // 4))
        c = layout.channels
        self._seen = 0
        self._counts = torch.zeros(self.blocks, dtype=torch.float64)
        self._sums = torch.zeros(self.blocks, c, dtype=torch.float64)
        self._products = torch.zeros(self.blocks, c, c, dtype=torch.float64)

    def add(self, activation: Tensor) -> None:
        """Add one batch of activations (n, ...). Image k goes to block k modulo the number of blocks."""
        x = to_float64(positions(activation, self.layout))
        before, images = self._seen % self.blocks, self._seen + torch.arange(len(x))
        self._counts += x.shape[1] * torch.bincount(images % self.blocks, minlength=self.blocks)
        self._seen += len(x)
        x = F.pad(x, (0, 0, 0, 0, before, -(before + len(x)) % self.blocks))  # images of zeros change no sum
        x = x.unflatten(0, (-1, self.blocks)).transpose(0, 1).flatten(1, 2)  # (blocks, rows, C)
        self._sums += x.sum(1).cpu()
        self._products += (x.mT @ x).cpu()

    @property
    def finite(self) -> bool:
        """Tell whether there are two rows or more, and none was infinite or not a number."""
        return bool(self._counts.sum() > 1 and self._sums.isfinite().all() and self._products.isfinite().all())

    def mean_and_covariance(self, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute mean (C,) and covariance (C, C), N − 1, of rows; each block counts ``weights`` times; None: once."""
        w = torch.ones(self.blocks, dtype=torch.float64) if weights is None else weights
        count = w @ self._counts
        mean = w @ self._sums / count
        products = torch.tensordot(w, self._products, 1)
        return mean, (products - count * torch.outer(mean, mean)) / (count - 1)

    @cached_property
    def all_blocks(self) -> tuple[Tensor, Tensor, float]:
        """Compute the root of the covariance (C, C), the mean (C,), and the trace of the covariance."""
        return _rooted(*self.mean_and_covariance(None))

    @cached_property
    def replicates(self) -> list[tuple[Tensor, Tensor, float]]:
        """Compute the same for blocks drawn again; every stitched set is compared with these replicates."""
        count = max(MIN_REPLICATES, min(REPLICATES, MAX_ROOT_NUMBERS // self.layout.channels**2))
        return [_rooted(*self.mean_and_covariance(weights)) for weights in _draws(self.blocks, count, 0)]


def _rooted(mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor, float]:
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root, mean, float(covariance.trace())


def _ratio(root: Tensor, mean: Tensor, variance: float, other_mean: Tensor, covariance: Tensor) -> float:
    # tr (C₁ C₂)^½ is the sum of the roots of the eigenvalues of C₁^½ C₂ C₁^½, which is symmetric.
    root_trace = torch.linalg.eigvalsh(root @ covariance @ root).clamp_min(0).sqrt().sum()
    distance = (mean - other_mean).square().sum() + variance + covariance.trace() - 2 * root_trace
    return max(0.0, float(distance)) / variance if variance else np.nan


def _draws(blocks: int, replicates: int, stream: int) -> Tensor:
    """Draw how often each block counts: (replicates, blocks), always the same for the same arguments."""
    random = np.random.default_rng([blocks, stream])
    return torch.from_numpy(random.multinomial(blocks, np.full(blocks, 1 / blocks), replicates).astype(np.float64))
