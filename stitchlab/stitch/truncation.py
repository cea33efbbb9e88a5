"""Cuts a front network's activations to their leading principal directions; direct matching at all ranks.

The *basis* of a layer is that of the covariance of the front network's activations there, rows as direct matching has
them (positions of maps, all tokens, vectors), over the K un-augmented training images of direct matching: one basis
from training images, and not one a batch. Cut to rank r, x becomes x_r = μ + V_r V_rᵀ (x − μ) at every position, μ the
mean and V_r the r leading directions. Directions without variance (singular values below 1e-7 of the largest, as direct
matching has it) are in no basis: where r is above the number of those that are left, x_r has all of those.

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
    """Holds the principal directions of a layer's rows, float64, leading first.

    Attributes:
        mean: μ (C,).
        vectors: V (C, k), k ≤ C directions in which the rows vary.
        values: (k,) of the centred rows' singular values, squared.
    """

    mean: Tensor
    vectors: Tensor
    values: Tensor

    def cut(self, rank: int) -> tuple[Tensor, Tensor]:
        """Give what makes x_r of x: P (C, C) and o (C,), x_r = P x + o."""
        leading = self.vectors[:, :rank]
        projection = leading @ leading.T
        return projection, self.mean - projection @ self.mean


def basis(gram: Tensor) -> Basis:
    """Find the basis of rows X by their moments [X 1]ᵀ[X 1] (C+1, C+1), float64 and finite.

    >>> x = torch.tensor([[0.0, 0, 1], [2, 0, 1], [0, 1, 1], [2, 1, 1]], dtype=torch.float64)
    >>> found = basis(x.T @ x)
    >>> found.mean.tolist(), found.values.round(decimals=6).tolist(), found.vectors.abs().tolist()
    ([1.0, 0.5], [4.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    mean = gram[-1, :-1] / gram[-1, -1]
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(gram[:-1, :-1] - gram[:-1, -1:] * mean))
    kept = values > CUTOFF**2 * torch.linalg.eigvalsh(gram)[-1]
    return Basis(mean, vectors[:, kept], values[kept])


@torch.no_grad()
def bases(pair: Pair, layers: Sequence[str], images: Tensor, report: Report = no_report) -> dict[str, Basis | None]:
    """Find the bases of front layers in one pass over some training images.

    Args:
        pair: the networks, their data and the device.
        layers: of the front network.
        images: indices into the training split.
        report: told the share of the images that are done.

    Returns:
        by layer; None where activations are not finite.
    """
    run, grams = pair.run_front(layers), dict.fromkeys(layers, torch.zeros(()))
    for k, (batch, _) in enumerate(pair.batches(pair.data.train, images)):
        report("principal directions", k * pair.at_once() / len(images))
        for layer, x in run(batch).items():
            form = pair.source(layer)
            flat = with_ones(rows(align(x, form, form)))
            grams[layer] = grams[layer].to(flat.device) + flat.T @ flat
    return {layer: basis(gram) if finite(gram) else None for layer, gram in grams.items()}


def cut_name(layer: str, rank: int) -> str:
    """Name a layer that is cut to a rank.

    >>> cut_name("relu3", 8)
    'relu3@8'
    """
    return f"{layer}@{rank}"


class Cut(NamedTuple):
    """Describes a layer's activations cut to a rank: the layer, and x_r = P x + o by P (C, C) and o (C,)."""

    layer: str
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class TruncatedPair(Pair):
    """Represents a pair whose front network has cut layers, too: names of ``cuts`` are front layers like any other."""

    cuts: Mapping[str, Cut] = field(default_factory=dict)

    def front_shape(self, layer: str) -> tuple[int, ...]:
        """Give the shape of one image's activations at a front layer; cutting does not change it."""
        return super().front_shape(self._whole(layer))

    def run_front(self, layers: Sequence[str]) -> ForwardPass:
        """Make what runs the front network up to the last of these layers, and cuts the layers in ``cuts``."""
        run = super().run_front(list(dict.fromkeys(map(self._whole, layers))))

        def cut(images: Tensor) -> dict[str, Tensor]:
            found = run(images)
            return {layer: self._cut(layer, found[self._whole(layer)]) for layer in layers}

        return cut

    def _whole(self, layer: str) -> str:
        return self.cuts[layer].layer if layer in self.cuts else layer

    def _cut(self, layer: str, x: Tensor) -> Tensor:
        if layer not in self.cuts:
            return x
        form, (_, weight, bias) = self.source(layer), self.cuts[layer]
        return complete(affine(align(x.to(weight), form, form), weight, bias), form, form)


def truncated(
    pair: Pair, found: Mapping[str, Basis], ranks: Mapping[str, Sequence[int]], wide: bool = False
) -> TruncatedPair:
    """Make the pair with front layers cut to these ranks, named by `cut_name`.

    Args:
        pair: as it is.
        found: the bases of the layers.
        ranks: by layer.
        wide: cut activations are float64, and not what the pair computes in: for what counts directions, and would take
            rounding noise of what was cut away for some.
    """
    cuts = {}
    for layer, wanted in ranks.items():
        for rank in wanted:
            weight, bias = found[layer].cut(rank)
            if not wide:
                weight, bias = (part.to(pair.dtype).to(pair.device) for part in (weight, bias))
            cuts[cut_name(layer, rank)] = Cut(layer, weight, bias)
    return TruncatedPair(pair.front, pair.end, pair.data, pair.device, cuts)


def direct_matching_at(
    pair: Pair,
    found: Mapping[str, Basis],
    ranks: Mapping[str, Sequence[int]],
    images: Tensor,
    report: Report = no_report,
) -> dict[Cell, Stitch]:
    """Fit direct matching of cut front layers, each with the end layer of its name, at all ranks in one pass.

    Args:
        pair: the networks, their data and the device.
        found: the bases of the layers, over the same images.
        ranks: by layer.
        images: indices into the training split.
        report: told the share of the images that are done.

    Returns:
        a stitch for each (`cut_name`, layer), on the pair's device. Raises StitchLabError where none is defined.
    """
    made = {}
    known = moments(
        pair,
        [(layer, layer) for layer in ranks],
        pair.data.train,
        images,
        lambda _, done: report("direct matching of cut activations", done),
    )
    for layer, wanted in ranks.items():
        source, target = pair.source(layer), pair.target(layer)
        gram, cross = known.gram[alignment_key(layer, target)], known.cross[layer, layer]
        own = replace(source, channels=0) == replace(target, channels=0)
        for rank in wanted:
            weight, bias = (regressed if own else projected)(found[layer], gram, cross, rank)
            stitch = Stitch.of(source, target, weight, bias).to(pair.device, pair.dtype)
            made[cut_name(layer, rank), layer] = stitch
    return made


def regressed(known: Basis, gram: Tensor, cross: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Fit least squares on cut rows by the basis of the same rows (principal component regression).

    W_r = Cᵀ V_r Λ_r⁻¹ V_rᵀ and b_r = ȳ − W_r μ, with C = Xᵀ(Y − ȳ) of centred rows and Λ the values: one
    eigendecomposition serves all ranks. On cut rows no affine map is nearer.

    Args:
        known: the basis of X.
        gram: [X 1]ᵀ[X 1], (C+1, C+1), float64.
        cross: [X 1]ᵀY, (C+1, D), float64.
        rank: r.

    Returns:
        weight (D, C) and bias (D,).
    """
    leading = known.vectors[:, :rank]
    centred = cross[:-1] - known.mean[:, None] * cross[-1:]
    weight = (leading @ (leading.T @ centred / known.values[:rank, None])).T
    return weight, cross[-1] / gram[-1, -1] - weight @ known.mean


def projected(known: Basis, gram: Tensor, cross: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Fit least squares on cut rows that are not those of the basis: the front's, resized to the end layer's positions.

    Args:
        known, gram, cross, rank: as for `regressed`, with X the resized rows.

    Returns:
        weight (D, C) and bias (D,).
    """
    leading = known.vectors[:, :rank]
    change = torch.zeros(len(gram), leading.shape[1] + 1, dtype=gram.dtype, device=gram.device)  # [x 1] to [z 1]
    change[:-1, :-1], change[-1, :-1], change[-1, -1] = leading, -known.mean @ leading, 1
    weight, bias = least_squares(change.T @ gram @ change, change.T @ cross)
    return weight @ leading.T, bias - weight @ leading.T @ known.mean
