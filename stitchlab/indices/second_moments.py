"""Sums second moments of centred rows of two layers in batches: all that indices of channels are computed from.

Rows are averages over positions, or positions: then the front is brought to the end's positions as for direct matching
(`stitchlab.stitch.affine.align`). No matrix has a side as long as there are images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stitchlab.catalog.indices import Needs
from stitchlab.errors import StitchLabError
from stitchlab.indices.grams import CONSTANT
from stitchlab.request import Cell
from stitchlab.results.activation_layout import Layout, check, layout_of
from stitchlab.stitch.affine import align, lacks_class_token
from stitchlab.stitch.affine import rows as positions
from stitchlab.stitch.moments import with_ones
from stitchlab.stitch.numerics import exact

CUTOFF = 1e-6  # of the largest singular value of the centred rows; directions below it are dropped


@dataclass(frozen=True, eq=False)
class Rows:
    """Holds one layer's centred rows X (count, C), by their second moment XᵀX (C, C), float64.

    ``noise`` is what rounding may have left in it where rows were far from 0: no direction is below that.
    """

    moment: Tensor
    count: int
    noise: float = 0.0

    @cached_property
    def directions(self) -> tuple[Tensor, Tensor]:
        """Find singular values (r,), ascending, and right singular vectors (C, r) of X, r its rank."""
        values, vectors = torch.linalg.eigh(self.moment)
        kept = values > (CUTOFF**2 * values[-1]).clamp(min=self.noise)
        return values[kept].sqrt(), vectors[:, kept]


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Holds two layers' centred rows X and Y, the front's and the end's, and XᵀY (C, D), float64."""

    x: Rows
    y: Rows
    xy: Tensor

    @cached_property
    def cosines(self) -> Tensor:
        """Compute U_xᵀ U_y (r, s) of left singular vectors: its singular values are the canonical correlations."""
        (sx, vx), (sy, vy) = self.x.directions, self.y.directions
        return (vx.T @ self.xy @ vy) / sx[:, None] / sy

    def too_few(self, front: int | None = None, end: int | None = None) -> str:
        """Say why canonical correlations are undefined; empty where they are defined.

        Args:
            front, end: how many directions of each layer are compared; default is all.
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


class _Place(NamedTuple):
    """Describes what rows are: positions of an end layer of this form, without its class token or with it."""

    target: Layout
    patches: bool


class Sums:
    """Sums [X 1]ᵀ[X 1], [X 1]ᵀ[Y 1], [Y 1]ᵀ[Y 1] for cells over batches.

    Args:
        rows: what rows are: averages, positions, or the paper's rule (`stitchlab.catalog.indices.ROWS`).
        shapes: of one image's activations, the front's and the end's, by cell.
        keep: whether averages (N, C) are kept, too: a null permutes them (`stitchlab.indices.null`), and half
            samples are drawn of them (`stitchlab.indices.halves`).
    """

    def __init__(
        self, rows: Needs, shapes: Mapping[Cell, tuple[tuple[int, ...], tuple[int, ...]]], keep: bool = False
    ) -> None:
        self._undefined: dict[Cell, str] = {}
        self._forms: dict[Cell, tuple[Layout, Layout]] = {}
        self._places: dict[Cell, _Place | None] = {}
        self._sums: dict[Any, Tensor] = {}
        self._keep = keep and rows == "averages"
        self._kept: dict[tuple[str, str], list[Tensor]] = {}
        self._layers: dict[Any, Rows] = {}
        for cell, (one, other) in shapes.items():
            try:
                self._forms[cell] = source, target = layout_of(one), layout_of(other)
                self._places[cell] = _place(rows, source, target)
            except StitchLabError as error:
                self._undefined[cell] = str(error)

    @property
    def cells(self) -> list[Cell]:
        """List the cells whose rows are defined."""
        return list(self._places)

    def add(self, x: dict[str, Tensor], y: dict[str, Tensor]) -> None:
        """Add one batch: activations (n, ...) of the front layers x and of the end layers y."""
        for place in dict.fromkeys(self._places.values()):  # one after another: rows of all would fill the memory
            cells = [cell for cell, where in self._places.items() if where == place]
            native = {
                j: _rows(y[j], self._forms[i, j][1], None if place is None else place.patches)
                for i, j in {j: (i, j) for i, j in cells}.values()
            }
            for j, b in native.items():
                self._add_layer("end", j, place, b)
            for i in dict.fromkeys(i for i, _ in cells):
                columns = [j for front, j in cells if front == i]
                a = _aligned(x[i], self._forms[i, columns[0]][0], place)
                self._add_layer("front", i, place, a)
                for j in columns:
                    self._add((i, j), a.T @ native[j])

    def _add_layer(self, side: str, layer: str, place: _Place | None, rows: Tensor) -> None:
        self._add((side, layer, place), rows.T @ rows)
        if self._keep:
            self._kept.setdefault((side, layer), []).append(rows[:, :-1])

    def _add(self, key: Any, value: Tensor) -> None:
        self._sums[key] = self._sums[key] + value if key in self._sums else value

    def of(self, cell: Cell) -> SecondMoments | str:
        """Give the moments of a cell's centred rows, NaN where activations are not finite; or why there are none."""
        if cell in self._undefined:
            return self._undefined[cell]
        place = self._places[cell]
        fronts, ends = self._sums["front", cell[0], place], self._sums["end", cell[1], place]
        return SecondMoments(
            self._layer("front", cell[0], place),
            self._layer("end", cell[1], place),
            _centred(self._sums[cell], _varies(fronts), _varies(ends)),
        )

    def _layer(self, side: str, layer: str, place: _Place | None) -> Rows:
        """Give one layer's rows: an object for all its cells, so that they are factorised once."""
        key = side, layer, place
        if key not in self._layers:
            raw = self._sums[key]
            noise = 4 * torch.finfo(raw.dtype).eps * float(raw.diagonal()[:-1].sum())
            self._layers[key] = Rows(_centred(raw, _varies(raw), _varies(raw)), round(float(raw[-1, -1])), noise)
        return self._layers[key]

    def averages(self, side: str, layer: str) -> Tensor:
        """Give the averages (N, C) of a layer as they are: where they were to be kept."""
        return torch.cat(self._kept[side, layer])

    def kept(self, side: str, layer: str) -> Tensor:
        """Give the averages (N, C) of a layer, centred, channels that are constant 0: where they were to be kept."""
        rows = self.averages(side, layer)
        return (rows - rows.mean(0)) * _varies(self._sums[side, layer, None])


def _place(rows: Needs, source: Layout, target: Layout) -> _Place | None:
    """Say what rows of a cell are; None: averages over positions. Raises StitchLabError: no stitch is defined."""
    if rows == "averages" or (rows == "paper" and not _equal(source, target)):
        return None
    check(source, target)
    return _Place(replace(target, channels=0), lacks_class_token(source, target))


def _equal(source: Layout, target: Layout) -> bool:
    """Tell whether two layers have equal (C, H, W), or as many tokens."""
    if source.kind == target.kind == "tokens":
        return source.tokens == target.tokens
    maps = source.kind.startswith("map") and target.kind.startswith("map")
    return maps and replace(source, kind="map") == replace(target, kind="map")


def _aligned(x: Tensor, source: Layout, place: _Place | None) -> Tensor:
    """Make [X 1] of the front's activations: rows (n, C+1)."""
    if place is None:
        return _rows(x, source, None)
    made = with_ones(positions(align(x, source, place.target)))
    # Resizing may leave pixels out. A layer that is not finite anywhere has no index, whatever it is compared with.
    made[:, :-1] += 0 * (exact(x.amax()) + exact(x.amin()))
    return made


def _rows(x: Tensor, shape: Layout, patches: bool | None) -> Tensor:
    """Make [X 1]: averages over positions (patches None), or positions, without the class token (patches) or not."""
    channels_last = (x.movedim(1, -1) if shape.kind == "map" else x).reshape(len(x), -1, shape.channels)
    if patches is None:
        return with_ones(exact(channels_last).mean(1))
    return with_ones(channels_last[:, int(patches) :].flatten(0, 1))


def _centred(raw: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Turn [X 1]ᵀ[Y 1] (C+1, D+1) into XᵀY (C, D) of centred rows.

    Its last row and column are sums, the last entry counts.
    """
    return (raw[:-1, :-1] - raw[:-1, -1:] * raw[-1:, :-1] / raw[-1, -1]) * one[:, None] * other


def _varies(raw: Tensor) -> Tensor:
    """Give 1 for channels that vary, 0 for constant ones (C,)."""
    square = raw.diagonal()[:-1]
    return (square - raw[-1, :-1].square() / raw[-1, -1] > CONSTANT * square).double()
