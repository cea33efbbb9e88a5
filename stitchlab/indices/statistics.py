"""The two statistics that indices are computed from, gathered in batches, once a layer where a layer is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.indices import index_function
from stitchlab.request import Report, no_report
from stitchlab.results.activation_layout import Form, form
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.pair import Pair, Run

GRAM_MEMORY = 2**29  # bytes of features at a time
CONSTANT = 1e-12  # a variance below this share of the mean square is rounding noise of fp32: the channel is constant

Cell = tuple[str, str]  # front layer, end layer


def measure(name: str, x: Tensor, y: Tensor) -> float | None:
    """An index on two activations of the same images, x (N, ...) the front's and y (N, ...) the end's.

    Returns:
        its value, or None where it is not defined. Raises UnknownName; StitchLabError where x and y are no activations
        of the same images.

    >>> x = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> round(measure("cka", x, x), 6), abs(round(measure("opd", x, 2 * x), 6))
    (1.0, 0.0)
    """
    if name not in INDICES:
        raise UnknownName("similarity index", name, INDICES)
    _same_images(x, y)
    index = index_function(name)
    if INDICES[name].needs == "grams":
        return index(gram(lambda: [x], x[0].numel(), len(x)), gram(lambda: [y], y[0].numel(), len(y)))
    sums = Moments([("x", "y")], {"x": form(tuple(x.shape[1:]))}, {"y": form(tuple(y.shape[1:]))})
    sums.add({"x": x}, {"y": y})
    return index(*sums.of(("x", "y")))


def _same_images(x: Tensor, y: Tensor) -> None:
    """Raises StitchLabError where two tensors are no activations of the same images."""
    for side, value in (("front", x), ("end", y)):
        if not isinstance(value, Tensor) or not 2 <= value.dim() <= 4 or not value.is_floating_point():
            came = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise StitchLabError(f"the {side} layer's activations are a tensor of real numbers, (N, C, H, W), "
                                 f"(N, T, D) or (N, D); got {came}")
    if len(x) != len(y) or not (x.numel() and y.numel()):
        raise StitchLabError(f"both layers' activations are of the same N ≥ 1 images; got {tuple(x.shape)} and "
                             f"{tuple(y.shape)}")


def indices(
    pair: Pair, names: Sequence[str], cells: Sequence[Cell], images: Tensor, report: Report = no_report
) -> dict[tuple[str, Cell], float | None]:
    """Values of the named indices on cells, on test images (indices); None where one is not defined."""
    found: dict[tuple[str, Cell], float | None] = {}
    wanted = {need: [n for n in names if INDICES[n].needs == need] for need in ("grams", "moments")}
    if wanted["grams"]:
        front, end = _grams(pair, cells, images, report)
        found |= {(n, (i, j)): index_function(n)(front[i], end[j]) for n in wanted["grams"] for i, j in cells}
    if wanted["moments"]:
        sums = _moments(pair, cells, images, report)
        found |= {(n, cell): index_function(n)(*sums.of(cell)) for n in wanted["moments"] for cell in cells}
    return found


def gram(batches: Callable[[], Iterable[Tensor]], features: int, count: int) -> Tensor:
    """K = X Xᵀ (N, N), float64, of centred flattened activations.

    Where all images' features together pass GRAM_MEMORY, the batches are asked for again for the next features.

    Args:
        batches: makes the activations of all images, (n, ...) each.
        features, count: numbers of features of an image, and of images.
    """
    width = max(1, GRAM_MEMORY // (8 * count))
    total, size = torch.zeros(()), torch.zeros(())
    for start in range(0, features, width):
        x = torch.cat([exact(batch.flatten(1)[:, start:start + width]) for batch in batches()])
        centred = x - x.mean(0)
        total, size = total.to(x.device) + centred @ centred.T, size.to(x.device) + x.square().sum()
    return total if total.trace() > CONSTANT * size else torch.zeros_like(total)


class Moments:
    """XᵀX, XᵀY, YᵀY of centred rows for cells, summed over batches.

    What the rows are depends on the cell: equal (C, H, W), or as many tokens: positions; any other pair: averages over
    positions.
    """

    def __init__(self, cells: Sequence[Cell], sources: dict[str, Form], targets: dict[str, Form]) -> None:
        self._cells = {(i, j): (sources[i], targets[j], _by_position(sources[i], targets[j])) for i, j in cells}
        self._sums: dict[tuple[object, object], Tensor] = {}

    def add(self, x: dict[str, Tensor], y: dict[str, Tensor]) -> None:
        """One batch: activations (n, ...) of the front layers x and of the end layers y."""
        rows: dict[object, Tensor] = {}
        batch: dict[tuple[object, object], Tensor] = {}
        for (i, j), (source, target, by_position) in self._cells.items():
            a, b = ("front", i, by_position), ("end", j, by_position)
            for key, value, shape in ((a, x[i], source), (b, y[j], target)):
                if key not in rows:
                    rows[key] = _rows(value, shape, by_position)
            for one, other in ((a, a), (a, b), (b, b)):
                if (one, other) not in batch:
                    batch[one, other] = rows[one].T @ rows[other]
        for keys, value in batch.items():
            self._sums[keys] = self._sums[keys] + value if keys in self._sums else value

    def of(self, cell: Cell) -> tuple[Tensor, Tensor, Tensor]:
        """XᵀX (C, C), XᵀY (C, D), YᵀY (D, D) of a cell's centred rows."""
        by_position = self._cells[cell][2]
        a, b = ("front", cell[0], by_position), ("end", cell[1], by_position)
        return self._centred(a, a), self._centred(a, b), self._centred(b, b)

    def _centred(self, one: object, other: object) -> Tensor:
        raw = self._sums[one, other]  # [X 1]ᵀ[Y 1]: the last row and column are sums, the last entry is the count
        centred = raw[:-1, :-1] - raw[:-1, -1:] * raw[-1:, :-1] / raw[-1, -1]
        return centred * self._varies(one)[:, None] * self._varies(other)

    def _varies(self, key: object) -> Tensor:
        raw = self._sums[key, key]
        square = raw.diagonal()[:-1]
        return (square - raw[-1, :-1].square() / raw[-1, -1] > CONSTANT * square).double()


def _by_position(source: Form, target: Form) -> bool:
    if source.kind == target.kind == "tokens":
        return source.tokens == target.tokens
    maps = source.kind.startswith("map") and target.kind.startswith("map")
    same = (source.channels, source.height, source.width) == (target.channels, target.height, target.width)
    return maps and same


def _rows(x: Tensor, shape: Form, by_position: bool) -> Tensor:  # (rows, C+1): with a column of ones
    channels_last = x.movedim(1, -1) if shape.kind == "map" else x
    rows = exact(channels_last.reshape(len(x), -1, shape.channels))
    rows = rows.flatten(0, 1) if by_position else rows.mean(1)
    return torch.nn.functional.pad(rows, (0, 1), value=1.0)


def _grams(
    pair: Pair, cells: Sequence[Cell], images: Tensor, report: Report
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Gram matrices of all front and all end layers, as many layers in one pass as GRAM_MEMORY holds."""
    made: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    sides = ((dict.fromkeys(i for i, _ in cells), pair.front_cuts, pair.run_front),
             (dict.fromkeys(j for _, j in cells), pair.end_cuts, pair.run_end))
    for side, (layers, cuts, run_of) in enumerate(sides):
        features = {layer: prod(cuts.find(layer).shape) for layer in layers}
        for group in _groups(features, len(images)):
            done = 0.25 * (side + len(made[side]) / len(layers))
            part = partial(report, f"similarity indices, layer {group[0]}", done)
            batches = partial(_batches, pair, run_of(group), images, part)
            # One layer alone may be too large to keep: it is run again for every part of its features.
            kept = list(batches()) if len(group) > 1 else None
            for layer in group:
                of = partial(_of, kept or batches, layer)
                made[side][layer] = gram(of, features[layer], len(images))
    return made


def _groups(features: dict[str, int], count: int) -> list[list[str]]:
    """Layers whose activations of so many images lie in memory together, in order."""
    groups: list[list[str]] = []
    room = 0
    for layer, size in features.items():
        room -= 4 * count * size
        if room < 0:
            groups.append([])
            room = GRAM_MEMORY - 4 * count * size
        groups[-1].append(layer)
    return groups


def _of(batches: list[dict[str, Tensor]] | Callable[[], Iterator[dict[str, Tensor]]], layer: str) -> Iterator[Tensor]:
    return (batch[layer] for batch in (batches if isinstance(batches, list) else batches()))


def _batches(
    pair: Pair, run: Run, images: Tensor, alive: Callable[[], None]
) -> Iterator[dict[str, Tensor]]:
    for batch, _ in pair.batches(pair.data.test, images):
        alive()
        yield run(batch)


def _moments(pair: Pair, cells: Sequence[Cell], images: Tensor, report: Report) -> Moments:
    fronts, ends = list(dict.fromkeys(i for i, _ in cells)), list(dict.fromkeys(j for _, j in cells))
    sums = Moments(cells, {i: pair.source(i) for i in fronts}, {j: pair.target(j) for j in ends})
    front, end = pair.run_front(fronts), pair.run_end(ends)
    seen = 0
    for batch, _ in pair.batches(pair.data.test, images, 100):
        report("similarity indices", 0.5 + 0.5 * seen / len(images))
        sums.add(front(batch), end(batch))
        seen += len(batch)
    return sums
