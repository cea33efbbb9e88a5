"""Similarity indices on two layers' activations, or on all cells of two networks: what each needs is gathered once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES, Needs
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import Value, index_function, null
from stitchlab.indices.grams import Gram, gram, grams
from stitchlab.indices.null import Null
from stitchlab.indices.second_moments import SecondMoments, Sums
from stitchlab.request import INDEX_IMAGES, Report, no_report, portion
from stitchlab.stitch.pair import Cell, Pair

MOMENT_MEMORY = 2**30  # bytes of second moments, and of averages that are kept, at a time
BATCH = 100
PERMUTING = 0.5  # of the progress of indices with a null, which is the part that takes long

Item = tuple[str, Cell]  # an index's name, and a cell


class Wanted(NamedTuple):
    """What is wanted of indices: their names, and for a null, how many permutations and the seed that draws them."""

    names: Sequence[str]
    permutations: int = 0
    seed: int = 0

    def of(self, need: Needs) -> list[str]:
        """Those that need this statistic."""
        return [name for name in self.names if INDICES[name].needs == need]

    def shuffles(self, count: int) -> list[Tensor]:
        """The permutations of so many images."""
        return list(null.orders(self.seed, count, self.permutations))


class Found(NamedTuple):
    """Values of indices, and nulls where those were wanted; the reason where one is undefined."""

    values: dict[Item, Value]
    nulls: dict[Item, Null]


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
    return _of_activations(Wanted([name]), x, y).values[name, _XY]


def permuted(name: str, x: Tensor, y: Tensor, permutations: int = 200, seed: int = 0) -> Null:
    """Give an index of x with y's images permuted, as often as wanted: its null, to hold `measure` against.

    Returns:
        a value for each permutation, or the reason why there are none. Raises as `measure`.
    """
    return _of_activations(Wanted([name], permutations, seed), x, y).nulls[name, _XY]


_XY: Cell = ("x", "y")


def _of_activations(wanted: Wanted, x: Tensor, y: Tensor) -> Found:
    (name,) = wanted.names
    if name not in INDICES:
        raise UnknownName("similarity index", name, INDICES)
    _same_images(x, y)
    x, y = x.detach(), y.detach()
    if INDICES[name].needs == "grams":
        front, end = (gram(lambda v=v: [v], v[0].numel(), len(v)) for v in (x, y))  # type: ignore[misc]
        return _by_grams(wanted, [_XY], {"x": front}, {"y": end}, no_report)
    sums = Sums(INDICES[name].needs, {_XY: (tuple(x.shape[1:]), tuple(y.shape[1:]))}, bool(wanted.permutations))
    sums.add({"x": x}, {"y": y})
    return _by_moments(wanted, [_XY], sums, INDICES[name].needs, no_report)


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
    pair: Pair, wanted: Wanted, cells: Sequence[Cell], images: Tensor, report: Report = no_report
) -> Found:
    """Compute indices on cells, and their nulls, from one pass of each network.

    Args:
        images: the evaluation images (indices into the test split). Averages over positions are of all, all else is
            of the first 1,000.
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
    """What the indices of one statistic say of all cells, some at a time."""
    share = PERMUTING if wanted.permutations else 1.0
    if need == "grams":
        front, end = grams(pair, cells, images[:INDEX_IMAGES], portion(report, 0.0, share))
        yield _by_grams(wanted, cells, front, end, portion(report, share, 1 - share))
        return
    looked = images if need == "averages" else images[:INDEX_IMAGES]
    shapes = {(i, j): (pair.front_cuts.find(i).shape, pair.end_cuts.find(j).shape) for i, j in cells}
    parts = _parts(shapes, len(looked) if wanted.permutations and need == "averages" else 0)
    for k, part in enumerate(parts):
        of_part = portion(report, k / len(parts), 1 / len(parts))
        sums = _summed(pair, Sums(need, {cell: shapes[cell] for cell in part}, bool(wanted.permutations)), looked,
                       portion(of_part, 0.0, share))
        yield _by_moments(wanted, part, sums, need, portion(of_part, share, 1 - share))


def _by_grams(
    wanted: Wanted, cells: Sequence[Cell], front: Mapping[str, Gram], end: Mapping[str, Gram], report: Report
) -> Found:
    """What Gram indices say: inner products of matrices that each layer has for itself."""
    found, names = Found({}, {}), wanted.of("grams")
    shuffles = wanted.shuffles(len(next(iter(front.values())).centred))
    for n, name in enumerate(names):
        of_front, of_end = ({layer: _matrix(name, side, known) for layer, known in grams.items()}
                            for side, grams in (("front", front), ("end", end)))
        chance = null.of_matrices(_defined(of_front), _defined(of_end), shuffles, _alive(report, name, n, len(names))
                                  ) if shuffles else {}
        for i, j in cells:
            found.values[name, (i, j)] = value = _product(of_front[i], of_end[j])
            if shuffles:
                found.nulls[name, (i, j)] = value if isinstance(value, str) else chance[i, j]
    return found


def _defined(matrices: Mapping[str, Tensor | str]) -> dict[str, Tensor]:
    return {layer: matrix for layer, matrix in matrices.items() if isinstance(matrix, Tensor)}


def _product(one: Tensor | str, other: Tensor | str) -> Value:
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else str(other)
    return float((one * other).sum())


def _alive(report: Report, name: str, n: int, of: int) -> null.Alive:
    return lambda done: report(f"permuting images for {INDICES[name].label}", (n + done) / of)


def _matrix(name: str, side: str, known: Gram) -> Tensor | str:
    made: Tensor | str = _unusable(side, known.centred) or index_function(name)(known)
    return made


def _by_moments(wanted: Wanted, cells: Sequence[Cell], sums: Sums, need: Needs, report: Report) -> Found:
    """What indices of channels say, by second moments of the layers' rows."""
    functions = {name: index_function(name) for name in wanted.of(need)}
    moments = {cell: _usable(sums.of(cell)) for cell in cells}
    values: dict[Item, Value] = {
        (name, cell): known if isinstance(known, str) else function(known)
        for name, function in functions.items() for cell, known in moments.items()}
    if not wanted.permutations:
        return Found(values, {})
    if need != "averages":
        return Found(values, {item: value if isinstance(value, str) else null.NOT_PERMUTABLE
                              for item, value in values.items()})
    usable = {cell: known for cell, known in moments.items() if isinstance(known, SecondMoments)}
    front, end = ({layer: sums.kept(side, layer) for layer in dict.fromkeys(cell[k] for cell in usable)}
                  for k, side in enumerate(("front", "end")))
    count = next((known.x.count for known in usable.values()), 0)
    chance = null.of_moments(functions, usable, front, end, wanted.shuffles(count),
                             lambda done: report("permuting images for indices of channels", done))
    return Found(values, {item: value if isinstance(value, str) else chance[item] for item, value in values.items()})


def _usable(known: SecondMoments | str) -> SecondMoments | str:
    if isinstance(known, str):
        return known
    return _unusable("front", known.x.moment) or _unusable("end", known.y.moment) or known


def _unusable(side: str, matrix: Tensor) -> str:
    """Why a layer has no index at all; empty where it has."""
    if not bool(torch.isfinite(matrix).all()):
        return f"the activations of the {side} layer are not finite"
    return "" if bool(matrix.any()) else f"the activations of the {side} layer are constant"


def _parts(shapes: dict[Cell, tuple[tuple[int, ...], tuple[int, ...]]], rows: int) -> list[list[Cell]]:
    """Cells whose second moments, and so many rows of averages, lie in memory together, in order."""
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
