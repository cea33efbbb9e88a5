"""Sum second moments of centred rows of two layers, in batches; indices of channels need nothing else.

A row is the average of an image over positions, or one position of an image: then the front is brought to the end's
positions as for direct matching (`stitchlab.stitch.affine.align`). The size of no matrix grows with the number of
images, unless averages are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from stitchlab.catalog.indices import Needs
from stitchlab.errors import StitchLabError
from stitchlab.indices import Side, Value
from stitchlab.indices.grams import MIN_VARIANCE_RATIO
from stitchlab.request import Cell
from stitchlab.results.activation_layout import Layout, check, layout_of
from stitchlab.stitch.affine import align, lacks_class_token
from stitchlab.stitch.affine import rows as position_rows
from stitchlab.stitch.moments import with_ones
from stitchlab.stitch.numerics import to_float64

CUTOFF = 1e-6  # directions whose singular value is a smaller share of the largest are dropped

Shape = tuple[int, ...]  # of one image's activations
Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Rows:
    """Describe one layer's centred rows X (count, C) by their second moment XᵀX (C, C), float64.

    ``noise`` bounds the rounding noise in the moment where rows are far from 0: directions with less variance are
    dropped.
    """

    moment: Tensor
    count: int
    noise: float = 0.0

    @cached_property
    def directions(self) -> tuple[Tensor, Tensor]:
        """Compute singular values (r,), ascending, and right singular vectors (C, r) of X, with r its rank."""
        values, vectors = torch.linalg.eigh(self.moment)
        nonzero = values > (CUTOFF**2 * values[-1]).clamp(min=self.noise)
        return values[nonzero].sqrt(), vectors[:, nonzero]


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Hold the second moments of centred rows X of the front and Y of the end, and XᵀY (C, D), float64."""

    x: Rows
    y: Rows
    xy: Tensor

    @cached_property
    def cosines(self) -> Tensor:
        """Compute U_xᵀ U_y (r, s) of left singular vectors, whose singular values are the canonical correlations."""
        (sx, vx), (sy, vy) = self.x.directions, self.y.directions
        return (vx.T @ self.xy @ vy) / sx[:, None] / sy

    def too_few(self, front: int | None = None, end: int | None = None) -> str:
        """Say why canonical correlations are undefined; empty where they are defined.

        Args:
            front, end: numbers of directions that are compared; default is all directions of each layer.
        """
        front = len(self.x.directions[0]) if front is None else front
        end = len(self.y.directions[0]) if end is None else end
        if not front or not end:
            return "the rows of one layer are constant"
        if self.x.count - 1 < front + end:
            return (
                f"{self.x.count} rows are too few for {front} directions of the front and {end} of the end: "
                "two such sets of any rows correlate perfectly somewhere"
            )
        return ""


#: Computes an index from two layers' second moments, or says why it is undefined.
ChannelIndex = Callable[[SecondMoments], Value]


class _Positions(NamedTuple):
    """Describe rows that are the positions of an end layer, with its class token or without it."""

    target: Layout
    without_class_token: bool


_LayerKey = tuple[Side, str, _Positions | None]  # side, layer, and its rows; None: averages over positions


class Sums:
    """Sum [X 1]ᵀ[X 1], [X 1]ᵀ[Y 1] and [Y 1]ᵀ[Y 1] of cells over batches.

    Args:
        rows: what a row is: averages, positions, or the paper's rule (`stitchlab.catalog.indices.ROWS`).
        shapes: of one image's activations at the front layer and at the end layer, by cell.
        keep: also keep averages (N, C), which a null permutes (`stitchlab.indices.null`), and of which half samples
            are drawn (`stitchlab.indices.halves`).
    """

    def __init__(self, rows: Needs, shapes: Mapping[Cell, tuple[Shape, Shape]], keep: bool = False) -> None:
        self._undefined: dict[Cell, str] = {}
        self._layouts: dict[Cell, tuple[Layout, Layout]] = {}
        self._positions: dict[Cell, _Positions | None] = {}
        self._cross: dict[Cell, Tensor] = {}
        self._grams: dict[_LayerKey, Tensor] = {}
        self._keep = keep and rows == "averages"
        self._averages: dict[tuple[Side, str], list[Tensor]] = {}
        self._rows: dict[_LayerKey, Rows] = {}
        for cell, (front_shape, end_shape) in shapes.items():
            try:
                self._layouts[cell] = source, target = layout_of(front_shape), layout_of(end_shape)
                self._positions[cell] = _positions(rows, source, target)
            except StitchLabError as error:
                self._undefined[cell] = str(error)

    def __repr__(self) -> str:
        return f"Sums({len(self._positions)} cells, {len(self._undefined)} undefined)"

    @property
    def cells(self) -> list[Cell]:
        """List the cells whose rows are defined."""
        return list(self._positions)

    def add(self, x: dict[str, Tensor], y: dict[str, Tensor]) -> None:
        """Add one batch: activations (n, ...) of the front layers x and of the end layers y."""
        for positions in dict.fromkeys(self._positions.values()):  # one after another: all rows would fill the memory
            cells = [cell for cell, cell_positions in self._positions.items() if cell_positions == positions]
            native = {
                j: _rows(y[j], self._layouts[i, j][1], None if positions is None else positions.without_class_token)
                for i, j in {j: (i, j) for i, j in cells}.values()
            }
            for j, end_rows in native.items():
                self._add_layer(("end", j, positions), end_rows)
            for i in dict.fromkeys(i for i, _ in cells):
                end_layers = [j for front, j in cells if front == i]
                front_rows = _aligned(x[i], self._layouts[i, end_layers[0]][0], positions)
                self._add_layer(("front", i, positions), front_rows)
                for j in end_layers:
                    _add(self._cross, (i, j), front_rows.T @ native[j])

    def _add_layer(self, key: _LayerKey, rows: Tensor) -> None:
        _add(self._grams, key, rows.T @ rows)
        if self._keep:
            side, layer, _ = key
            self._averages.setdefault((side, layer), []).append(rows[:, :-1])

    def moments(self, cell: Cell) -> SecondMoments | str:
        """Return the moments of a cell's centred rows, NaN where activations are not finite; or why it has none."""
        if cell in self._undefined:
            return self._undefined[cell]
        front: _LayerKey = ("front", cell[0], self._positions[cell])
        end: _LayerKey = ("end", cell[1], self._positions[cell])
        return SecondMoments(
            self._layer(front),
            self._layer(end),
            _centred(self._cross[cell], _varies(self._grams[front]), _varies(self._grams[end])),
        )

    def _layer(self, key: _LayerKey) -> Rows:
        """Return one layer's rows: the same object for all its cells, so that they are factorised once."""
        if key not in self._rows:
            raw = self._grams[key]
            noise = 4 * torch.finfo(raw.dtype).eps * float(raw.diagonal()[:-1].sum())
            self._rows[key] = Rows(_centred(raw, _varies(raw), _varies(raw)), round(float(raw[-1, -1])), noise)
        return self._rows[key]

    def averages(self, side: Side, layer: str) -> Tensor:
        """Return the averages (N, C) of a layer, not centred; requires ``keep``."""
        return torch.cat(self._averages[side, layer])

    def centred_averages(self, side: Side, layer: str) -> Tensor:
        """Return the averages (N, C) of a layer, centred, with 0 for constant channels; requires ``keep``."""
        rows = self.averages(side, layer)
        return (rows - rows.mean(0)) * _varies(self._grams[side, layer, None])


def _add(sums: dict[Key, Tensor], key: Key, value: Tensor) -> None:
    sums[key] = sums[key] + value if key in sums else value


def _positions(rows: Needs, source: Layout, target: Layout) -> _Positions | None:
    """Return the positions that are the rows of a cell; None: averages. Raises StitchLabError: no stitch is defined."""
    if rows == "averages" or (rows == "paper" and not _same_shape(source, target)):
        return None
    check(source, target)
    return _Positions(replace(target, channels=0), lacks_class_token(source, target))


def _same_shape(source: Layout, target: Layout) -> bool:
    """Tell whether two layers have equal (C, H, W), or equally many tokens."""
    if source.kind == target.kind == "tokens":
        return source.tokens == target.tokens
    both_maps = source.kind.startswith("map") and target.kind.startswith("map")
    return both_maps and replace(source, kind="map") == replace(target, kind="map")


def _aligned(x: Tensor, source: Layout, positions: _Positions | None) -> Tensor:
    """Make rows [X 1] (n, C+1) of the front's activations."""
    if positions is None:
        return _rows(x, source, None)
    rows = with_ones(position_rows(align(x, source, positions.target)))
    # Resizing may skip pixels. A layer that is not finite anywhere must be undefined in every cell: this spreads NaN.
    rows[:, :-1] += 0 * (to_float64(x.amax()) + to_float64(x.amin()))
    return rows


def _rows(x: Tensor, layout: Layout, without_class_token: bool | None) -> Tensor:
    """Make rows [X 1]: positions, with the class token or without it; None: averages over positions."""
    channels_last = (x.movedim(1, -1) if layout.kind == "map" else x).reshape(len(x), -1, layout.channels)
    if without_class_token is None:
        return with_ones(to_float64(channels_last).mean(1))
    return with_ones(channels_last[:, int(without_class_token) :].flatten(0, 1))


def _centred(raw: Tensor, x_varies: Tensor, y_varies: Tensor) -> Tensor:
    """Turn [X 1]ᵀ[Y 1] (C+1, D+1) into XᵀY (C, D) of centred rows, with 0 for constant channels.

    The last row and column of [X 1]ᵀ[Y 1] are sums of rows; its last entry is their number.
    """
    return (raw[:-1, :-1] - raw[:-1, -1:] * raw[-1:, :-1] / raw[-1, -1]) * x_varies[:, None] * y_varies


def _varies(raw: Tensor) -> Tensor:
    """Return 1 for channels that vary, and 0 for constant ones (C,)."""
    square = raw.diagonal()[:-1]
    return (square - raw[-1, :-1].square() / raw[-1, -1] > MIN_VARIANCE_RATIO * square).double()
