"""Compute the permutation null of an index: the values that it takes by chance, where one layer's images are shuffled.

For unrelated layers an index is not 0, and the fewer the images, the higher it is (Murphy et al. 2024, arXiv
2405.01012). So the end layer's images are permuted against the front's. That leaves each layer as it is, but removes
everything that the layers share (arXiv 2602.14486). Everything is computed from the Gram matrices or averages (N, C)
that one pass kept. One permutation serves the whole grid, so that the best value of a column can also be compared with
the best value of a shuffled column.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.indices import IndexCell
from stitchlab.indices.second_moments import ChannelIndex, SecondMoments
from stitchlab.request import Cell, derived_seed

Null = list[float] | str  # a value for each permutation, or the reason why the null is undefined
Progress = Callable[[float], None]  # receives the share that is done, 0..1
Matrices = Mapping[str, Tensor]  # matrices (N, N) of norm 1, by layer

SYMMETRY_TOLERANCE = 1e-12  # rounding noise in the numbers of a matrix of norm 1
MEMORY = 2**29  # bytes of shuffled matrices that are in memory at a time
NOT_PERMUTABLE = "its rows are positions, of which only sums are kept: images cannot be permuted"


def draw_permutations(seed: int, count: int, permutations: int) -> Iterator[Tensor]:
    """Draw permutations of images; the k-th depends on the seed and k alone.

    Args:
        seed: decides the permutations.
        count: number of images.
        permutations: number of permutations.

    Returns:
        permutations (count,) of the images' indices.
    """
    for k in range(permutations):
        generator = torch.Generator().manual_seed(derived_seed("null", seed, k))
        yield torch.randperm(count, generator=generator)


def of_matrices(
    layers: Mapping[str, tuple[Matrices, Matrices]], shuffles: Sequence[Tensor], progress: Progress
) -> dict[IndexCell, Null]:
    """Compute the nulls of Gram indices on all cells of their layers.

    Args:
        layers: by index, the matrices of the front's layers and of the end's, whose inner product is its value.
        shuffles: the permutations (N,).
        progress: receives the share that is done.
    """
    symmetric = {
        name: all(_symmetric(matrix) for side in sides for matrix in side.values()) for name, sides in layers.items()
    }
    parts = [
        part
        for half in (True, False)
        for part in _parts({name: sides for name, sides in layers.items() if symmetric[name] is half}, half)
    ]
    nulls: dict[IndexCell, Null] = {}
    for k, part in enumerate(parts):
        nulls |= _part_nulls(part, shuffles, _progress_of_part(progress, k, len(parts)))
    return nulls


def _progress_of_part(progress: Progress, k: int, parts: int) -> Progress:
    return lambda done: progress((k + done) / parts)


class _Part(NamedTuple):
    """Hold matrices of all front layers, and of as many end layers as fit into memory, by index and layer.

    ``half`` says that all are symmetric: then only the entries on and above the diagonal are needed.
    """

    front: dict[tuple[str, str], Tensor]
    end: dict[tuple[str, str], Tensor]
    half: bool


def _parts(layers: Mapping[str, tuple[Matrices, Matrices]], half: bool) -> Iterator[_Part]:
    """Divide end layers into parts that fit into memory."""
    front = {(name, i): matrix for name, (fronts, ends) in layers.items() if ends for i, matrix in fronts.items()}
    end = [((name, j), matrix) for name, (fronts, ends) in layers.items() if fronts for j, matrix in ends.items()]
    if not end:
        return
    size = max(1, MEMORY // (8 * end[0][1].numel()))
    for start in range(0, len(end), size):
        part = dict(end[start : start + size])
        names = {name for name, _ in part}
        yield _Part({key: matrix for key, matrix in front.items() if key[0] in names}, part, half)


def _part_nulls(part: _Part, shuffles: Sequence[Tensor], progress: Progress) -> dict[IndexCell, Null]:
    """Compute nulls by one product for each permutation: of all front matrices with all end matrices.

    The product also has entries for a front matrix of one index with an end matrix of another, which are not used.
    """
    example = next(iter(part.end.values()))
    count = len(example)
    row, column = (index.to(example.device) for index in _entries(count, part.half))
    # in a half, every entry off the diagonal stands for two
    weight = torch.where(row == column, 1.0, 2.0).to(example.dtype) if part.half else 1.0
    fronts = torch.stack([matrix[row, column] * weight for matrix in part.front.values()])
    # The same entry of all matrices lies together in memory, so that a permutation moves few long pieces.
    ends = torch.stack([matrix.flatten() for matrix in part.end.values()], dim=1)
    shuffled_ends = ends.new_empty(len(row), ends.shape[1])
    products = ends.new_empty(len(shuffles), len(fronts), ends.shape[1])
    for k, shuffle in enumerate(shuffles):
        progress(k / len(shuffles))
        shuffle = shuffle.to(row.device)
        shuffled_row, shuffled_column = shuffle[row], shuffle[column]
        if part.half:  # entries above the diagonal are read: they lie closer together in memory
            shuffled_row, shuffled_column = (
                torch.minimum(shuffled_row, shuffled_column),
                torch.maximum(shuffled_row, shuffled_column),
            )
        torch.index_select(ends, 0, shuffled_row * count + shuffled_column, out=shuffled_ends)
        products[k] = fronts @ shuffled_ends
    values = products.cpu()
    return {
        (front_index, (i, j)): values[:, a, b].tolist()
        for a, (front_index, i) in enumerate(part.front)
        for b, (end_index, j) in enumerate(part.end)
        if end_index == front_index
    }


def _symmetric(matrix: Tensor) -> bool:
    return torch.allclose(matrix, matrix.T, rtol=0, atol=SYMMETRY_TOLERANCE)


def _entries(count: int, half: bool) -> tuple[Tensor, Tensor]:
    """List rows and columns of the entries of a (count, count) matrix that inner products are summed over."""
    images = torch.arange(count)
    row, column = torch.triu_indices(count, count) if half else torch.cartesian_prod(images, images).T
    return row, column


def _side_by_side(layers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, slice]]:
    """Join all layers' averages in one matrix (N, sum of C); also return each layer's columns."""
    ends = list(itertools.accumulate(rows.shape[1] for rows in layers.values()))
    columns = {layer: slice(end - rows.shape[1], end) for (layer, rows), end in zip(layers.items(), ends, strict=True)}
    return torch.cat(list(layers.values()), dim=1), columns


def of_moments(
    functions: Mapping[str, ChannelIndex],
    moments: Mapping[Cell, SecondMoments],
    front: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    shuffles: Sequence[Tensor],
    progress: Progress,
) -> dict[IndexCell, Null]:
    """Compute the nulls of indices of channels: a permutation changes XᵀY alone.

    Args:
        functions: compute the indices, by name.
        moments: of the cells whose indices are defined.
        front, end: centred averages (N, C) of each layer.
        shuffles: the permutations (N,).
        progress: receives the share that is done.
    """
    nulls: dict[IndexCell, Null] = {(name, cell): [] for name in functions for cell in moments}
    if not moments:
        return nulls
    (fronts, front_columns), (ends, end_columns) = _side_by_side(front), _side_by_side(end)
    for k, shuffle in enumerate(shuffles):
        products = fronts.T @ ends[shuffle.to(ends.device)]  # of all layers at once, which is faster than one by one
        for n, ((i, j), unshuffled) in enumerate(moments.items()):
            progress((k + n / len(moments)) / len(shuffles))
            # x and y stay the same objects, because they cache their factorisations
            shuffled = SecondMoments(unshuffled.x, unshuffled.y, products[front_columns[i], end_columns[j]])
            for name, function in functions.items():
                null, value = nulls[name, (i, j)], function(shuffled)
                if isinstance(null, list) and isinstance(value, float):
                    null.append(value)
                elif isinstance(value, str):
                    nulls[name, (i, j)] = value
    return nulls
