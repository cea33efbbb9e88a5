"""Measures direct matching: (b) against the plain recipe, distances only and with accuracy."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks import plain
from benchmarks.distances import distances
from benchmarks.material import Source, load
from benchmarks.measure import Measured, Row, alone, timed
from stitchlab.data.splits import draw
from stitchlab.models import malloc as memory
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate

IMAGES = 100  # K


def against_plain(source: Source, *, quick: bool) -> Iterator[Row]:
    """(b): Measure fitting all cells and computing their distances, or accuracies too."""
    test = 500 if quick else 2_000
    for accuracy, what in ((False, "distances only"), (True, "with accuracy")):
        ours = alone(by_engine, source, test, accuracy, 3 if quick else 5)
        base = alone(by_hand, source, test, accuracy)
        gap = max(abs(ours.found[cell] - base.found[cell]) / base.found[cell] for cell in base.found)
        size = f"DM, {len(source.layers)}×{len(source.layers)} cells, {test:,} images, {what}"
        yield Row(
            "b",
            size,
            "plain-memory",
            ours.median,
            base.seconds[0],
            base.seconds[0] / ours.median,
            ours.peak_mb,
            source.device,
            ours.spread,
            f"distances at most {gap:.1e} of their value apart",
        )


def by_engine(source: Source, test: int, accuracy: bool, repeats: int) -> Measured:
    """Compute the distances of all cells by the engine.

    Args:
        source: networks and data.
        test: how many test images count.
        accuracy: whether stitched networks are evaluated, too.
        repeats: after a warm-up.

    Returns:
        its time; distances by cell in ``found``.
    """
    pair = load(source).first(IMAGES, test).pair
    chosen, images = draw(pair.data.train, 0, IMAGES, "K"), torch.arange(test)

    def work() -> dict[tuple[str, str], float | None]:
        stitches = direct_matching(pair, source.cells, chosen)
        if accuracy:
            return {cell: found.distance for cell, found in evaluate(pair, stitches, images).items()}
        return distances(pair, stitches, images)

    with memory.kept():
        return timed(work, pair.device, repeats)


def by_hand(source: Source, test: int, accuracy: bool) -> Measured:
    """Compute the same by the plain recipe, cell by cell.

    Args:
        source, test, accuracy: as for `by_engine`.
    """
    material = load(source).first(IMAGES, test)
    pixels, labels = material.pixels(material.data.test)
    chosen = material.pixels(material.data.train)[0][draw(material.data.train, 0, IMAGES, "K")]

    def work() -> dict[tuple[str, str], float]:
        found = {}
        for cell in source.cells:
            stitch = plain.direct(material.front, material.end, *cell, chosen)
            batches = plain.in_memory(pixels, labels, torch.arange(test))
            found[cell] = plain.evaluate(material.front, material.end, *cell, batches, *stitch, accuracy=accuracy)[1]
        return found

    return timed(work, material.pair.device, 1, 0)
