"""What stitches are worth on test images: accuracy of the stitched network, and distance to what is native."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from stitchlab.data.splits import BATCH
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import Report, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.pair import Cell, Pair
from stitchlab.stitch.tails import Stitched, Tails, fitting


@dataclass(frozen=True)
class Evaluation:
    """Accuracy 0..1, and ‖T(a) − b‖_F² / ‖b‖_F² over all images, or None and the reason why it is undefined."""

    accuracy: float
    distance: float | None
    reason: str = ""


@torch.no_grad()
def evaluate(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, report: Report = no_report
) -> dict[Cell, Evaluation]:
    """Evaluates stitches in one pass: front network once, native activations once, then tails only.

    Args:
        images: indices into the test split.
    """
    tails = Tails(pair, stitches)
    front, end = pair.run_front(tails.front_layers), pair.run_end(tails.end_layers)
    # Squares are summed exactly and not as ratios of batches, so that the result does not depend on the batch size.
    sums = _Sums(dict.fromkeys(tails.end_layers, 0.0), dict.fromkeys(stitches, 0.0), dict.fromkeys(stitches, 0))

    def add(chosen: Tensor, size: int) -> None:
        for batch, labels in pair.batches(pair.data.test, chosen, size):
            sums.add(end(batch), labels, tails.through(front(batch)))

    for k, chosen in enumerate(images.split(BATCH)):
        report("evaluating stitches", k * BATCH / len(images))
        fitting(partial(add, chosen), BATCH, tails, partial(sums.set, sums.copy()))
    return {cell: _evaluation(sums.right[cell] / len(images), sums.missed[cell], sums.size[cell[1]])
            for cell in stitches}


@dataclass
class _Sums:
    """Over images: ‖b‖² by end layer; ‖T(a) − b‖² and right predictions by cell."""

    size: dict[str, float]
    missed: dict[Cell, float]
    right: dict[Cell, int]

    def add(self, native: Mapping[str, Tensor], labels: Tensor, through: Iterable[Stitched]) -> None:
        for j, activation in native.items():
            self.size[j] += _square(activation)
        for made in through:
            parts = zip(made.cells, made.activations.split(len(labels)), made.logits.split(len(labels)), strict=True)
            for cell, activation, logits in parts:
                self.missed[cell] += _square(activation - native[cell[1]])
                self.right[cell] += int((logits.argmax(1) == labels).sum())

    def copy(self) -> _Sums:
        return _Sums(dict(self.size), dict(self.missed), dict(self.right))

    def set(self, other: _Sums) -> None:
        self.size, self.missed, self.right = dict(other.size), dict(other.missed), dict(other.right)


def _square(x: Tensor) -> float:
    """‖x‖², summed in float64."""
    return float(torch.linalg.vector_norm(exact(x) if x.device.type == "mps" else x, dtype=torch.float64)) ** 2


def _evaluation(accuracy: float, missed: float, size: float) -> Evaluation:
    if not size:
        return Evaluation(accuracy, None, "the end network's own activations are 0 on every evaluation image")
    if not math.isfinite(missed / size):
        return Evaluation(accuracy, None, "stitched or native activations are not finite: training may have diverged")
    return Evaluation(accuracy, missed / size)


@torch.no_grad()
def own_accuracy(pair: Pair, images: Tensor, network: LoadedNetwork | None = None) -> float:
    """The end network's own accuracy, 0..1, on these test images, or another's of the pair."""
    batches = pair.batches(pair.data.test, images)
    return sum(int((pair.logits(batch, network).argmax(1) == labels).sum()) for batch, labels in batches) / len(images)
