"""Computes what an index says by chance: its values where one layer's images are shuffled (a permutation null).

An index of unrelated layers is not 0, and grows as images get fewer (Murphy et al. 2024, arXiv 2405.01012). So the end
layer's images are permuted against the front's, which leaves each layer as it is and breaks what they share
(arXiv 2602.14486). Everything is computed from what one pass kept: Gram matrices, or averages (N, C). One permutation
serves the whole grid, so that also the best of a column can be held against the best of a shuffled column.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments
from stitchlab.request import Cell, derived_seed

Null = list[float] | str  # a value for each permutation, or the reason why there are none
Alive = Callable[[float], None]  # told how far it is, 0..1

ROUNDING = 1e-12  # of numbers of a matrix of norm 1
MEMORY = 2**29  # bytes of shuffled matrices at a time
NOT_PERMUTABLE = "its rows are positions, of which only sums are kept: images cannot be permuted"


def orders(seed: int, count: int, permutations: int) -> Iterator[Tensor]:
    """Draw permutations of images, the k-th from (seed, k) alone: the same whatever else is computed.

    Args:
        seed: decides them.
        count: of the images.
        permutations: how many to draw.

    Returns:
        each (count,), places of the images.
    """
    for k in range(permutations):
        generator = torch.Generator().manual_seed(derived_seed("null", seed, k))
        yield torch.randperm(count, generator=generator)


def of_matrices(
    layers: Mapping[str, tuple[Mapping[str, Tensor], Mapping[str, Tensor]]], shuffles: Sequence[Tensor], alive: Alive
) -> dict[tuple[str, Cell], Null]:
    """Compute the nulls of Gram indices on all cells of their layers.

    Args:
        layers: for each index by name what it compares of the front's layers and of the end's: matrices (N, N) of norm
            1, whose inner product is its value.
        shuffles: the permutations (N,).
        alive: told how far it is.
    """
    symmetric = {
        name: all(_symmetric(matrix) for side in sides for matrix in side.values()) for name, sides in layers.items()
    }
    parts = [
        part
        for half in (True, False)
        for part in _fitting({name: sides for name, sides in layers.items() if symmetric[name] is half}, half)
    ]
    values: dict[tuple[str, Cell], Null] = {}
    for k, part in enumerate(parts):
        values |= _of_part(part, shuffles, lambda done, k=k: alive((k + done) / len(parts)))  # type: ignore[misc]
    return values


class _Part(NamedTuple):
    """Holds matrices of front layers, and as many of end layers as lie in memory together, by index and layer.

    ``half`` says that all are symmetric: then one half of them is enough.
    """

    front: dict[tuple[str, str], Tensor]
    end: dict[tuple[str, str], Tensor]
    half: bool


def _fitting(layers: Mapping[str, tuple[Mapping[str, Tensor], Mapping[str, Tensor]]], half: bool) -> Iterator[_Part]:
    front = {(name, i): matrix for name, (fronts, ends) in layers.items() if ends for i, matrix in fronts.items()}
    end = [((name, j), matrix) for name, (fronts, ends) in layers.items() if fronts for j, matrix in ends.items()]
    if not end:
        return
    size = max(1, MEMORY // (8 * end[0][1].numel()))
    for start in range(0, len(end), size):
        part = dict(end[start : start + size])
        names = {name for name, _ in part}
        yield _Part({of: matrix for of, matrix in front.items() if of[0] in names}, part, half)


def _of_part(part: _Part, shuffles: Sequence[Tensor], alive: Alive) -> dict[tuple[str, Cell], Null]:
    """Compute the nulls by one product a permutation: all front matrices with all end matrices; some count."""
    example = next(iter(part.end.values()))
    count, places = len(example), _places(len(example), part.half)
    row, column = (place.to(example.device) for place in places)
    weight = torch.where(row == column, 1.0, 2.0).to(example.dtype) if part.half else 1.0  # both halves are alike
    rows = torch.stack([matrix[row, column] * weight for matrix in part.front.values()])
    # A place's numbers of all matrices stand together, so that a permutation moves few long pieces of memory.
    columns = torch.stack([matrix.flatten() for matrix in part.end.values()], dim=1)
    moved = columns.new_empty(len(row), columns.shape[1])
    of_part = columns.new_empty(len(shuffles), len(rows), columns.shape[1])
    for k, shuffle in enumerate(shuffles):
        alive(k / len(shuffles))
        where = shuffle.to(row.device)
        one, other = where[row], where[column]
        if part.half:  # in the half that is kept together in memory
            one, other = torch.minimum(one, other), torch.maximum(one, other)
        torch.index_select(columns, 0, one * count + other, out=moved)
        of_part[k] = rows @ moved
    found = of_part.cpu()
    return {
        (name, (i, j)): found[:, a, b].tolist()
        for a, (name, i) in enumerate(part.front)
        for b, (of, j) in enumerate(part.end)
        if of == name
    }


def _symmetric(matrix: Tensor) -> bool:
    return torch.allclose(matrix, matrix.T, rtol=0, atol=ROUNDING)


def _places(count: int, half: bool) -> tuple[Tensor, Tensor]:
    """List rows and columns of the numbers of a (count, count) matrix that inner products are summed over."""
    images = torch.arange(count)
    row, column = torch.triu_indices(count, count) if half else torch.cartesian_prod(images, images).T
    return row, column


def _side_by_side(layers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, slice]]:
    """Join all layers' averages in one matrix (N, sum of C), with each layer's columns."""
    ends = list(itertools.accumulate(rows.shape[1] for rows in layers.values()))
    places = {layer: slice(end - rows.shape[1], end) for (layer, rows), end in zip(layers.items(), ends, strict=True)}
    return torch.cat(list(layers.values()), dim=1), places


def of_moments(
    functions: Mapping[str, Callable[[SecondMoments], float | str]],
    moments: Mapping[Cell, SecondMoments],
    front: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    shuffles: Sequence[Tensor],
    alive: Alive,
) -> dict[tuple[str, Cell], Null]:
    """Compute the nulls of indices of channels: only XᵀY changes by a permutation.

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
