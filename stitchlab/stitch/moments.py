"""Sums second moments of front activations [X 1] and native ones Y by rows: all that least squares and distances need.

They are summed in float64, in one pass for all cells. Bilinear resizing is linear, so where the front's map is the
smaller one it is never enlarged: with R the resizing, (R X)ᵀ Y = Xᵀ (Rᵀ Y) and (R X)ᵀ (R X) = Xᵀ (RᵀR X).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.data.splits import Split
from stitchlab.request import Cell, Report
from stitchlab.results.activation_layout import Layout
from stitchlab.stitch.affine import align, complete, grid, grows, lacks_class_token, rows
from stitchlab.stitch.numerics import exact, precise
from stitchlab.stitch.pair import Pair


@dataclass
class StitchMoments:
    """Holds sums over images and rows, float64.

    ``gram``: [X 1]ᵀ[X 1] (C+1, C+1) by `place`; ``cross``: [X 1]ᵀY (C+1, D) by cell; ``size``: ‖Y‖_F² by end layer.
    """

    gram: dict[object, Tensor] = field(default_factory=dict)
    cross: dict[Cell, Tensor] = field(default_factory=dict)
    size: dict[str, Tensor] = field(default_factory=dict)


def with_ones(x: Tensor) -> Tensor:
    """Make [X 1]: rows (..., C) with a column of ones behind, (..., C+1), float64, in one copy."""
    made = torch.empty((*x.shape[:-1], x.shape[-1] + 1), dtype=torch.float64, device=precise(x))
    made[..., :-1] = x
    made[..., -1] = 1.0
    return made


def alignment_key(front_layer: str, target: Layout) -> object:
    """Name what aligned front activations depend on: it is equal for end layers that share positions."""
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
        report: told the share of the images that are done.
        whole: all rows of the end layer count; else without the class token where the front cannot give one.
    """
    front = pair.run_front(list(dict.fromkeys(i for i, _ in cells)))
    end = pair.run_end(list(dict.fromkeys(j for _, j in cells)))
    forms = {(i, j): (pair.source(i), pair.target(j)) for i, j in cells}
    sums = StitchMoments()
    for k, (batch, _) in enumerate(pair.batches(split, images)):
        report("second moments", k * pair.at_once() / len(images))
        _add(sums, _Batch(front(batch), end(batch), whole), forms)
    return sums


def _add(sums: StitchMoments, batch: _Batch, forms: dict[Cell, tuple[Layout, Layout]]) -> None:
    grams: dict[object, Tensor] = {}
    for (i, j), (source, target) in forms.items():
        x, weighted, y = (side.reshape(-1, side.shape[-1]) for side in batch.sides(i, j, source, target))
        if (where := alignment_key(i, target)) not in grams:
            grams[where] = x.T @ weighted
        _sum(sums.cross, (i, j), x.T @ y)
    for where, gram in grams.items():
        _sum(sums.gram, where, gram)
    for j, target in {j: target for (_, j), (_, target) in forms.items()}.items():
        flat = batch.wide(j, target).flatten()
        _sum(sums.size, j, flat @ flat)


@dataclass
class _Batch:
    """Holds activations of some images, and their rows: what several cells share is made once."""

    ours: dict[str, Tensor]
    native: dict[str, Tensor]
    whole: bool
    known: dict[Any, Tensor] = field(default_factory=dict)

    def sides(self, i: str, j: str, source: Layout, target: Layout) -> tuple[Tensor, Tensor, Tensor]:
        """Give [X 1], what it is multiplied with for its own moments, and Y, each (..., channels)."""
        if grows(source, target):
            large, small = (target.height, target.width), (source.height, source.width)
            x = self._once(self._small, i, source)
            return x, self._once(self._enlarged, i, source, large), self._once(self._reduced, j, target, small)
        patches = lacks_class_token(source, target) and not self.whole
        x = self._once(self._front_rows, i, source, target)
        return x, x, self._once(self._end_rows, j, target, patches)

    def _once(self, make: Callable[..., Tensor], *of: Any) -> Tensor:
        key = (make.__name__, *of)
        if key not in self.known:
            self.known[key] = make(*of)
        return self.known[key]

    def wide(self, j: str, target: Layout) -> Tensor:
        """Give native activations in float64, channels last."""
        return self._once(self._wide, j, target)

    def _wide(self, j: str, target: Layout) -> Tensor:
        native = self.native[j]
        return exact(native.movedim(1, -1) if target.kind == "map" else native)

    def _small(self, i: str, source: Layout) -> Tensor:
        return with_ones(grid(self.ours[i], source).permute(0, 2, 3, 1))

    def _enlarged(self, i: str, source: Layout, large: tuple[int, int]) -> Tensor:
        x = self._once(self._small, i, source)
        return _resampled(x, *(side.T @ side for side in _resizing((source.height, source.width), large, x.device)))

    def _reduced(self, j: str, target: Layout, small: tuple[int, int]) -> Tensor:
        y = self.wide(j, target)
        return _resampled(y, *(side.T for side in _resizing(small, (target.height, target.width), y.device)))

    def _front_rows(self, i: str, source: Layout, target: Layout) -> Tensor:
        aligned = align(self.ours[i], source, target)
        if self.whole and target.kind == "tokens":  # the class token, a mean, is as linear as the rest
            aligned = complete(aligned, source, target)
        return with_ones(rows(aligned))

    def _end_rows(self, j: str, target: Layout, patches: bool) -> Tensor:
        wide = self.wide(j, target)
        return (wide[:, 1:] if patches else wide).flatten(0, -2)


@lru_cache(maxsize=64)
def _resizing(small: tuple[int, int], large: tuple[int, int], device: torch.device) -> list[Tensor]:
    """Give the matrices of bilinear resizing of rows and of columns: (H, h) and (W, w), float64."""
    return [
        F.interpolate(torch.eye(a, dtype=torch.float64, device=device)[None], b, mode="linear", align_corners=False)[
            0
        ].T
        for a, b in zip(small, large, strict=True)
    ]


def _resampled(maps: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Multiply maps (N, H, W, C) by (h, H) and (w, W) to (N, h, w, C)."""
    n, _, width, channels = maps.shape
    made = (down @ maps.reshape(n, len(down.T), -1)).reshape(-1, width, channels)
    return (across @ made).reshape(n, len(down), len(across), channels)


def _sum(sums: dict[Any, Tensor], key: Any, value: Tensor) -> None:
    sums[key] = sums[key] + value if key in sums else value
