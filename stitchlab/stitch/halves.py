"""Evaluates stitches on half samples of the evaluation images: every number of `evaluate`, from one pass.

All of them are ratios of sums over images, so that a batch adds to the sums of all half samples by one product; nothing
is kept for each image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.request import Cell, Report, derived_seed, no_report
from stitchlab.results.halves import SAMPLES
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import look
from stitchlab.stitch.functional import Own, divergence, kappa, log_shares
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.tails import Stitched
from stitchlab.stitch.undefined import finite

Item = tuple[str, Cell]  # a metric's or an index's name, and a cell
NUMBERS = 5  # of an image in a cell: right, ‖T(a) − b‖², same class, bits, both right

UNKNOWN = "it is undefined on all evaluation images"
#: Why a number may be undefined on some half samples only.
PARTLY = {
    "distance": "the end network's own activations are 0 on every image",
    "error_consistency": "one network is right on every image, or wrong on every one",
}


class Halved(NamedTuple):
    """Holds values on half samples, float64 (samples,), NaN where undefined; and why some are."""

    values: dict[Item, Tensor]
    reasons: dict[Item, str]


def drawn(seed: int, count: int) -> list[Tensor]:
    """Draw the half samples of so many images: ⌊count/2⌋ places, sorted, the k-th from (seed, k) alone.

    >>> halves = drawn(0, 9)
    >>> len(halves), len(halves[0]), torch.equal(halves[0], drawn(0, 9)[0]), torch.equal(halves[0], halves[1])
    (100, 4, True, False)
    """
    halves = []
    for k in range(SAMPLES):
        generator = torch.Generator().manual_seed(derived_seed("half sample", seed, k))
        halves.append(torch.randperm(count, generator=generator)[: count // 2].sort().values)
    return halves


def halved(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, halves: Sequence[Tensor], report: Report = no_report
) -> Halved:
    """Evaluate stitches on half samples: accuracy, distance, agreement, jsd, error consistency of each cell.

    What is undefined on all images is undefined on every half of them.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split (N,).
        halves: places among these, one tensor a half sample.
        report: told the share of the images that are done.
    """
    chosen = torch.zeros(len(halves), len(images), dtype=torch.float64)
    for row, half in zip(chosen, halves, strict=True):
        row[half] = 1
    none = torch.zeros(len(halves), NUMBERS, dtype=torch.float64)
    sums = _Sums(chosen, 0, none[:, 0], {j: none[:, 0] for _, j in stitches}, dict.fromkeys(stitches, none))
    look(pair, stitches, images, sums, report)
    made = [(cell, sums.metrics(cell)) for cell in stitches]
    values = {(name, cell): value for cell, metrics in made for name, value in metrics.items()}
    return Halved(values, {item: _reason(item[0], value) for item, value in values.items() if not finite(value)})


def _reason(metric: str, value: Tensor) -> str:
    undefined = int(value.isnan().sum())
    return UNKNOWN if undefined == len(value) else f"{PARTLY[metric]} of {undefined} of {len(value)} half samples"


@dataclass
class _Sums:
    """Sums over images of each half sample (rows of ``chosen``, 1 where an image is in it); no tensor is ever changed.

    Numbers that are not finite spoil the sums of all half samples, as they do the value of all images.
    """

    chosen: Tensor
    seen: int
    own_right: Tensor
    sizes: dict[str, Tensor]
    of_cells: dict[Cell, Tensor]

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: Own,
        through: Iterable[Stitched],
        why: Callable[[Cell], str],
    ) -> None:
        """Add one batch."""
        weights = self.chosen[:, self.seen : self.seen + len(labels)]
        self.seen += len(labels)
        self.own_right = self.own_right + weights @ _plain(own.right)
        for j, activation in native.items():
            self.sizes[j] = self.sizes[j] + weights @ _squares(activation)
        for made in through:
            parts = zip(made.cells, made.activations.split(len(labels)), made.logits.split(len(labels)), strict=True)
            for cell, activation, logits in parts:
                missed = _squares(activation - native[cell[1]])
                right, *functional = _answers(logits, labels, own)
                self.of_cells[cell] = self.of_cells[cell] + weights @ torch.stack([right, missed, *functional], 1)

    def copy(self) -> _Sums:
        return replace(self, sizes=dict(self.sizes), of_cells=dict(self.of_cells))

    def set(self, other: _Sums) -> None:
        of = other.copy()
        self.seen, self.own_right, self.sizes, self.of_cells = of.seen, of.own_right, of.sizes, of.of_cells

    def metrics(self, cell: Cell) -> dict[str, Tensor]:
        """Compute the metrics of a cell (samples,), NaN where they are undefined."""
        images = self.chosen.sum(1)
        right, missed, same, bits, both = self.of_cells[cell].T
        constant = _constant(right, images) | _constant(self.own_right, images)
        found = {
            "accuracy": right / images,
            "distance": missed / self.sizes[cell[1]],
            "agreement": same / images,
            "jsd": bits / images,
            "error_consistency": kappa(both, right, self.own_right, images),
        }
        found["error_consistency"] = found["error_consistency"].masked_fill(constant, torch.nan)
        return {name: value.where(value.isfinite(), torch.nan) for name, value in found.items()}


def _constant(right: Tensor, images: Tensor) -> Tensor:
    return (right == 0) | (right == images)


def _answers(logits: Tensor, labels: Tensor, own: Own) -> list[Tensor]:
    """Say of each image: is a stitched network right, does it answer alike, by how many bits not, are both right."""
    unknown = torch.full((len(labels),), torch.nan, dtype=torch.float64)
    if not finite(logits):  # argmax would name a class all the same
        return [unknown] * 4
    classes = logits.argmax(1)
    right = classes == labels
    if not own.finite:
        return [_plain(right), *[unknown] * 3]
    bits = torch.as_tensor(divergence(log_shares(logits), own.log_shares))
    return [_plain(right), _plain(classes == own.classes), _plain(bits), _plain(right & own.right)]


def _plain(x: Tensor) -> Tensor:
    return x.cpu().double()


def _squares(x: Tensor) -> Tensor:
    """Compute ‖x‖² of each image (n,), summed in float64, on the CPU."""
    x = exact(x) if x.device.type == "mps" else x
    norms: Tensor = torch.linalg.vector_norm(x, dim=tuple(range(1, x.dim())), dtype=torch.float64)
    return norms.square().cpu()
