"""Compute Gram matrices of flattened features in batches, once for each layer; indices of images need nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
from torch import Tensor

from stitchlab.request import Cell, Report
from stitchlab.stitch.numerics import to_float64
from stitchlab.stitch.pair import ForwardPass, Pair

GRAM_MEMORY = 2**29  # bytes of features that are in memory at a time
MIN_VARIANCE_RATIO = 1e-12  # a variance below this share of the mean square is float32 rounding noise: it counts as 0


@dataclass(frozen=True, eq=False)
class Gram:
    """Hold inner products of one layer's N images, flattened to F features; float64, NaN where features are not finite.

    Attributes:
        centred: X Xᵀ (N, N) of features that are centred over images; 0 where they are constant up to rounding.
        on_mean: X μ (N,), the inner products of centred images and the mean image μ.
        mean_square: μᵀμ.
        sums: the sum of each image's features (N,), not centred.
        features: F.
    """

    centred: Tensor
    on_mean: Tensor
    mean_square: Tensor
    sums: Tensor
    features: int

    @property
    def raw(self) -> Tensor:
        """Compute inner products (N, N) of features that are not centred."""
        return self.centred + self.on_mean + self.on_mean[:, None] + self.mean_square

    def __repr__(self) -> str:
        return f"Gram({len(self.centred)} images, {self.features} features)"

    def subset(self, images: Tensor) -> Gram:
        """Compute the Gram matrix of some images (n,), whose features are centred over these images alone."""
        part = self.centred.index_select(0, images).index_select(1, images)
        # x are features that are centred over all images, μ is the mean of all images, and m the mean of the chosen x.
        x_m, m_m = part.mean(1), part.mean()
        x_mu = self.on_mean[images]
        m_mu = x_mu.mean()
        centred = (part - x_m).sub_(x_m[:, None]).add_(m_m)
        mean_square = self.mean_square + 2 * m_mu + m_m
        sum_of_squares = torch.maximum(centred.trace() + len(images) * mean_square, part.trace())
        return Gram(
            _zero_if_constant(centred, sum_of_squares),
            x_mu + x_m - m_mu - m_m,
            mean_square,
            self.sums[images],
            self.features,
        )


#: Computes an index's matrix (N, N) of norm 1 from one layer's Gram matrix, or says why it is undefined.
GramIndex = Callable[[Gram], Tensor | str]


def gram(batches: Callable[[], Iterable[Tensor]], features: int, count: int) -> Gram:
    """Compute the Gram matrix of a layer's flattened activations.

    Where the features of all images exceed GRAM_MEMORY, the batches are computed again for each further part of them.

    Args:
        batches: computes the activations of all images, in batches (n, ...).
        features, count: number of features of an image, and number of images.
    """
    width = max(1, GRAM_MEMORY // (8 * count))
    products = on_mean = mean_square = sums = sum_of_squares = torch.zeros(())
    for start in range(0, features, width):
        x = torch.cat([to_float64(batch.flatten(1)[:, start : start + width]) for batch in batches()])
        mean = x.mean(0)
        centred = x - mean
        products, on_mean, mean_square, sums, sum_of_squares = (
            so_far.to(x.device) + part
            for so_far, part in zip(
                (products, on_mean, mean_square, sums, sum_of_squares),
                (centred @ centred.T, centred @ mean, mean @ mean, x.sum(1), x.square().sum()),
                strict=True,
            )
        )
    return Gram(_zero_if_constant(products, sum_of_squares), on_mean, mean_square, sums, features)


def _zero_if_constant(centred: Tensor, sum_of_squares: Tensor) -> Tensor:
    """Return a Gram matrix, or zeros where its trace is only rounding noise of features' sum of squares."""
    return torch.zeros_like(centred) if centred.trace() <= MIN_VARIANCE_RATIO * sum_of_squares else centred


def grams(pair: Pair, cells: Sequence[Cell], images: Tensor, report: Report) -> tuple[dict[str, Gram], dict[str, Gram]]:
    """Compute Gram matrices of all front and all end layers; one pass serves as many layers as fit into GRAM_MEMORY.

    Args:
        pair: the networks, their data and the device.
        cells: (front layer, end layer) each.
        images: indices into the test split (N,).
        report: receives the layers, and the share that is done.

    Returns:
        Gram matrices by front layer, and by end layer.
    """
    by_side: tuple[dict[str, Gram], dict[str, Gram]] = ({}, {})
    sides = (
        (dict.fromkeys(i for i, _ in cells), pair.front_shape, pair.run_front),
        (dict.fromkeys(j for _, j in cells), pair.end_shape, pair.run_end),
    )
    for side, (layers, shape_of, run_of) in enumerate(sides):
        features = {layer: prod(shape_of(layer)) for layer in layers}
        for group in _groups(features, len(images)):
            done = 0.5 * (side + len(by_side[side]) / len(layers))
            report_layer = partial(report, f"similarity indices, layer {group[0]}", done)
            batches = partial(_batches, pair, run_of(group), images, report_layer)
            # A single layer may be too large to keep: then the network runs again for every part of its features.
            kept_batches = list(batches()) if len(group) > 1 else None
            for layer in group:
                layer_batches = partial(_layer_batches, kept_batches or batches, layer)
                by_side[side][layer] = gram(layer_batches, features[layer], len(images))
    return by_side


def _groups(features: dict[str, int], count: int) -> list[list[str]]:
    """Group layers, in order, so that the activations of a group (``count`` images) fit into memory together."""
    groups: list[list[str]] = []
    free_bytes = 0
    for layer, layer_features in features.items():
        free_bytes -= 4 * count * layer_features
        if free_bytes < 0:
            groups.append([])
            free_bytes = GRAM_MEMORY - 4 * count * layer_features
        groups[-1].append(layer)
    return groups


def _layer_batches(
    batches: list[dict[str, Tensor]] | Callable[[], Iterator[dict[str, Tensor]]], layer: str
) -> Iterator[Tensor]:
    """Yield one layer's activations of each batch."""
    return (batch[layer] for batch in (batches if isinstance(batches, list) else batches()))


def _batches(
    pair: Pair, run: ForwardPass, images: Tensor, before_each: Callable[[], None]
) -> Iterator[dict[str, Tensor]]:
    """Yield the activations of all images, batch by batch, by layer."""
    for batch, _ in pair.batches(pair.data.test, images):
        before_each()
        yield run(batch)
