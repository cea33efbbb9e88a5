"""What an index says by chance: its values where one layer's images are shuffled (a permutation null).

An index of unrelated layers is not 0, and grows as images get fewer (Murphy et al. 2024, arXiv 2405.01012). So the end
layer's images are permuted against the front's, which leaves each layer as it is and breaks what they share
(arXiv 2602.14486). Everything is computed from what one pass kept: Gram matrices, or averages (N, C). One permutation
serves the whole grid, so that also the best of a column can be held against the best of a shuffled column.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments
from stitchlab.request import derived_seed
from stitchlab.stitch.pair import Cell

Null = list[float] | str  # a value for each permutation, or the reason why there are none
Alive = Callable[[float], None]  # told how far it is, 0..1

ROUNDING = 1e-12  # of numbers of a matrix of norm 1
MEMORY = 2**29  # bytes of shuffled matrices at a time
NOT_PERMUTABLE = "its rows are positions, of which only sums are kept: images cannot be permuted"


def orders(seed: int, count: int, permutations: int) -> Iterator[Tensor]:
    """Draw permutations (count,) of images, the k-th from (seed, k) alone: the same whatever else is computed."""
    for k in range(permutations):
        generator = torch.Generator().manual_seed(derived_seed("null", seed, k))
        yield torch.randperm(count, generator=generator)


def of_matrices(
    front: Mapping[str, Tensor], end: Mapping[str, Tensor], shuffles: Sequence[Tensor], alive: Alive
) -> dict[Cell, Null]:
    """Give the null of a Gram index on all cells of these layers.

    Args:
        front, end: what the index compares of each layer: (N, N) of norm 1, whose inner product is its value.
        shuffles: the permutations (N,).
        alive: told how far it is.
    """
    values: dict[Cell, Null] = {}
    if not front or not end:
        return values
    places = _Places([*front.values(), *end.values()])
    rows = torch.stack([places.weighted(matrix) for matrix in front.values()])
    size = max(1, MEMORY // (8 * rows.shape[1]))
    columns = list(end)
    for start in range(0, len(columns), size):
        part = columns[start:start + size]
        matrices = torch.stack([end[j].flatten() for j in part])
        of_part = torch.empty(len(shuffles), len(front), len(part), dtype=rows.dtype)
        for k, shuffle in enumerate(shuffles):
            alive((start + len(part) * k / len(shuffles)) / len(columns))
            of_part[k] = rows @ matrices[:, places.moved(shuffle)].T
        values |= {(i, j): of_part[:, a, b].tolist() for a, i in enumerate(front) for b, j in enumerate(part)}
    return values


class _Places:
    """The numbers of (N, N) matrices that their inner products are summed over: of symmetric ones, half of them."""

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        images = torch.arange(len(matrices[0]), device=matrices[0].device)
        self._half = all(torch.allclose(matrix, matrix.T, rtol=0, atol=ROUNDING) for matrix in matrices)
        every = torch.cartesian_prod(images, images)
        self._row, self._column = every[every[:, 0] <= every[:, 1]].T if self._half else every.T

    def weighted(self, matrix: Tensor) -> Tensor:
        """The numbers of a matrix at these places, those of both halves doubled."""
        there = matrix[self._row, self._column]
        return torch.where(self._row == self._column, there, 2 * there) if self._half else there

    def moved(self, shuffle: Tensor) -> Tensor:
        """Where these numbers stand, in a flattened matrix, when its images are permuted."""
        where = shuffle.to(self._row.device)
        row, column = where[self._row], where[self._column]
        if self._half:  # in the half that is kept together in memory
            row, column = torch.minimum(row, column), torch.maximum(row, column)
        return row * len(shuffle) + column


def _side_by_side(layers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, slice]]:
    """All layers' averages in one matrix (N, sum of C), and each layer's columns."""
    ends = list(itertools.accumulate(rows.shape[1] for rows in layers.values()))
    places = {layer: slice(end - rows.shape[1], end) for (layer, rows), end in zip(layers.items(), ends, strict=True)}
    return torch.cat(list(layers.values()), dim=1), places


def of_moments(
    functions: Mapping[str, Callable[[SecondMoments], float | str]], moments: Mapping[Cell, SecondMoments],
    front: Mapping[str, Tensor], end: Mapping[str, Tensor], shuffles: Sequence[Tensor], alive: Alive,
) -> dict[tuple[str, Cell], Null]:
    """Give the nulls of indices of channels: only XᵀY changes by a permutation.

    Args:
        functions: of the indices, by name.
        moments: of the cells that have values.
        front, end: centred averages (N, C) of each layer.
        shuffles: the permutations (N,).
        alive: told how far it is.
    """
    values: dict[tuple[str, Cell], Null] = {(name, cell): [] for name in functions for cell in moments}
    if not moments:
        return values
    (fronts, rows), (ends, columns) = _side_by_side(front), _side_by_side(end)
    for k, shuffle in enumerate(shuffles):
        products = fronts.T @ ends[shuffle.to(ends.device)]  # of all layers at once, which is faster than one by one
        for n, ((i, j), known) in enumerate(moments.items()):
            alive((k + n / len(moments)) / len(shuffles))
            # x and y stay the same objects: they keep their factorisations.
            chance = SecondMoments(known.x, known.y, products[rows[i], columns[j]])
            for name, function in functions.items():
                so_far, value = values[name, (i, j)], function(chance)
                if isinstance(so_far, list) and isinstance(value, float):
                    so_far.append(value)
                elif isinstance(value, str):
                    values[name, (i, j)] = value
    return values
