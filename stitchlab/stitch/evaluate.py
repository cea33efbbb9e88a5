"""Evaluate stitches on test images: accuracy, distance to native, and metrics of the stitched network's predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor

from stitchlab.data.splits import BATCH
from stitchlab.models.store import LoadedNetwork
from stitchlab.request import Cell, Report, no_report
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.functional import EndPredictions, Functional, PredictionSums
from stitchlab.stitch.numerics import to_float64
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.tails import Stitched, Tails, retry_on_oom
from stitchlab.stitch.undefined import NATIVE_NOT_FINITE, cause, finite


@dataclass(frozen=True)
class Evaluation:
    """Hold a cell's accuracy 0..1 and distance to native; None where one is undefined, with the reason by its name.

    ``distance`` is ‖T(a) − b‖_F² / ‖b‖_F² over all images. ``functional`` has reasons of its own, because it is kept
    under a key of its own.
    """

    accuracy: float | None
    distance: float | None
    functional: Functional
    reasons: dict[str, str] = field(default_factory=dict)


@torch.no_grad()
def evaluate(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, report: Report = no_report
) -> dict[Cell, Evaluation]:
    """Evaluate stitches in one pass: run the front network once, the end network once, and then only tails.

    The end network's own predictions are computed from its native activations at the deepest end layer, by the same
    tail as stitched ones: so a stitch that changes nothing has agreement exactly 1 and divergence exactly 0.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split.
        report: receives the share of the images that is done.

    Returns:
        the evaluation of each stitch, by cell.
    """
    # Squares are summed, and not the ratios of batches, so that the result does not depend on the batch size.
    sums = _Sums(
        dict.fromkeys((j for _, j in stitches), 0.0),
        dict.fromkeys(stitches, 0.0),
        dict.fromkeys(stitches, 0),
        {},
        PredictionSums.none(stitches),
    )
    run_stitches(pair, stitches, images, sums, report)
    return {cell: sums.evaluation(cell, len(images)) for cell in stitches}


class BatchSums(Protocol):
    """Add up numbers of stitched and native activations and logits, batch by batch in the order of the images."""

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: EndPredictions,
        outputs: Iterable[Stitched],
        explain: Callable[[Cell], str],
    ) -> None:
        """Add a batch.

        Args:
            native: the end network's own activations (n, ...), by layer.
            labels: of the images (n,).
            own: the end network's own predictions.
            outputs: activations and logits of the stitched networks.
            explain: returns for a cell the reason why its activations or logits are not finite.
        """

    def copy(self) -> Self:
        """Copy the sums; the copy does not change when batches are added to the original."""

    def restore(self, earlier: Self) -> None:
        """Set the sums back to an earlier copy."""


@torch.no_grad()
def run_stitches(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, sums: BatchSums, report: Report = no_report
) -> None:
    """Run stitched networks and the end network on all images, and add every batch to ``sums``.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split.
        sums: receives every batch; it is set back where a batch has to be tried again with fewer images.
        report: receives the share of the images that is done.
    """
    tails = Tails(pair, stitches)
    front, end = pair.run_front(tails.front_layers), pair.run_end(tails.end_layers)
    deepest = _deepest(pair, tails.end_layers)

    def explain(native: Mapping[str, Tensor], front_activations: Mapping[str, Tensor], cell: Cell) -> str:
        i, j = cell
        return cause(cell, front_activations[i], stitches[cell], native[j], tails.tail(j))

    def add(indices: Tensor, size: int) -> None:
        for batch, labels in pair.batches(pair.data.test, indices, size):
            front_activations, native = front(batch), end(batch)
            own = EndPredictions(tails.tail(deepest)(native[deepest]), labels)
            sums.add(native, labels, own, tails.run(front_activations), partial(explain, native, front_activations))

    for k, indices in enumerate(images.split(BATCH)):
        report("evaluating stitches", k * BATCH / len(images))
        retry_on_oom(partial(add, indices), BATCH, tails, partial(sums.restore, sums.copy()))


def _deepest(pair: Pair, end_layers: Sequence[str]) -> str:
    """Return the deepest of these end layers."""
    order = [point.name for point in pair.end_cuts.points]
    return max(end_layers, key=lambda layer: order.index(pair.end_cuts.find(layer).name))


@dataclass
class _Sums:
    """Hold sums over images.

    Attributes:
        native_squares: ‖b‖² by end layer.
        squared_errors: ‖T(a) − b‖² by cell.
        right: number of right predictions by cell.
        reasons: why a number is undefined, by cell and the number's name.
        predictions: the sums for functional metrics.
    """

    native_squares: dict[str, float]
    squared_errors: dict[Cell, float]
    right: dict[Cell, int]
    reasons: dict[tuple[Cell, str], str]
    predictions: PredictionSums

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: EndPredictions,
        outputs: Iterable[Stitched],
        explain: Callable[[Cell], str],
    ) -> None:
        self.predictions.add_own(own)
        native_squares = {j: _squared_norm(activations) for j, activations in native.items()}
        for j, native_square in native_squares.items():
            self.native_squares[j] += native_square
        for output in outputs:
            by_cell = zip(
                output.cells, output.activations.split(len(labels)), output.logits.split(len(labels)), strict=True
            )
            for cell, activations, logits in by_cell:
                squared_error = _squared_norm(activations - native[cell[1]])
                right = logits.argmax(1) == labels
                self.squared_errors[cell] += squared_error
                self.right[cell] += int(right.sum())
                undefined = []
                if finite(logits):
                    self.predictions.add(cell, logits, right, own)
                else:  # argmax returns a class even where logits are not finite
                    undefined.append("accuracy")
                if math.isfinite(native_squares[cell[1]]) and not math.isfinite(squared_error):
                    undefined.append("distance")
                for name in undefined:
                    if (cell, name) not in self.reasons:
                        self.reasons[cell, name] = explain(cell)

    def copy(self) -> _Sums:
        return _Sums(
            dict(self.native_squares),
            dict(self.squared_errors),
            dict(self.right),
            dict(self.reasons),
            self.predictions.copy(),
        )

    def restore(self, earlier: _Sums) -> None:
        copy = earlier.copy()  # the earlier sums must not change: a further try is set back to them, too
        self.native_squares, self.squared_errors, self.right = copy.native_squares, copy.squared_errors, copy.right
        self.reasons, self.predictions = copy.reasons, copy.predictions

    def evaluation(self, cell: Cell, images: int) -> Evaluation:
        """Compute a cell's numbers from these sums over this number of images."""
        reasons = {name: reason for (undefined_cell, name), reason in self.reasons.items() if undefined_cell == cell}
        native_square, squared_error = self.native_squares[cell[1]], self.squared_errors[cell]
        if not math.isfinite(native_square):
            reasons["distance"] = NATIVE_NOT_FINITE.format(cell[1])
        elif not native_square:
            reasons["distance"] = "the end network's own activations are 0 on every evaluation image"
        elif not math.isfinite(squared_error / native_square):
            reasons.setdefault("distance", "it is too large for a floating-point number")
        functional = self.predictions.functional(cell, images, self.right[cell], reasons.get("accuracy", ""))
        return Evaluation(
            None if "accuracy" in reasons else self.right[cell] / images,
            None if "distance" in reasons else squared_error / native_square,
            functional,
            reasons,
        )


def _squared_norm(x: Tensor) -> float:
    """Compute ‖x‖², summed in float64."""
    return float(torch.linalg.vector_norm(to_float64(x) if x.device.type == "mps" else x, dtype=torch.float64)) ** 2


@torch.no_grad()
def own_accuracy(pair: Pair, images: Tensor, network: LoadedNetwork | None = None) -> float | None:
    """Measure the own accuracy of the end network, or of the network that is named.

    Args:
        pair: the networks, their data and the device.
        images: indices into the test split.
        network: one of the pair's networks; default is the end network.

    Returns:
        0..1; None where the logits are not finite on some images.
    """
    right = 0
    for batch, labels in pair.batches(pair.data.test, images):
        logits = pair.logits(batch, network)
        if not finite(logits):
            return None
        right += int((logits.argmax(1) == labels).sum())
    return right / len(images)
