"""Cut a front network's activations to their leading principal directions, and fit direct matching at all ranks.

The *basis* of a layer is the eigenbasis of the covariance of the front network's activations there. The covariance is
taken over the rows of direct matching (positions of maps, all tokens, vectors) of its K un-augmented training images:
there is one basis from training images, and not one for each batch. Cutting to rank r replaces x at every position by
x_r = μ + V_r V_rᵀ (x − μ), with μ the mean and V_r the r leading directions. A basis has no directions without variance
(singular values below 1e-7 of the largest of [X 1], as in direct matching). A rank above their number keeps them all.

This is the rank test of sensitivity (Ding, Denain & Steinhardt 2021; Balogh & Jelasity 2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.request import Cell, Report, no_report
from stitchlab.stitch.affine import Stitch, affine, align, complete, rows
from stitchlab.stitch.direct import CUTOFF, least_squares
from stitchlab.stitch.moments import alignment_key, moments, with_ones
from stitchlab.stitch.pair import ForwardPass, Pair
from stitchlab.stitch.undefined import finite


class Basis(NamedTuple):
    """Hold the principal directions of a layer's rows, float64, leading first.

    Attributes:
        mean: μ (C,).
        vectors: V (C, k), k ≤ C directions in which the rows vary.
        values: squared singular values of the centred rows (k,).
    """

    mean: Tensor
    vectors: Tensor
    values: Tensor

    def cut(self, rank: int) -> tuple[Tensor, Tensor]:
        """Return the affine map that cuts to a rank: P (C, C) and o (C,) with x_r = P x + o."""
        leading = self.vectors[:, :rank]
        projection = leading @ leading.T
        return projection, self.mean - projection @ self.mean


def basis(gram: Tensor) -> Basis:
    """Compute the basis of rows X from their moments [X 1]ᵀ[X 1] (C+1, C+1), float64 and finite.

    >>> x = torch.tensor([[0.0, 0, 1], [2, 0, 1], [0, 1, 1], [2, 1, 1]], dtype=torch.float64)
    >>> mean, vectors, values = basis(x.T @ x)
    >>> mean.tolist(), values.round(decimals=6).tolist(), vectors.abs().tolist()
    ([1.0, 0.5], [4.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    mean = gram[-1, :-1] / gram[-1, -1]
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(gram[:-1, :-1] - gram[:-1, -1:] * mean))
    varying = values > CUTOFF**2 * torch.linalg.eigvalsh(gram)[-1]
    return Basis(mean, vectors[:, varying], values[varying])


@torch.no_grad()
def bases(pair: Pair, layers: Sequence[str], images: Tensor, report: Report = no_report) -> dict[str, Basis | None]:
    """Compute the bases of front layers in one pass over some training images.

    Args:
        pair: the networks, their data and the device.
        layers: of the front network.
        images: indices into the training split.
        report: receives the share of the images that is done.

    Returns:
        by layer; None where activations are not finite.
    """
    run, grams = pair.run_front(layers), dict.fromkeys(layers, torch.zeros(()))
    for k, (batch, _) in enumerate(pair.batches(pair.data.train, images)):
        report("principal directions", k * pair.at_once() / len(images))
        for layer, x in run(batch).items():
            layout = pair.source(layer)
            X = with_ones(rows(align(x, layout, layout)))
            grams[layer] = grams[layer].to(X.device) + X.T @ X
    return {layer: basis(gram) if finite(gram) else None for layer, gram in grams.items()}


def cut_name(layer: str, rank: int) -> str:
    """Return the name of a layer that is cut to a rank.

    >>> cut_name("relu3", 8)
    'relu3@8'
    """
    return f"{layer}@{rank}"


class Cut(NamedTuple):
    """Describe how a layer's activations are cut to a rank: x_r = P x + o, with weight P (C, C) and bias o (C,)."""

    layer: str
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class TruncatedPair(Pair):
    """Represent a pair whose front network has cut layers, too: names in ``cuts`` are front layers like any other."""

    cuts: Mapping[str, Cut] = field(default_factory=dict)

    def front_shape(self, layer: str) -> tuple[int, ...]:
        """Return the shape of one image's activations at a front layer; cutting does not change it."""
        return super().front_shape(self._uncut(layer))

    def run_front(self, layers: Sequence[str]) -> ForwardPass:
        """Return a function that runs the front network up to the last of these layers, and cuts those in ``cuts``."""
        run = super().run_front(list(dict.fromkeys(map(self._uncut, layers))))

        def cut(images: Tensor) -> dict[str, Tensor]:
            activations = run(images)
            return {layer: self._cut(layer, activations[self._uncut(layer)]) for layer in layers}

        return cut

    def _uncut(self, layer: str) -> str:
        """Return the name of the layer without its rank."""
        return self.cuts[layer].layer if layer in self.cuts else layer

    def _cut(self, layer: str, x: Tensor) -> Tensor:
        if layer not in self.cuts:
            return x
        layout, (_, weight, bias) = self.source(layer), self.cuts[layer]
        return complete(affine(align(x.to(weight), layout, layout), weight, bias), layout, layout)


def truncated(
    pair: Pair, layer_bases: Mapping[str, Basis], ranks: Mapping[str, Sequence[int]], float64: bool = False
) -> TruncatedPair:
    """Make a pair whose front layers are cut to these ranks, and named by `cut_name`.

    Args:
        pair: the pair without cut layers.
        layer_bases: the bases of the layers.
        ranks: by layer.
        float64: make cut activations float64 instead of the pair's own data type. Measures that count directions need
            this: otherwise rounding noise in the directions that were cut away would count.
    """
    cuts = {}
    for layer, layer_ranks in ranks.items():
        for rank in layer_ranks:
            weight, bias = layer_bases[layer].cut(rank)
            if not float64:
                weight, bias = (tensor.to(pair.dtype).to(pair.device) for tensor in (weight, bias))
            cuts[cut_name(layer, rank)] = Cut(layer, weight, bias)
    return TruncatedPair(pair.front, pair.end, pair.data, pair.device, cuts)


def direct_matching_at(
    pair: Pair,
    layer_bases: Mapping[str, Basis],
    ranks: Mapping[str, Sequence[int]],
    images: Tensor,
    report: Report = no_report,
) -> dict[Cell, Stitch]:
    """Fit direct matching from cut front layers, each into the end layer of the same name, at all ranks in one pass.

    Args:
        pair: the networks, their data and the device.
        layer_bases: the bases of the layers, over the same images.
        ranks: by layer.
        images: indices into the training split.
        report: receives the share of the images that is done.

    Returns:
        a stitch for each (`cut_name`, layer), on the pair's device. Raises StitchLabError where none is defined.
    """
    stitches = {}
    sums = moments(
        pair,
        [(layer, layer) for layer in ranks],
        pair.data.train,
        images,
        lambda _, done: report("direct matching of cut activations", done),
    )
    for layer, layer_ranks in ranks.items():
        source, target = pair.source(layer), pair.target(layer)
        gram, cross = sums.gram[alignment_key(layer, target)], sums.cross[layer, layer]
        same_positions = replace(source, channels=0) == replace(target, channels=0)
        for rank in layer_ranks:
            fit = regressed if same_positions else projected
            weight, bias = fit(layer_bases[layer], gram, cross, rank)
            stitch = Stitch.of(source, target, weight, bias).to(pair.device, pair.dtype)
            stitches[cut_name(layer, rank), layer] = stitch
    return stitches


def regressed(row_basis: Basis, gram: Tensor, cross: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Fit least squares on cut rows, given the basis of the same rows (principal component regression).

    W_r = Sᵀ V_r Λ_r⁻¹ V_rᵀ and b_r = ȳ − W_r μ, with S = (X − μ)ᵀ(Y − ȳ) and Λ the values: one
    eigendecomposition serves all ranks. No affine map of the cut rows is nearer to Y.

    Args:
        row_basis: the basis of X.
        gram: [X 1]ᵀ[X 1], (C+1, C+1), float64.
        cross: [X 1]ᵀY, (C+1, D), float64.
        rank: r, the number of directions that are kept.

    Returns:
        weight (D, C) and bias (D,).
    """
    leading = row_basis.vectors[:, :rank]
    centred = cross[:-1] - row_basis.mean[:, None] * cross[-1:]
    weight = (leading @ (leading.T @ centred / row_basis.values[:rank, None])).T
    return weight, cross[-1] / gram[-1, -1] - weight @ row_basis.mean


def projected(front_basis: Basis, gram: Tensor, cross: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Fit least squares on cut rows that were resized to the end layer's positions, so the basis is of other rows.

    Args:
        front_basis: the basis of the front's rows before they are resized.
        gram, cross, rank: as for `regressed`, with X the resized rows.

    Returns:
        weight (D, C) and bias (D,).
    """
    leading = front_basis.vectors[:, :rank]
    # the matrix that turns [x 1] into [z 1], with z the coordinates of x in the leading directions
    coordinates = torch.zeros(len(gram), leading.shape[1] + 1, dtype=gram.dtype, device=gram.device)
    coordinates[:-1, :-1], coordinates[-1, :-1], coordinates[-1, -1] = leading, -front_basis.mean @ leading, 1
    weight, bias = least_squares(coordinates.T @ gram @ coordinates, coordinates.T @ cross)
    return weight @ leading.T, bias - weight @ leading.T @ front_basis.mean
