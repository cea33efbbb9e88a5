"""Compute indices on half samples of the images, in all cells, from the Gram matrices or averages of one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.indices import SIDES, IndexCell, Side, Value, index_function
from stitchlab.indices.grams import Gram, GramIndex, grams
from stitchlab.indices.second_moments import Sums
from stitchlab.indices.statistics import IndexRequest, by_moments, group_cells, sum_moments, unusable
from stitchlab.request import INDEX_IMAGES, Cell, Report, no_report, portion
from stitchlab.stitch.halves import HalfSampleValues
from stitchlab.stitch.pair import Pair

PASS_SHARE = 0.1  # of the progress: the networks' pass, before half samples are measured

Add = Callable[[Mapping[IndexCell, Value]], None]  # receives the values of one half sample


def measure_half_samples(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    draw: Callable[[int], list[Tensor]],
    report: Report = no_report,
) -> HalfSampleValues:
    """Compute indices on half samples of the images that they use.

    Args:
        pair: the two networks.
        names: of the indices; either all need Gram matrices, or all need averages.
        cells: (front layer, end layer) each.
        images: the evaluation images (indices into the test split).
        draw: draws half samples of a number of images, each as indices from 0 on.
        report: receives the progress.
    """
    needs_grams = INDICES[names[0]].needs == "grams"
    used_images = images[:INDEX_IMAGES] if needs_grams else images
    values: dict[IndexCell, list[float]] = {(name, cell): [] for name in names for cell in cells}
    reasons: dict[IndexCell, str] = {}

    def add(half_sample: Mapping[IndexCell, Value]) -> None:
        for item, value in half_sample.items():
            values[item].append(math.nan if isinstance(value, str) else value)
            if isinstance(value, str):
                reasons.setdefault(item, value)

    measure = _by_grams if needs_grams else _by_averages
    measure(pair, names, cells, used_images, draw(len(used_images)), add, report)
    tensors = {item: torch.tensor(numbers, dtype=torch.float64) for item, numbers in values.items()}
    return HalfSampleValues(tensors, reasons)


def _by_grams(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    halves: Sequence[Tensor],
    add: Add,
    report: Report,
) -> None:
    """Compute indices of images, half sample by half sample."""
    front, end = grams(pair, cells, images, portion(report, 0.0, PASS_SHARE))
    for k, half in enumerate(halves):
        _report_half(report, k, len(halves))
        fronts, ends = (
            {layer: _usable(side, gram.subset(half.to(gram.centred.device))) for layer, gram in layers.items()}
            for side, layers in zip(SIDES, (front, end), strict=True)
        )
        for name in names:
            matrices = (_matrices(name, fronts), _matrices(name, ends))
            add({(name, cell): value for cell, value in _products(cells, *matrices).items()})


def _usable(side: Side, gram: Gram) -> Gram | str:
    return unusable(side, gram.centred) or gram


def _matrices(name: str, layers: Mapping[str, Gram | str]) -> dict[str, Tensor | str]:
    function: GramIndex = index_function(name)
    return {layer: gram if isinstance(gram, str) else function(gram) for layer, gram in layers.items()}


def _products(
    cells: Sequence[Cell], front: Mapping[str, Tensor | str], end: Mapping[str, Tensor | str]
) -> dict[Cell, Value]:
    """Compute the inner products of matrices in all cells at once; a cell without one has the reason."""
    rows, columns = (
        {layer: matrix.flatten() for layer, matrix in side.items() if isinstance(matrix, Tensor)}
        for side in (front, end)
    )
    products = (torch.stack([*rows.values()]) @ torch.stack([*columns.values()]).T).tolist() if rows and columns else []
    values = {
        (i, j): value for i, row in zip(rows, products, strict=False) for j, value in zip(columns, row, strict=True)
    }
    return {(i, j): values[i, j] if (i, j) in values else str(front[i] if i not in rows else end[j]) for i, j in cells}


def _by_averages(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    halves: Sequence[Tensor],
    add: Add,
    report: Report,
) -> None:
    """Compute indices of channels, half sample by half sample, for as many cells at a time as fit into memory."""
    shapes = {(i, j): (pair.front_shape(i), pair.end_shape(j)) for i, j in cells}
    parts = group_cells(shapes, len(images))
    for n, part in enumerate(parts):
        report_part = portion(report, n / len(parts), 1 / len(parts))
        sums = sum_moments(
            pair,
            Sums("averages", {cell: shapes[cell] for cell in part}, keep=True),
            images,
            portion(report_part, 0.0, PASS_SHARE),
        )
        front, end = (
            {layer: sums.averages(side, layer) for layer in dict.fromkeys(cell[k] for cell in part)}
            for k, side in enumerate(SIDES)
        )
        for k, half in enumerate(halves):
            _report_half(report_part, k, len(halves))
            add(by_moments(IndexRequest(names), part, _half_sums(part, front, end, half), "averages", no_report).values)


def _half_sums(cells: Sequence[Cell], front: Mapping[str, Tensor], end: Mapping[str, Tensor], half: Tensor) -> Sums:
    """Sum the second moments of the images of one half; averages (N, C) are added like activations of vectors."""
    fronts, ends = ({layer: rows[half.to(rows.device)] for layer, rows in side.items()} for side in (front, end))
    sums = Sums("averages", {(i, j): (tuple(fronts[i].shape[1:]), tuple(ends[j].shape[1:])) for i, j in cells})
    sums.add(fronts, ends)
    return sums


def _report_half(report: Report, k: int, count: int) -> None:
    report(f"half sample {k + 1} of {count}", PASS_SHARE + (1 - PASS_SHARE) * k / count)
