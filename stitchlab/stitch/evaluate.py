"""Evaluates stitches on test images: accuracy of the stitched network, distance to native activations, answers."""

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
from stitchlab.stitch.functional import Answers, Functional, Own
from stitchlab.stitch.numerics import exact
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.tails import Stitched, Tails, retry_on_oom
from stitchlab.stitch.undefined import OWN, cause, finite


@dataclass(frozen=True)
class Evaluation:
    """Holds a cell's accuracy 0..1, and ‖T(a) − b‖_F² / ‖b‖_F² over all images; None where undefined, with the reason.

    ``functional`` has its own reasons: it is kept under a key of its own.
    """

    accuracy: float | None
    distance: float | None
    functional: Functional
    reasons: dict[str, str] = field(default_factory=dict)


@torch.no_grad()
def evaluate(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, report: Report = no_report
) -> dict[Cell, Evaluation]:
    """Evaluate stitches in one pass: front network once, native activations once, then tails only.

    The end network's own predictions come from its native activations at the last layer, by the same tail as stitched
    ones: a stitch that changes nothing has agreement 1 and divergence 0.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split.
        report: told the share of the images that are done.

    Returns:
        what each stitch is worth, by cell.
    """
    # Squares are summed exactly and not as ratios of batches, so that the result does not depend on the batch size.
    sums = _Sums(
        dict.fromkeys((j for _, j in stitches), 0.0),
        dict.fromkeys(stitches, 0.0),
        dict.fromkeys(stitches, 0),
        {},
        Answers.none(stitches),
    )
    look(pair, stitches, images, sums, report)
    return {cell: sums.evaluation(cell, len(images)) for cell in stitches}


class Gathers(Protocol):
    """Takes in stitched and native activations and logits, batch by batch in the order of the images."""

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: Own,
        through: Iterable[Stitched],
        why: Callable[[Cell], str],
    ) -> None:
        """Look at a batch.

        Args:
            native: the end network's own activations (n, ...), by layer.
            labels: of the images (n,).
            own: the end network's own predictions.
            through: what the stitches make of the batch.
            why: called with a cell, says why something of it is not finite.
        """

    def copy(self) -> Self:
        """Copy what was gathered so far, which stays as it is."""

    def set(self, other: Self) -> None:
        """Go back to what was gathered when ``other`` was copied."""


@torch.no_grad()
def look(
    pair: Pair, stitches: Mapping[Cell, Stitch], images: Tensor, sums: Gathers, report: Report = no_report
) -> None:
    """Show stitched and native activations and logits of all images to ``sums``.

    Args:
        pair: the networks, their data and the device.
        stitches: by cell.
        images: indices into the test split.
        sums: takes every batch in; it is set back where a batch has to be tried again with fewer images.
        report: told the share of the images that are done.
    """
    tails = Tails(pair, stitches)
    front, end = pair.run_front(tails.front_layers), pair.run_end(tails.end_layers)
    last = _last(pair, tails.end_layers)

    def add(chosen: Tensor, size: int) -> None:
        for batch, labels in pair.batches(pair.data.test, chosen, size):
            ours, native = front(batch), end(batch)

            def why(cell: Cell, ours: Mapping[str, Tensor] = ours, native: Mapping[str, Tensor] = native) -> str:
                return cause(cell, ours[cell[0]], stitches[cell], native[cell[1]], tails.after(cell[1]))

            own = Own(tails.after(last)(native[last]), labels)
            sums.add(native, labels, own, tails.through(ours), why)

    for k, chosen in enumerate(images.split(BATCH)):
        report("evaluating stitches", k * BATCH / len(images))
        retry_on_oom(partial(add, chosen), BATCH, tails, partial(sums.set, sums.copy()))


def _last(pair: Pair, end_layers: Sequence[str]) -> str:
    """Find the deepest of some end layers."""
    order = [point.name for point in pair.end_cuts.points]
    return max(end_layers, key=lambda layer: order.index(pair.end_cuts.find(layer).name))


@dataclass
class _Sums:
    """Sums over images: ‖b‖² by end layer; ‖T(a) − b‖² and right predictions by cell, and why one is undefined."""

    size: dict[str, float]
    missed: dict[Cell, float]
    right: dict[Cell, int]
    reasons: dict[tuple[Cell, str], str]
    answers: Answers

    def add(
        self,
        native: Mapping[str, Tensor],
        labels: Tensor,
        own: Own,
        through: Iterable[Stitched],
        why: Callable[[Cell], str],
    ) -> None:
        self.answers.see(own)
        sizes = {j: _square(activation) for j, activation in native.items()}
        for j, size in sizes.items():
            self.size[j] += size
        for made in through:
            parts = zip(made.cells, made.activations.split(len(labels)), made.logits.split(len(labels)), strict=True)
            for cell, activation, logits in parts:
                self.missed[cell] += (missed := _square(activation - native[cell[1]]))
                self.right[cell] += int((right := logits.argmax(1) == labels).sum())
                unknown = []
                if finite(logits):
                    self.answers.add(cell, logits, right, own)
                else:  # argmax would name a class all the same
                    unknown.append("accuracy")
                unknown += ["distance"] if math.isfinite(sizes[cell[1]]) and not math.isfinite(missed) else []
                for name in unknown:
                    if (cell, name) not in self.reasons:
                        self.reasons[cell, name] = why(cell)

    def copy(self) -> _Sums:
        return _Sums(dict(self.size), dict(self.missed), dict(self.right), dict(self.reasons), self.answers.copy())

    def set(self, other: _Sums) -> None:
        of = other.copy()  # which a second try finds as it was
        self.size, self.missed, self.right, self.reasons, self.answers = (
            of.size,
            of.missed,
            of.right,
            of.reasons,
            of.answers,
        )

    def evaluation(self, cell: Cell, images: int) -> Evaluation:
        """Say what these sums over so many images amount to for a cell."""
        reasons = {name: why for (of, name), why in self.reasons.items() if of == cell}
        size, missed = self.size[cell[1]], self.missed[cell]
        if not math.isfinite(size):
            reasons["distance"] = OWN.format(cell[1])
        elif not size:
            reasons["distance"] = "the end network's own activations are 0 on every evaluation image"
        elif not math.isfinite(missed / size):
            reasons.setdefault("distance", "it is too large for a floating-point number")
        functional = self.answers.functional(cell, images, self.right[cell], reasons.get("accuracy", ""))
        return Evaluation(
            None if "accuracy" in reasons else self.right[cell] / images,
            None if "distance" in reasons else missed / size,
            functional,
            reasons,
        )


def _square(x: Tensor) -> float:
    """Compute ‖x‖², summed in float64."""
    return float(torch.linalg.vector_norm(exact(x) if x.device.type == "mps" else x, dtype=torch.float64)) ** 2


@torch.no_grad()
def own_accuracy(pair: Pair, images: Tensor, network: LoadedNetwork | None = None) -> float | None:
    """Measure the end network's own accuracy, or another's of the pair.

    Args:
        pair: the networks, their data and the device.
        images: indices into the test split.
        network: of the pair; default is the end network.

    Returns:
        0..1; None where its logits are not finite on some images.
    """
    right = 0
    for batch, labels in pair.batches(pair.data.test, images):
        logits = pair.logits(batch, network)
        if not finite(logits):
            return None
        right += int((logits.argmax(1) == labels).sum())
    return right / len(images)
