"""Similarity indices on two layers' activations, or on all cells of two networks: what each needs is gathered once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import Value, index_function
from stitchlab.indices.grams import gram, grams
from stitchlab.indices.second_moments import Sums
from stitchlab.request import INDEX_IMAGES, Report, no_report, portion
from stitchlab.stitch.pair import Cell, Pair

MOMENT_MEMORY = 2**30  # bytes of second moments at a time
BATCH = 100

#: What an index's function is given for a cell, or why there is nothing to give.
_Statistic = Callable[[Cell], tuple[Any, ...] | str]


def measure(name: str, x: Tensor, y: Tensor) -> float | None:
    """An index on two activations of the same images, x (N, ...) the front's and y (N, ...) the end's.

    Returns:
        its value, or None where it is not defined. Raises UnknownName; StitchLabError where x and y are no activations
        of the same images.

    >>> x = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> round(measure("cka", x, x), 6), abs(round(measure("opd", x, 2 * x), 6))
    (1.0, 0.0)
    """
    value = defined(name, x, y)
    return None if isinstance(value, str) else value


def defined(name: str, x: Tensor, y: Tensor) -> Value:
    """An index as `measure` gives it, or the reason why it is undefined."""
    if name not in INDICES:
        raise UnknownName("similarity index", name, INDICES)
    _same_images(x, y)
    x, y = x.detach(), y.detach()
    if INDICES[name].needs == "grams":
        return _value(name, (gram(lambda: [x], x[0].numel(), len(x)), gram(lambda: [y], y[0].numel(), len(y))))
    sums = Sums(INDICES[name].needs, {("x", "y"): (tuple(x.shape[1:]), tuple(y.shape[1:]))})
    sums.add({"x": x}, {"y": y})
    return _value(name, sums.of(("x", "y")))


def _same_images(x: Tensor, y: Tensor) -> None:
    """Raises StitchLabError where two tensors are no activations of the same images."""
    for side, value in (("front", x), ("end", y)):
        if not isinstance(value, Tensor) or not 2 <= value.dim() <= 4 or not value.is_floating_point():
            came = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise StitchLabError(f"the {side} layer's activations: a tensor of real numbers (N, C, H, W), (N, T, D) or "
                                 f"(N, D) was expected; got {came}")
    if len(x) != len(y) or not (x.numel() and y.numel()):
        raise StitchLabError("activations of the same N ≥ 1 images were expected of both layers; got "
                             f"{tuple(x.shape)} and {tuple(y.shape)}")


def indices(
    pair: Pair, names: Sequence[str], cells: Sequence[Cell], images: Tensor, report: Report = no_report
) -> dict[tuple[str, Cell], Value]:
    """Values of the named indices on cells; the reason where one is undefined.

    Args:
        images: the evaluation images (indices into the test split). Averages over positions are of all, all else is
            of the first 1,000.
    """
    found: dict[tuple[str, Cell], Value] = {}
    needs = list(dict.fromkeys(INDICES[name].needs for name in names))
    for k, need in enumerate(needs):
        part = portion(report, k / len(needs), 1 / len(needs))
        for some, statistic in _gathered(pair, need, cells, images, part):
            found |= {(name, cell): _value(name, statistic(cell))
                      for cell in some for name in names if INDICES[name].needs == need}
    return found


def _value(name: str, statistic: tuple[Any, ...] | str) -> Value:
    if isinstance(statistic, str):
        return statistic
    own = (statistic[0], statistic[1]) if INDICES[name].needs == "grams" else (statistic[0], statistic[2])
    for side, matrix in zip(("front", "end"), own, strict=True):
        if not bool(torch.isfinite(matrix).all()):
            return f"the activations of the {side} layer are not finite"
        if not bool(matrix.any()):
            return f"the activations of the {side} layer are constant"
    return index_function(name)(*statistic) if INDICES[name].needs == "grams" else index_function(name)(statistic)


def _gathered(
    pair: Pair, need: Needs, cells: Sequence[Cell], images: Tensor, report: Report
) -> Iterator[tuple[Sequence[Cell], _Statistic]]:
    """The statistic of this kind for all cells, some at a time."""
    if need == "grams":
        front, end = grams(pair, cells, images[:INDEX_IMAGES], report)
        yield cells, lambda cell: (front[cell[0]], end[cell[1]])
        return
    looked = images if need == "averages" else images[:INDEX_IMAGES]
    shapes = {(i, j): (pair.front_cuts.find(i).shape, pair.end_cuts.find(j).shape) for i, j in cells}
    parts = _parts(shapes)
    for k, part in enumerate(parts):
        sums = _summed(pair, Sums(need, {cell: shapes[cell] for cell in part}), looked,
                       portion(report, k / len(parts), 1 / len(parts)))
        yield part, sums.of


def _parts(shapes: dict[Cell, tuple[tuple[int, ...], tuple[int, ...]]]) -> list[list[Cell]]:
    """Cells whose second moments lie in memory together, in order."""
    parts: list[list[Cell]] = []
    room = 0
    for cell, (one, other) in shapes.items():
        size = 8 * max(one) * max(other)  # a layer has no more channels than that
        room -= size
        if room < 0:
            parts.append([])
            room = MOMENT_MEMORY - size
        parts[-1].append(cell)
    return parts


def _summed(pair: Pair, sums: Sums, images: Tensor, report: Report) -> Sums:
    """The sums with all these images added."""
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
