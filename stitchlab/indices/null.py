"""What an index says by chance: its values where one layer's images are shuffled (a permutation null).

An index of unrelated layers is not 0, and grows as images get fewer (Murphy et al. 2024, arXiv 2405.01012). So the end
layer's images are permuted against the front's, which leaves each layer as it is and breaks what they share
(arXiv 2602.14486). Everything is computed from what one pass kept: Gram matrices, or averages (N, C). One permutation
serves the whole grid, so that also the best of a column can be held against the best of a shuffled column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.indices.second_moments import SecondMoments
from stitchlab.request import derived_seed
from stitchlab.stitch.pair import Cell

Null = list[float] | str  # a value for each permutation, or the reason why there are none
Alive = Callable[[float], None]  # told how far it is, 0..1

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
    rows = torch.stack(list(front.values())).flatten(1)
    size = max(1, MEMORY // (8 * rows.shape[1]))
    columns = list(end)
    for start in range(0, len(columns), size):
        part = columns[start:start + size]
        matrices = torch.stack([end[j] for j in part])
        of_part = torch.empty(len(shuffles), len(front), len(part), dtype=rows.dtype)
        for k, shuffle in enumerate(shuffles):
            alive((start + len(part) * k / len(shuffles)) / len(columns))
            where = shuffle.to(rows.device)
            of_part[k] = rows @ matrices[:, where][:, :, where].flatten(1).T
        values |= {(i, j): of_part[:, a, b].tolist() for a, i in enumerate(front) for b, j in enumerate(part)}
    return values


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
    for k, shuffle in enumerate(shuffles):
        shuffled = {j: end[j][shuffle.to(end[j].device)] for j in dict.fromkeys(j for _, j in moments)}
        for n, ((i, j), known) in enumerate(moments.items()):
            alive((k + n / len(moments)) / len(shuffles))
            # x and y stay the same objects: they keep their factorisations.
            chance = SecondMoments(known.x, known.y, front[i].T @ shuffled[j])
            for name, function in functions.items():
                so_far, value = values[name, (i, j)], function(chance)
                if isinstance(so_far, list) and isinstance(value, float):
                    so_far.append(value)
                elif isinstance(value, str):
                    values[name, (i, j)] = value
    return values
