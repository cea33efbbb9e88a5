"""Computes similarity indices on all cells of two networks, from one pass of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.indices import Value, index_function, null
from stitchlab.indices.grams import Gram, grams
from stitchlab.indices.null import Null
from stitchlab.indices.second_moments import SecondMoments, Sums
from stitchlab.request import INDEX_IMAGES, Cell, Report, no_report, portion
from stitchlab.stitch.pair import Pair

MOMENT_MEMORY = 2**30  # bytes of second moments, and of averages that are kept, at a time
MATRIX_MEMORY = 2**30  # bytes of what indices of images compare at a time
BATCH = 100
PERMUTING = 0.5  # of the progress of indices with a null, which is the part that takes long

Item = tuple[str, Cell]  # an index's name, and a cell


class Wanted(NamedTuple):
    """Describes what is wanted of indices: names; for a null, how many permutations and the seed they come from."""

    names: Sequence[str]
    permutations: int = 0
    seed: int = 0

    def of(self, need: Needs) -> list[str]:
        """List the indices that need this statistic."""
        return [name for name in self.names if INDICES[name].needs == need]

    def shuffles(self, count: int) -> list[Tensor]:
        """Draw the permutations of so many images."""
        return list(null.orders(self.seed, count, self.permutations))


class Found(NamedTuple):
    """Holds values of indices, and nulls where those were wanted; the reason where one is undefined."""

    values: dict[Item, Value]
    nulls: dict[Item, Null]


def indices(pair: Pair, wanted: Wanted, cells: Sequence[Cell], images: Tensor, report: Report = no_report) -> Found:
    """Compute indices on cells, and their nulls, from one pass of each network.

    Args:
        pair: the networks, their data and the device.
        wanted: the indices, and how many permutations their nulls take.
        cells: (front layer, end layer) each.
        images: the evaluation images (indices into the test split). Averages over positions are of all, all else is
            of the first 1,000.
        report: told the share that is done.

    Returns:
        values and nulls by index and cell.
    """
    found = Found({}, {})
    needs = list(dict.fromkeys(INDICES[name].needs for name in wanted.names))
    for k, need in enumerate(needs):
        for part in _gathered(pair, wanted, need, cells, images, portion(report, k / len(needs), 1 / len(needs))):
            found.values.update(part.values)
            found.nulls.update(part.nulls)
    return found


def _gathered(
    pair: Pair, wanted: Wanted, need: Needs, cells: Sequence[Cell], images: Tensor, report: Report
) -> Iterator[Found]:
    """Compute the indices of one statistic on all cells, some at a time."""
    share = PERMUTING if wanted.permutations else 1.0
    if need == "grams":
        front, end = grams(pair, cells, images[:INDEX_IMAGES], portion(report, 0.0, share))
        yield by_grams(wanted, cells, front, end, portion(report, share, 1 - share))
        return
    looked = images if need == "averages" else images[:INDEX_IMAGES]
    shapes = {(i, j): (pair.front_shape(i), pair.end_shape(j)) for i, j in cells}
    parts = parts_of(shapes, len(looked) if wanted.permutations and need == "averages" else 0)
    for k, part in enumerate(parts):
        of_part = portion(report, k / len(parts), 1 / len(parts))
        sums = summed(
            pair,
            Sums(need, {cell: shapes[cell] for cell in part}, bool(wanted.permutations)),
            looked,
            portion(of_part, 0.0, share),
        )
        yield by_moments(wanted, part, sums, need, portion(of_part, share, 1 - share))


def by_grams(
    wanted: Wanted, cells: Sequence[Cell], front: Mapping[str, Gram], end: Mapping[str, Gram], report: Report
) -> Found:
    """Compute Gram indices: as many at once as have their matrices in memory together.

    Args:
        wanted, cells: indices; (front layer, end layer) each.
        front, end: the Gram matrices of their layers.
        report: told the share that is done.
    """
    names, count = wanted.of("grams"), len(next(iter(front.values())).centred)
    shuffles = wanted.shuffles(count)
    size = max(1, MATRIX_MEMORY // (8 * count**2 * (len(front) + len(end))))
    found = Found({}, {})
    for n in range(0, len(names), size):
        part = _by_matrices(
            names[n : n + size],
            cells,
            front,
            end,
            shuffles,
            portion(report, n / len(names), min(size, len(names) - n) / len(names)),
        )
        found.values.update(part.values)
        found.nulls.update(part.nulls)
    return found


def _by_matrices(
    names: Sequence[str],
    cells: Sequence[Cell],
    front: Mapping[str, Gram],
    end: Mapping[str, Gram],
    shuffles: Sequence[Tensor],
    report: Report,
) -> Found:
    """Compute these indices as inner products of matrices that each layer has for itself."""
    found = Found({}, {})
    sides = {
        name: [
            {layer: _matrix(name, side, known) for layer, known in grams.items()}
            for side, grams in (("front", front), ("end", end))
        ]
        for name in names
    }
    chance = (
        null.of_matrices(
            {name: (_defined(of_front), _defined(of_end)) for name, (of_front, of_end) in sides.items()},
            shuffles,
            lambda done: report("permuting images for indices of images", done),
        )
        if shuffles
        else {}
    )
    for name, (of_front, of_end) in sides.items():
        for i, j in cells:
            found.values[name, (i, j)] = value = _product(of_front[i], of_end[j])
            if shuffles:
                found.nulls[name, (i, j)] = value if isinstance(value, str) else chance[name, (i, j)]
    return found


def _defined(matrices: Mapping[str, Tensor | str]) -> dict[str, Tensor]:
    return {layer: matrix for layer, matrix in matrices.items() if isinstance(matrix, Tensor)}


def _product(one: Tensor | str, other: Tensor | str) -> Value:
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else str(other)
    return float((one * other).sum())


def _matrix(name: str, side: str, known: Gram) -> Tensor | str:
    made: Tensor | str = unusable(side, known.centred) or index_function(name)(known)
    return made


def by_moments(wanted: Wanted, cells: Sequence[Cell], sums: Sums, need: Needs, report: Report) -> Found:
    """Compute indices of channels from their statistics.

    Args:
        wanted: indices, and permutations of nulls.
        cells, sums: which, and the sums over all their images.
        need: the statistic that the indices take.
        report: told how far nulls are.
    """
    functions = {name: index_function(name) for name in wanted.of(need)}
    moments = {cell: _usable(sums.of(cell)) for cell in cells}
    values: dict[Item, Value] = {
        (name, cell): known if isinstance(known, str) else function(known)
        for name, function in functions.items()
        for cell, known in moments.items()
    }
    if not wanted.permutations:
        return Found(values, {})
    if need != "averages":
        return Found(
            values, {item: value if isinstance(value, str) else null.NOT_PERMUTABLE for item, value in values.items()}
        )
    usable = {cell: known for cell, known in moments.items() if isinstance(known, SecondMoments)}
    front, end = (
        {layer: sums.kept(side, layer) for layer in dict.fromkeys(cell[k] for cell in usable)}
        for k, side in enumerate(("front", "end"))
    )
    count = next((known.x.count for known in usable.values()), 0)
    chance = null.of_moments(
        functions,
        usable,
        front,
        end,
        wanted.shuffles(count),
        lambda done: report("permuting images for indices of channels", done),
    )
    return Found(values, {item: value if isinstance(value, str) else chance[item] for item, value in values.items()})


def _usable(known: SecondMoments | str) -> SecondMoments | str:
    if isinstance(known, str):
        return known
    return unusable("front", known.x.moment) or unusable("end", known.y.moment) or known


def unusable(side: str, matrix: Tensor) -> str:
    """Say why a layer has no index at all; empty where it has."""
    if not bool(torch.isfinite(matrix).all()):
        return f"the activations of the {side} layer are not finite"
    return "" if bool(matrix.any()) else f"the activations of the {side} layer are constant"


def parts_of(shapes: dict[Cell, tuple[tuple[int, ...], tuple[int, ...]]], rows: int) -> list[list[Cell]]:
    """Group cells whose second moments, and so many rows of averages, lie in memory together, in order."""
    parts: list[list[Cell]] = []
    room = 0
    kept: set[tuple[str, str]] = set()
    for cell, shape in shapes.items():
        one, other = map(max, shape)  # a layer has no more channels than that
        layers = {("front", cell[0]): one, ("end", cell[1]): other}
        size = 8 * one * other + 8 * rows * sum(width for layer, width in layers.items() if layer not in kept)
        room -= size
        if room < 0:
            parts.append([])
            room, kept = MOMENT_MEMORY - 8 * one * other - 8 * rows * (one + other), set()
        kept |= set(layers)
        parts[-1].append(cell)
    return parts


def summed(pair: Pair, sums: Sums, images: Tensor, report: Report) -> Sums:
    """Add images to sums, and return those.

    Args:
        pair: the networks, their data and the device.
        sums: of the cells; they are changed.
        images: indices into the test split (N,).
        report: told the share of the images that is done.
    """
    cells = sums.cells
    if not cells:
        return sums
    front = pair.run_front(list(dict.fromkeys(i for i, _ in cells)))
    end = pair.run_end(list(dict.fromkeys(j for _, j in cells)))
    seen = 0
    for batch, _ in pair.batches(pair.data.test, images, BATCH):
        report("similarity indices", seen / len(images))
        sums.add(front(batch), end(batch))
        seen += len(batch)
    return sums
