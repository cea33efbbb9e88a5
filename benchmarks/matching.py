"""Measures direct matching: (b) against the plain recipe, distances only and with accuracy."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks import plain
from benchmarks.distances import distances
from benchmarks.material import Source, load
from benchmarks.measure import Measured, Row, in_own_process, timed
from stitchlab.data.splits import draw
from stitchlab.models import malloc as memory
from stitchlab.request import Cell
from stitchlab.stitch.direct import direct_matching
from stitchlab.stitch.evaluate import evaluate

MAX_DETECTOR_FIT_IMAGES = 100  # training images that direct matching is fitted on


def against_plain(source: Source, *, quick: bool) -> Iterator[Row]:
    """(b): Measure direct matching of all cells with their distances to native, without and with accuracies."""
    test = 500 if quick else 2_000
    for accuracy, what in ((False, "distances only"), (True, "with accuracy")):
        ours = in_own_process(by_engine, source, test, accuracy, 3 if quick else 5)
        baseline = in_own_process(by_hand, source, test, accuracy)
        expected = baseline.result
        gap = max(abs(ours.result[cell] - distance) / distance for cell, distance in expected.items())
        size = f"DM, {len(source.layers)}×{len(source.layers)} cells, {test:,} images, {what}"
        yield Row(
            "b",
            size,
            "plain-memory",
            ours.median,
            baseline.seconds[0],
            baseline.seconds[0] / ours.median,
            ours.peak_mb,
            source.device,
            ours.spread,
            f"distances at most {gap:.1e} of their value apart",
        )


def by_engine(source: Source, test: int, accuracy: bool, repeats: int) -> Measured:
    """Compute the distances of all cells by the engine.

    Args:
        source: networks and data.
        test: number of test images.
        accuracy: whether to evaluate the stitched networks as well.
        repeats: number of repeats after a warm-up.

    Returns:
        the time; its ``result`` has the distance of each cell.
    """
    pair = load(source).first(MAX_DETECTOR_FIT_IMAGES, test).pair
    fit_indices, test_indices = draw(pair.data.train, 0, MAX_DETECTOR_FIT_IMAGES, "K"), torch.arange(test)

    def work() -> dict[Cell, float | None]:
        stitches = direct_matching(pair, source.cells, fit_indices)
        if accuracy:
            evaluations = evaluate(pair, stitches, test_indices)
            return {cell: evaluation.distance for cell, evaluation in evaluations.items()}
        return distances(pair, stitches, test_indices)

    with memory.freed_memory_reused():
        return timed(work, pair.device, repeats)


def by_hand(source: Source, test: int, accuracy: bool) -> Measured:
    """Compute the same distances by the plain recipe, cell by cell.

    Args:
        source, test, accuracy: as for `by_engine`.
    """
    material = load(source).first(MAX_DETECTOR_FIT_IMAGES, test)
    pixels, labels = material.pixels(material.data.test)
    fit_pixels = material.pixels(material.data.train)[0][draw(material.data.train, 0, MAX_DETECTOR_FIT_IMAGES, "K")]

    def work() -> dict[Cell, float]:
        distance = {}
        for cell in source.cells:
            stitch = plain.direct(material.front, material.end, *cell, fit_pixels)
            batches = plain.in_memory(pixels, labels, torch.arange(test))
            distance[cell] = plain.evaluate(material.front, material.end, *cell, batches, *stitch, accuracy=accuracy)[1]
        return distance

    return timed(work, material.pair.device, 1, 0)
