"""What stitches are worth on test images: accuracy of the stitched network, and distance to what is native."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stitchlab.networks import Network
from stitchlab.spec import Report, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import Pair, exact


@dataclass(frozen=True)
class Evaluation:
    """Accuracy 0..1, and ‖T(a) − b‖_F² / ‖b‖_F² over all images, or None and the reason why it is undefined."""

    accuracy: float
    distance: float | None
    reason: str = ""


@torch.no_grad()
def evaluate(
    pair: Pair, end_layer: str, stitches: Sequence[tuple[str, Stitch]], images: Tensor, report: Report = no_report
) -> list[Evaluation]:
    """Evaluates stitches into one end layer in one pass: front layers once, native activations once, tails only.

    Args:
        stitches: front layers with their stitches; a layer may come more than once.
        images: indices into the test split.
    """
    layers = list(dict.fromkeys(i for i, _ in stitches))
    front, tail = pair.run_front(layers), pair.end_cuts.after(end_layer)
    end = pair.run_end([end_layer])
    correct = torch.zeros(len(stitches), dtype=torch.int64)
    # Squares are summed exactly and not as ratios of batches, so that the result does not depend on the batch size.
    missed = torch.zeros(len(stitches), dtype=torch.float64)
    size = 0.0
    seen = 0
    for batch, labels in pair.batches(pair.data.test, images):
        report(f"evaluating stitches into {end_layer}", seen / len(images))
        native = end(batch)[end_layer]
        size += float(exact(native).square().sum())
        ours = front(batch)
        for k, (i, stitch) in enumerate(stitches):
            stitched = stitch(ours[i])
            missed[k] += float(exact(stitched - native).square().sum())
            correct[k] += int((tail(stitched).argmax(1) == labels).sum())
        seen += len(batch)
    return [
        _evaluation(int(right) / len(images), float(miss), size) for right, miss in zip(correct, missed, strict=True)
    ]


def _evaluation(accuracy: float, missed: float, size: float) -> Evaluation:
    if not size:
        return Evaluation(accuracy, None, "the end network's own activations are 0 on every evaluation image")
    if not math.isfinite(missed / size):
        return Evaluation(accuracy, None, "stitched or native activations are not finite: training may have diverged")
    return Evaluation(accuracy, missed / size)


@torch.no_grad()
def own_accuracy(pair: Pair, images: Tensor, network: Network | None = None) -> float:
    """The end network's own accuracy, 0..1, on these test images, or another's of the pair."""
    batches = pair.batches(pair.data.test, images)
    return sum(int((pair.logits(batch, network).argmax(1) == labels).sum()) for batch, labels in batches) / len(images)
