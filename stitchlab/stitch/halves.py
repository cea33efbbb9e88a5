"""Evaluate stitches on half samples of the evaluation images: compute every number of `evaluate`, in one pass.

All these numbers are ratios of sums over images. So one matrix product adds a batch to the sums of all half samples,
and no number of a single image has to be kept.
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
from stitchlab.stitch.evaluate import run_stitches
from stitchlab.stitch.functional import EndPredictions, divergence, kappa, log_probabilities
from stitchlab.stitch.numerics import to_float64
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.tails import Stitched
from stitchlab.stitch.undefined import finite

MetricCell = tuple[str, Cell]  # the name of a metric or an index, and a cell
SUMS_PER_CELL = 5  # right predictions, ‖T(a) − b‖², equal classes, bits, both right

UNDEFINED_EVERYWHERE = "it is undefined on all evaluation images"
#: Why a number may be undefined on some half samples, though it is defined on all images.
UNDEFINED_ON_SOME = {
    "distance": "the end network's own activations are 0 on every image",
    "error_consistency": "one network is right on every image, or wrong on every one",
}


class HalfSampleValues(NamedTuple):
    """Hold values on half samples, float64 (samples,), NaN where undefined, and the reasons of undefined ones."""

    values: dict[MetricCell, Tensor]
    reasons: dict[MetricCell, str]


def draw_half_samples(seed: int, count: int) -> list[Tensor]:
    """Draw half samples of ``count`` images: ⌊count/2⌋ sorted indices each; the k-th depends on seed and k alone.

    >>> halves = draw_half_samples(0, 9)
    >>> len(halves), len(halves[0]), torch.equal(halves[0], halves[1])
    (100, 4, False)
    >>> torch.equal(halves[0], draw_half_samples(0, 9)[0])
    True
    """
    halves = []
    for k in range(SAMPLES):
        generator = torch.Generator().manual_seed(derived_seed("half sample", seed, k))
        halves.append(torch.randperm(count, generator=generator)[: count // 2].sort().values)
    return halves


def evaluate_half_samples(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, halves: Sequence[Tensor], report: Report = no_report
) -> HalfSampleValues:
    """Evaluate stitches on half samples: accuracy, distance, agreement, jsd and error consistency of each cell.

    A number that is undefined on all images is undefined on every half sample, too.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split (N,).
        halves: half samples, each as indices into ``images``.
        report: receives the share of the images that is done.
    """
    membership = torch.zeros(len(halves), len(images), dtype=torch.float64)
    for row, half in zip(membership, halves, strict=True):
        row[half] = 1
    zeros = torch.zeros(len(halves), SUMS_PER_CELL, dtype=torch.float64)
    sums = _Sums(membership, 0, zeros[:, 0], {j: zeros[:, 0] for _, j in stitches}, dict.fromkeys(stitches, zeros))
    run_stitches(pair, stitches, images, sums, report)
    values = {(name, cell): value for cell in stitches for name, value in sums.metrics(cell).items()}
    reasons = {(name, cell): _reason(name, value) for (name, cell), value in values.items() if not finite(value)}
    return HalfSampleValues(values, reasons)


def _reason(metric: str, values: Tensor) -> str:
    undefined = int(values.isnan().sum())
    if undefined == len(values):
        return UNDEFINED_EVERYWHERE
    return f"{UNDEFINED_ON_SOME[metric]} of {undefined} of {len(values)} half samples"


@dataclass
class _Sums:
    """Hold sums over the images of each half sample; every sum replaces the tensor before it and changes none.

    A number that is not finite makes the sums of all half samples undefined, as it does the value on all images.

    Attributes:
        membership: (samples, images), 1 where a half sample has an image, else 0.
        images_done: number of images that were added.
        own_right: right predictions of the end network (samples,).
        native_squares: ‖b‖² (samples,) by end layer.
        cell_sums: (samples, SUMS_PER_CELL) by cell.
    """

    membership: Tensor
    images_done: int
    own_right: Tensor
    native_squares: dict[str, Tensor]
    cell_sums: dict[Cell, Tensor]

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: EndPredictions,
        outputs: Iterable[Stitched],
        explain: Callable[[Cell], str],
    ) -> None:
        """Add one batch."""
        weights = self.membership[:, self.images_done : self.images_done + len(labels)]
        self.images_done += len(labels)
        self.own_right = self.own_right + weights @ _cpu_float64(own.right)
        for j, activations in native.items():
            self.native_squares[j] = self.native_squares[j] + weights @ _squared_norms(activations)
        for output in outputs:
            by_cell = zip(
                output.cells, output.activations.split(len(labels)), output.logits.split(len(labels)), strict=True
            )
            for cell, activations, logits in by_cell:
                squared_errors = _squared_norms(activations - native[cell[1]])
                right, *functional = _compare_predictions(logits, labels, own)
                numbers = torch.stack([right, squared_errors, *functional], 1)
                self.cell_sums[cell] = self.cell_sums[cell] + weights @ numbers

    def copy(self) -> _Sums:
        return replace(self, native_squares=dict(self.native_squares), cell_sums=dict(self.cell_sums))

    def restore(self, earlier: _Sums) -> None:
        copy = earlier.copy()
        self.images_done, self.own_right = copy.images_done, copy.own_right
        self.native_squares, self.cell_sums = copy.native_squares, copy.cell_sums

    def metrics(self, cell: Cell) -> dict[str, Tensor]:
        """Compute the metrics of a cell (samples,), NaN where they are undefined."""
        images = self.membership.sum(1)
        right, squared_error, same, bits, both = self.cell_sums[cell].T
        constant = _all_or_none(right, images) | _all_or_none(self.own_right, images)
        metrics = {
            "accuracy": right / images,
            "distance": squared_error / self.native_squares[cell[1]],
            "agreement": same / images,
            "jsd": bits / images,
            "error_consistency": kappa(both, right, self.own_right, images),
        }
        metrics["error_consistency"] = metrics["error_consistency"].masked_fill(constant, torch.nan)
        return {name: value.where(value.isfinite(), torch.nan) for name, value in metrics.items()}


def _all_or_none(right: Tensor, images: Tensor) -> Tensor:
    return (right == 0) | (right == images)


def _compare_predictions(logits: Tensor, labels: Tensor, own: EndPredictions) -> list[Tensor]:
    """Return for each image whether a stitched network is right, equal classes, divergence in bits, both right."""
    undefined = torch.full((len(labels),), torch.nan, dtype=torch.float64)
    if not finite(logits):  # argmax returns a class even where logits are not finite
        return [undefined] * 4
    classes = logits.argmax(1)
    right = classes == labels
    if not own.finite:
        return [_cpu_float64(right), *[undefined] * 3]
    bits = torch.as_tensor(divergence(log_probabilities(logits), own.log_probabilities))
    return [
        _cpu_float64(right),
        _cpu_float64(classes == own.classes),
        _cpu_float64(bits),
        _cpu_float64(right & own.right),
    ]


def _cpu_float64(x: Tensor) -> Tensor:
    return x.cpu().double()


def _squared_norms(x: Tensor) -> Tensor:
    """Compute ‖x‖² of each image (n,), summed in float64, on the CPU."""
    x = to_float64(x) if x.device.type == "mps" else x
    norms: Tensor = torch.linalg.vector_norm(x, dim=tuple(range(1, x.dim())), dtype=torch.float64)
    return norms.square().cpu()
