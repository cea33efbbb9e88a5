"""Computes indices on half samples of the images, in all cells, from what one pass kept: Gram matrices, averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.indices import Value, index_function
from stitchlab.indices.grams import Gram, grams
from stitchlab.indices.second_moments import Sums
from stitchlab.indices.statistics import Wanted, by_moments, parts_of, summed, unusable
from stitchlab.request import INDEX_IMAGES, Cell, Report, no_report, portion
from stitchlab.stitch.halves import Halved, Item
from stitchlab.stitch.pair import Pair

PASS = 0.1  # of the progress: the networks' pass, before half samples are looked at


def halved(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    draw: Callable[[int], list[Tensor]],
    report: Report = no_report,
) -> Halved:
    """Compute indices on half samples of the images that they look at.

    Args:
        pair: the two networks.
        names: of the indices: all need Gram matrices, or all averages.
        cells: that are meant.
        images: the evaluation images (indices into the test split).
        draw: gives the half samples of so many images, each as places among them.
        report: told how far it is.
    """
    of_grams = INDICES[names[0]].needs == "grams"
    looked = images[:INDEX_IMAGES] if of_grams else images
    values: dict[Item, list[float]] = {(name, cell): [] for name in names for cell in cells}
    reasons: dict[Item, str] = {}

    def add(found: Mapping[Item, Value]) -> None:
        for item, value in found.items():
            values[item].append(math.nan if isinstance(value, str) else value)
            if isinstance(value, str):
                reasons.setdefault(item, value)

    (_by_grams if of_grams else _by_averages)(pair, names, cells, looked, draw(len(looked)), add, report)
    return Halved({item: torch.tensor(found, dtype=torch.float64) for item, found in values.items()}, reasons)


_Add = Callable[[Mapping[Item, Value]], None]


def _by_grams(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    halves: Sequence[Tensor],
    add: _Add,
    report: Report,
) -> None:
    """Compute what Gram indices say, half sample by half sample."""
    front, end = grams(pair, cells, images, portion(report, 0.0, PASS))
    for k, half in enumerate(halves):
        _say(report, k, len(halves))
        fronts, ends = (
            {layer: _usable(side, known.of(half.to(known.centred.device))) for layer, known in of.items()}
            for side, of in (("front", front), ("end", end))
        )
        for name in names:
            matrices = (_matrices(name, fronts), _matrices(name, ends))
            add({(name, cell): value for cell, value in _products(cells, *matrices).items()})


def _usable(side: str, known: Gram) -> Gram | str:
    return unusable(side, known.centred) or known


def _matrices(name: str, layers: Mapping[str, Gram | str]) -> dict[str, Tensor | str]:
    function = index_function(name)
    return {layer: known if isinstance(known, str) else function(known) for layer, known in layers.items()}


def _products(
    cells: Sequence[Cell], front: Mapping[str, Tensor | str], end: Mapping[str, Tensor | str]
) -> dict[Cell, Value]:
    """Compute the inner products of two layers' matrices in all cells at once; or say why a layer has no matrix."""
    rows, columns = (
        {layer: made.flatten() for layer, made in side.items() if isinstance(made, Tensor)} for side in (front, end)
    )
    products = (torch.stack([*rows.values()]) @ torch.stack([*columns.values()]).T).tolist() if rows and columns else []
    known = {
        (i, j): value for i, row in zip(rows, products, strict=False) for j, value in zip(columns, row, strict=True)
    }
    return {(i, j): known[i, j] if (i, j) in known else str(front[i] if i not in rows else end[j]) for i, j in cells}


def _by_averages(
    pair: Pair,
    names: Sequence[str],
    cells: Sequence[Cell],
    images: Tensor,
    halves: Sequence[Tensor],
    add: _Add,
    report: Report,
) -> None:
    """Compute indices of channels, half sample by half sample, as many cells at a time as memory holds."""
    shapes = {(i, j): (pair.front_shape(i), pair.end_shape(j)) for i, j in cells}
    parts = parts_of(shapes, len(images))
    for n, part in enumerate(parts):
        of_part = portion(report, n / len(parts), 1 / len(parts))
        sums = summed(
            pair,
            Sums("averages", {cell: shapes[cell] for cell in part}, keep=True),
            images,
            portion(of_part, 0.0, PASS),
        )
        front, end = (
            {layer: sums.averages(side, layer) for layer in dict.fromkeys(cell[k] for cell in part)}
            for k, side in enumerate(("front", "end"))
        )
        for k, half in enumerate(halves):
            _say(of_part, k, len(halves))
            add(by_moments(Wanted(names), part, _of_half(part, front, end, half), "averages", no_report).values)


def _of_half(cells: Sequence[Cell], front: Mapping[str, Tensor], end: Mapping[str, Tensor], half: Tensor) -> Sums:
    """Sum second moments of some of the rows: averages (N, C) are themselves activations, of vectors."""
    fronts, ends = ({layer: rows[half.to(rows.device)] for layer, rows in side.items()} for side in (front, end))
    sums = Sums("averages", {(i, j): (tuple(fronts[i].shape[1:]), tuple(ends[j].shape[1:])) for i, j in cells})
    sums.add(fronts, ends)
    return sums


def _say(report: Report, k: int, of: int) -> None:
    report(f"half sample {k + 1} of {of}", PASS + (1 - PASS) * k / of)
