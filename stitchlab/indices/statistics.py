"""Compute similarity indices on all cells of two networks, in one pass of each network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.indices import SIDES, IndexCell, Side, Value, index_function, null
from stitchlab.indices.grams import Gram, GramIndex, grams
from stitchlab.indices.null import Null
from stitchlab.indices.second_moments import ChannelIndex, SecondMoments, Shape, Sums
from stitchlab.request import INDEX_IMAGES, Cell, Report, no_report, portion
from stitchlab.stitch.pair import Pair

MOMENT_MEMORY = 2**30  # bytes of second moments and kept averages that are in memory at a time
MATRIX_MEMORY = 2**30  # bytes of the matrices of indices of images that are in memory at a time
BATCH = 100  # images that are run together, at most
SUMMING_SHARE = 0.5  # of the progress where there are nulls; the permutations are the rest


class IndexRequest(NamedTuple):
    """Describe which indices to compute: their names, and for nulls the number of permutations and their seed."""

    names: Sequence[str]
    permutations: int = 0
    seed: int = 0

    def names_needing(self, need: Needs) -> list[str]:
        """List the names of the indices that need this statistic."""
        return [name for name in self.names if INDICES[name].needs == need]

    def shuffles(self, count: int) -> list[Tensor]:
        """Draw the permutations of ``count`` images."""
        return list(null.draw_permutations(self.seed, count, self.permutations))


class IndexValues(NamedTuple):
    """Hold values of indices, and their nulls if there are permutations; the reason where one is undefined."""

    values: dict[IndexCell, Value]
    nulls: dict[IndexCell, Null]

    def update(self, more: IndexValues) -> None:
        """Add the values and nulls of other indices or cells."""
        self.values.update(more.values)
        self.nulls.update(more.nulls)


def indices(
    pair: Pair, wanted: IndexRequest, cells: Sequence[Cell], images: Tensor, report: Report = no_report
) -> IndexValues:
    """Compute indices on cells, and their nulls, in one pass of each network.

    Args:
        pair: the networks, their data and the device.
        wanted: the indices, and the number of permutations of their nulls.
        cells: (front layer, end layer) each.
        images: the evaluation images (indices into the test split). Indices of averages over positions use all of them,
            other indices the first 1,000.
        report: receives the share that is done.

    Returns:
        values and nulls by index and cell.
    """
    results = IndexValues({}, {})
    needs = list(dict.fromkeys(INDICES[name].needs for name in wanted.names))
    for k, need in enumerate(needs):
        report_need = portion(report, k / len(needs), 1 / len(needs))
        for part in _indices_of_statistic(pair, wanted, need, cells, images, report_need):
            results.update(part)
    return results


def _indices_of_statistic(
    pair: Pair, wanted: IndexRequest, need: Needs, cells: Sequence[Cell], images: Tensor, report: Report
) -> Iterator[IndexValues]:
    """Compute the indices that need one statistic on all cells, some cells at a time."""
    share = SUMMING_SHARE if wanted.permutations else 1.0
    if need == "grams":
        front, end = grams(pair, cells, images[:INDEX_IMAGES], portion(report, 0.0, share))
        yield by_grams(wanted, cells, front, end, portion(report, share, 1 - share))
        return
    used_images = images if need == "averages" else images[:INDEX_IMAGES]
    shapes = {(i, j): (pair.front_shape(i), pair.end_shape(j)) for i, j in cells}
    parts = group_cells(shapes, len(used_images) if wanted.permutations and need == "averages" else 0)
    for k, part in enumerate(parts):
        report_part = portion(report, k / len(parts), 1 / len(parts))
        sums = sum_moments(
            pair,
            Sums(need, {cell: shapes[cell] for cell in part}, bool(wanted.permutations)),
            used_images,
            portion(report_part, 0.0, share),
        )
        yield by_moments(wanted, part, sums, need, portion(report_part, share, 1 - share))


def by_grams(
    wanted: IndexRequest, cells: Sequence[Cell], front: Mapping[str, Gram], end: Mapping[str, Gram], report: Report
) -> IndexValues:
    """Compute indices of images, as many at a time as have matrices that fit into memory together.

    Args:
        wanted, cells: the indices; (front layer, end layer) each.
        front, end: the Gram matrices of the layers.
        report: receives the share that is done.
    """
    names, count = wanted.names_needing("grams"), len(next(iter(front.values())).centred)
    shuffles = wanted.shuffles(count)
    at_once = max(1, MATRIX_MEMORY // (8 * count**2 * (len(front) + len(end))))
    results = IndexValues({}, {})
    for n in range(0, len(names), at_once):
        part = _by_matrices(
            names[n : n + at_once],
            cells,
            front,
            end,
            shuffles,
            portion(report, n / len(names), min(at_once, len(names) - n) / len(names)),
        )
        results.update(part)
    return results


def _by_matrices(
    names: Sequence[str],
    cells: Sequence[Cell],
    front: Mapping[str, Gram],
    end: Mapping[str, Gram],
    shuffles: Sequence[Tensor],
    report: Report,
) -> IndexValues:
    """Compute these indices as inner products of matrices, one for each layer."""
    results = IndexValues({}, {})
    matrices = {name: (_matrices(name, "front", front), _matrices(name, "end", end)) for name in names}
    nulls = (
        null.of_matrices(
            {name: (_defined(front_side), _defined(end_side)) for name, (front_side, end_side) in matrices.items()},
            shuffles,
            lambda done: report("permuting images for indices of images", done),
        )
        if shuffles
        else {}
    )
    for name, (front_side, end_side) in matrices.items():
        for i, j in cells:
            results.values[name, (i, j)] = value = _inner_product(front_side[i], end_side[j])
            if shuffles:
                results.nulls[name, (i, j)] = value if isinstance(value, str) else nulls[name, (i, j)]
    return results


def _defined(matrices: Mapping[str, Tensor | str]) -> dict[str, Tensor]:
    return {layer: matrix for layer, matrix in matrices.items() if isinstance(matrix, Tensor)}


def _inner_product(front: Tensor | str, end: Tensor | str) -> Value:
    if isinstance(front, str) or isinstance(end, str):
        return front if isinstance(front, str) else str(end)
    return float((front * end).sum())


def _matrices(name: str, side: Side, grams: Mapping[str, Gram]) -> dict[str, Tensor | str]:
    """Compute an index's matrix of each layer, or the reason why it has none."""
    function: GramIndex = index_function(name)
    return {layer: unusable(side, gram.centred) or function(gram) for layer, gram in grams.items()}


def by_moments(wanted: IndexRequest, cells: Sequence[Cell], sums: Sums, need: Needs, report: Report) -> IndexValues:
    """Compute indices of channels from second moments.

    Args:
        wanted: the indices, and the permutations of their nulls.
        cells, sums: (front layer, end layer) each, and the sums over all images.
        need: the statistic that the indices take.
        report: receives the progress of the nulls.
    """
    functions: dict[str, ChannelIndex] = {name: index_function(name) for name in wanted.names_needing(need)}
    moments = {cell: _usable(sums.moments(cell)) for cell in cells}
    values: dict[IndexCell, Value] = {
        (name, cell): cell_moments if isinstance(cell_moments, str) else function(cell_moments)
        for name, function in functions.items()
        for cell, cell_moments in moments.items()
    }
    if not wanted.permutations:
        return IndexValues(values, {})
    if need != "averages":
        return IndexValues(
            values, {item: value if isinstance(value, str) else null.NOT_PERMUTABLE for item, value in values.items()}
        )
    usable = {cell: cell_moments for cell, cell_moments in moments.items() if isinstance(cell_moments, SecondMoments)}
    front, end = (
        {layer: sums.centred_averages(side, layer) for layer in dict.fromkeys(cell[k] for cell in usable)}
        for k, side in enumerate(SIDES)
    )
    count = next((cell_moments.x.count for cell_moments in usable.values()), 0)
    nulls = null.of_moments(
        functions,
        usable,
        front,
        end,
        wanted.shuffles(count),
        lambda done: report("permuting images for indices of channels", done),
    )
    return IndexValues(
        values, {item: value if isinstance(value, str) else nulls[item] for item, value in values.items()}
    )


def _usable(moments: SecondMoments | str) -> SecondMoments | str:
    """Return the moments, or the reason why no index is defined on them."""
    if isinstance(moments, str):
        return moments
    return unusable("front", moments.x.moment) or unusable("end", moments.y.moment) or moments


def unusable(side: Side, matrix: Tensor) -> str:
    """Say why no index is defined on a layer; empty where indices may be defined."""
    if not bool(torch.isfinite(matrix).all()):
        return f"the activations of the {side} layer are not finite"
    return "" if bool(matrix.any()) else f"the activations of the {side} layer are constant"


def group_cells(shapes: dict[Cell, tuple[Shape, Shape]], rows: int) -> list[list[Cell]]:
    """Group cells, in order, so that a group's second moments and ``rows`` rows of its averages fit into memory."""
    groups: list[list[Cell]] = []
    free_bytes = 0
    in_memory: set[tuple[Side, str]] = set()
    for cell, (front_shape, end_shape) in shapes.items():
        front, end = max(front_shape), max(end_shape)  # a layer has at most so many channels
        layers: dict[tuple[Side, str], int] = {("front", cell[0]): front, ("end", cell[1]): end}
        new_channels = sum(channels for layer, channels in layers.items() if layer not in in_memory)
        free_bytes -= 8 * front * end + 8 * rows * new_channels
        if free_bytes < 0:
            groups.append([])
            free_bytes, in_memory = MOMENT_MEMORY - 8 * front * end - 8 * rows * (front + end), set()
        in_memory |= set(layers)
        groups[-1].append(cell)
    return groups


def sum_moments(pair: Pair, sums: Sums, images: Tensor, report: Report) -> Sums:
    """Add images to sums, and return the sums.

    Args:
        pair: the networks, their data and the device.
        sums: of the cells; the images are added to them.
        images: indices into the test split (N,).
        report: receives the share of the images that is done.
    """
    cells = sums.cells
    if not cells:
        return sums
    front = pair.run_front(list(dict.fromkeys(i for i, _ in cells)))
    end = pair.run_end(list(dict.fromkeys(j for _, j in cells)))
    images_done = 0
    for batch, _ in pair.batches(pair.data.test, images, BATCH):
        report("similarity indices", images_done / len(images))
        sums.add(front(batch), end(batch))
        images_done += len(batch)
    return sums
