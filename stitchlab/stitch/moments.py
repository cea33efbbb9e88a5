"""Sum second moments of front activations [X 1] and native ones Y, row by row.

Least squares and distances to native need nothing else. The sums are float64, and one pass serves all cells. Bilinear
resizing is linear, so a front map that is smaller than the end's is never enlarged: with R the resizing,
(R X)ᵀ Y = Xᵀ (Rᵀ Y) and (R X)ᵀ (R X) = Xᵀ (RᵀR X).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.data.splits import Split
from stitchlab.request import Cell, Report
from stitchlab.results.activation_layout import Kind, Layout
from stitchlab.stitch.affine import align, as_map, complete, enlarges, lacks_class_token, rows
from stitchlab.stitch.numerics import float64_device, to_float64
from stitchlab.stitch.pair import Pair

#: Front layer, and kind, height, width and tokens of the end layer: all that aligned front activations depend on.
Alignment = tuple[str, Kind, int, int, int]
Key = TypeVar("Key")


@dataclass
class StitchMoments:
    """Hold sums over images and rows, float64.

    Attributes:
        gram: [X 1]ᵀ[X 1] (C+1, C+1) by `alignment_key`.
        cross: [X 1]ᵀY (C+1, D) by cell.
        size: ‖Y‖_F² by end layer.
    """

    gram: dict[Alignment, Tensor] = field(default_factory=dict)
    cross: dict[Cell, Tensor] = field(default_factory=dict)
    size: dict[str, Tensor] = field(default_factory=dict)


def with_ones(x: Tensor) -> Tensor:
    """Make [X 1]: append a column of ones to rows (..., C), and convert them to float64 (..., C+1), in one copy."""
    extended = torch.empty((*x.shape[:-1], x.shape[-1] + 1), dtype=torch.float64, device=float64_device(x))
    extended[..., :-1] = x
    extended[..., -1] = 1.0
    return extended


def alignment_key(front_layer: str, target: Layout) -> Alignment:
    """Return the key of aligned front activations: it is equal for all end layers that have the same positions."""
    return front_layer, target.kind, target.height, target.width, target.tokens


def moments(
    pair: Pair, cells: Sequence[Cell], split: Split, images: Tensor, report: Report, *, whole: bool = False
) -> StitchMoments:
    """Sum the moments of all cells on these images of a split.

    Args:
        pair: the networks and the device.
        cells: (front layer, end layer) each.
        split: of the pair's data.
        images: indices into the split.
        report: receives the share of the images that is done.
        whole: include all rows of the end layer; else its class token is left out where the front layer has none.
    """
    front = pair.run_front(list(dict.fromkeys(i for i, _ in cells)))
    end = pair.run_end(list(dict.fromkeys(j for _, j in cells)))
    layouts = {(i, j): (pair.source(i), pair.target(j)) for i, j in cells}
    sums = StitchMoments()
    for k, (batch, _) in enumerate(pair.batches(split, images)):
        report("second moments", k * pair.at_once() / len(images))
        _add(sums, _Batch(front(batch), end(batch), whole), layouts)
    return sums


def _add(sums: StitchMoments, batch: _Batch, layouts: dict[Cell, tuple[Layout, Layout]]) -> None:
    """Add the moments of one batch to the sums."""
    grams: dict[Alignment, Tensor] = {}
    for (i, j), (source, target) in layouts.items():
        x, weighted, y = (rows.reshape(-1, rows.shape[-1]) for rows in batch.factors(i, j, source, target))
        if (alignment := alignment_key(i, target)) not in grams:
            grams[alignment] = x.T @ weighted
        _sum(sums.cross, (i, j), x.T @ y)
    for alignment, gram in grams.items():
        _sum(sums.gram, alignment, gram)
    for j, target in {j: target for (_, j), (_, target) in layouts.items()}.items():
        flat = batch.native_rows(j, target).flatten()
        _sum(sums.size, j, flat @ flat)


@dataclass
class _Batch:
    """Hold activations of some images by layer, and a cache of their rows, which several cells share."""

    front: dict[str, Tensor]
    native: dict[str, Tensor]
    whole: bool
    cache: dict[Hashable, Tensor] = field(default_factory=dict)

    def factors(self, i: str, j: str, source: Layout, target: Layout) -> tuple[Tensor, Tensor, Tensor]:
        """Return [X 1], the factor for its own moments ([X 1] or RᵀR [X 1]), and Y or Rᵀ Y, each (..., channels)."""
        if enlarges(source, target):
            large, small = (target.height, target.width), (source.height, source.width)
            x = self._once(self._small, i, source)
            return x, self._once(self._enlarged, i, source, large), self._once(self._reduced, j, target, small)
        patches = lacks_class_token(source, target) and not self.whole
        x = self._once(self._front_rows, i, source, target)
        return x, x, self._once(self._end_rows, j, target, patches)

    def _once(self, make: Callable[..., Tensor], *arguments: Hashable) -> Tensor:
        """Call a method with these arguments the first time, and return its cached result from then on."""
        key = (make.__name__, *arguments)
        if key not in self.cache:
            self.cache[key] = make(*arguments)
        return self.cache[key]

    def native_rows(self, j: str, target: Layout) -> Tensor:
        """Return native activations in float64, channels last."""
        return self._once(self._native_rows, j, target)

    def _native_rows(self, j: str, target: Layout) -> Tensor:
        native = self.native[j]
        return to_float64(native.movedim(1, -1) if target.kind == "map" else native)

    def _small(self, i: str, source: Layout) -> Tensor:
        return with_ones(as_map(self.front[i], source).permute(0, 2, 3, 1))

    def _enlarged(self, i: str, source: Layout, large: tuple[int, int]) -> Tensor:
        x = self._once(self._small, i, source)
        return _resampled(
            x, *(matrix.T @ matrix for matrix in _resizing((source.height, source.width), large, x.device))
        )

    def _reduced(self, j: str, target: Layout, small: tuple[int, int]) -> Tensor:
        y = self.native_rows(j, target)
        return _resampled(y, *(matrix.T for matrix in _resizing(small, (target.height, target.width), y.device)))

    def _front_rows(self, i: str, source: Layout, target: Layout) -> Tensor:
        aligned = align(self.front[i], source, target)
        if self.whole and target.kind == "tokens":  # a class token that is a mean commutes with the affine map
            aligned = complete(aligned, source, target)
        return with_ones(rows(aligned))

    def _end_rows(self, j: str, target: Layout, patches: bool) -> Tensor:
        native = self.native_rows(j, target)
        return (native[:, 1:] if patches else native).flatten(0, -2)


@lru_cache(maxsize=64)
def _resizing(small: tuple[int, int], large: tuple[int, int], device: torch.device) -> list[Tensor]:
    """Return the matrices of bilinear resizing of rows and of columns: (H, h) and (W, w), float64."""
    return [
        F.interpolate(torch.eye(a, dtype=torch.float64, device=device)[None], b, mode="linear", align_corners=False)[
            0
        ].T
        for a, b in zip(small, large, strict=True)
    ]


def _resampled(maps: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Multiply maps (N, H, W, C) by (h, H) and (w, W); the result is (N, h, w, C)."""
    n, _, width, channels = maps.shape
    narrowed = (down @ maps.reshape(n, len(down.T), -1)).reshape(-1, width, channels)
    return (across @ narrowed).reshape(n, len(down), len(across), channels)


def _sum(sums: dict[Key, Tensor], key: Key, value: Tensor) -> None:
    """Add a value to the sum of this key."""
    sums[key] = sums[key] + value if key in sums else value
