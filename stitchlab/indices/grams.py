"""Gathers Gram matrices of flattened features in batches, once a layer: all that Gram indices are computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
from torch import Tensor

from stitchlab.request import Cell, Report
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.pair import ForwardPass, Pair

GRAM_MEMORY = 2**29  # bytes of features at a time
CONSTANT = 1e-12  # a variance below this share of the mean square is rounding noise of fp32: it is constant


@dataclass(frozen=True, eq=False)
class Gram:
    """Holds inner products of one layer's N images, flattened to F features; float64, NaN where these are not finite.

    Attributes:
        centred: X Xᵀ (N, N) of features centred over images; 0 where they are constant but for rounding.
        on_mean: X μ (N,), centred images times the mean image.
        mean_square: μᵀμ.
        sums: of each image's own features (N,).
        features: F.
    """

    centred: Tensor
    on_mean: Tensor
    mean_square: Tensor
    sums: Tensor
    features: int

    @property
    def raw(self) -> Tensor:
        """Give inner products (N, N) of features as they are, not centred."""
        return self.centred + self.on_mean + self.on_mean[:, None] + self.mean_square

    def of(self, images: Tensor) -> Gram:
        """Give the Gram matrix of some of the images (n,) alone: their features are centred over these."""
        part = self.centred.index_select(0, images).index_select(1, images)
        # With m the mean of their features, which are centred over all images, and μ the mean of all:
        on_new, new_square = part.mean(1), part.mean()  # x m, mᵀm
        on_old = self.on_mean[images]  # x μ
        along = on_old.mean()  # mᵀμ
        centred = (part - on_new).sub_(on_new[:, None]).add_(new_square)
        mean_square = self.mean_square + 2 * along + new_square
        size = torch.maximum(centred.trace() + len(images) * mean_square, part.trace())
        return Gram(
            _varying(centred, size), on_old + on_new - along - new_square, mean_square, self.sums[images], self.features
        )


def gram(batches: Callable[[], Iterable[Tensor]], features: int, count: int) -> Gram:
    """Gather the Gram matrix of a layer's flattened activations.

    Where all images' features together pass GRAM_MEMORY, the batches are asked for again for the next features.

    Args:
        batches: makes the activations of all images, (n, ...) each.
        features, count: numbers of features of an image, and of images.
    """
    width = max(1, GRAM_MEMORY // (8 * count))
    total = on_mean = mean_square = sums = size = torch.zeros(())
    for start in range(0, features, width):
        x = torch.cat([exact(batch.flatten(1)[:, start : start + width]) for batch in batches()])
        mean = x.mean(0)
        centred = x - mean
        total, on_mean, mean_square, sums, size = (
            before.to(x.device) + part
            for before, part in zip(
                (total, on_mean, mean_square, sums, size),
                (centred @ centred.T, centred @ mean, mean @ mean, x.sum(1), x.square().sum()),
                strict=True,
            )
        )
    return Gram(_varying(total, size), on_mean, mean_square, sums, features)


def _varying(centred: Tensor, size: Tensor) -> Tensor:
    """Return a Gram matrix, 0 where it is rounding: its trace is nothing beside the sum of squares behind it."""
    return torch.zeros_like(centred) if centred.trace() <= CONSTANT * size else centred


def grams(pair: Pair, cells: Sequence[Cell], images: Tensor, report: Report) -> tuple[dict[str, Gram], dict[str, Gram]]:
    """Gather Gram matrices of all front and all end layers, as many layers in one pass as GRAM_MEMORY holds.

    Args:
        pair: the networks, their data and the device.
        cells: (front layer, end layer) each.
        images: indices into the test split (N,).
        report: told the layers, and the share that is done.

    Returns:
        by front layer, and by end layer.
    """
    made: tuple[dict[str, Gram], dict[str, Gram]] = ({}, {})
    sides = (
        (dict.fromkeys(i for i, _ in cells), pair.front_shape, pair.run_front),
        (dict.fromkeys(j for _, j in cells), pair.end_shape, pair.run_end),
    )
    for side, (layers, shape_of, run_of) in enumerate(sides):
        features = {layer: prod(shape_of(layer)) for layer in layers}
        for group in _groups(features, len(images)):
            done = 0.5 * (side + len(made[side]) / len(layers))
            part = partial(report, f"similarity indices, layer {group[0]}", done)
            batches = partial(_batches, pair, run_of(group), images, part)
            # One layer alone may be too large to keep: it is run again for every part of its features.
            kept = list(batches()) if len(group) > 1 else None
            for layer in group:
                of = partial(_of, kept or batches, layer)
                made[side][layer] = gram(of, features[layer], len(images))
    return made


def _groups(features: dict[str, int], count: int) -> list[list[str]]:
    """Group layers whose activations of so many images lie in memory together, in order."""
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


def _batches(pair: Pair, run: ForwardPass, images: Tensor, alive: Callable[[], None]) -> Iterator[dict[str, Tensor]]:
    for batch, _ in pair.batches(pair.data.test, images):
        alive()
        yield run(batch)
