"""Measures whole runs: (e) a run on digits from an empty store, (f) growth of time and memory with images and cells."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import plain
from benchmarks.material import Material, Source, load
from benchmarks.measure import Measured, Row, in_own_process, timed
from benchmarks.training import all_epochs
from stitchlab.catalog.presets import PRESETS
from stitchlab.data import registry as datasets
from stitchlab.grid.ask import compare
from stitchlab.models import create as making
from stitchlab.models import malloc as memory
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.request import Cell
from stitchlab.results import networks
from stitchlab.stitch.task import task_loss_matching
from stitchlab.store import Store


def main_job(source: Source, *, quick: bool) -> Iterator[Row]:
    """(e): Measure TLM by the paper's recipe, DM and the default indices for two ResNet-14 on digits, uncached."""
    store = Store(Path(source.root))
    existing = {network.name for network in networks.list_networks(store)}
    digits = datasets.load("digits", store)
    for seed in (0, 1):
        if f"digits-{seed}" not in existing:
            making.train("resnet14", digits, store, name=f"digits-{seed}", seed=seed, device=source.device)
    layers = cut_points_of_any(store, networks.find(store, "digits-0")).defaults()[:: 3 if quick else 1]
    digits_source = replace(source, front="digits-0", end="digits-1", data=digits.fingerprint, layers=tuple(layers))
    ours, baseline = in_own_process(cold, digits_source), in_own_process(cold_by_hand, digits_source)
    yield Row(
        "e",
        f"digits, {len(layers)}×{len(layers)} cells, all there is, cold",
        "plain-memory",
        ours.seconds[0],
        baseline.seconds[0],
        baseline.seconds[0] / ours.seconds[0],
        ours.peak_mb,
        source.device,
    )


def growth(source: Source, *, quick: bool) -> Iterator[Row]:
    """(f): Measure how time grows with images and cells (exponents), and memory with eight times the images."""
    images = 256 if quick else 1024
    yield from _with_images(source, images)
    yield _with_cells(source, images)


def _with_images(source: Source, images: int) -> Iterator[Row]:
    end = source.layers[len(source.layers) // 2]
    cells = [(source.layers[0], end), (source.layers[-1], end)]
    sizes = [images * k for k in (1, 2, 4, 8)]
    measured = [in_own_process(train, source, cells, count, 3) for count in sizes]
    seconds = [each.median for each in measured]
    yield Row(
        "f",
        f"TLM, time against images ×1, 2, 4, 8 from {images}: exponent",
        "none",
        measured[-1].median,
        None,
        _exponent(sizes, seconds),
        measured[-1].peak_mb,
        source.device,
        measured[-1].spread,
        details={"seconds": seconds},
    )
    peaks = [each.peak_mb for each in measured]
    if peaks[0] is not None and peaks[-1] is not None:
        yield Row(
            "f",
            "TLM, most memory beyond the images, ×8 images over ×1",
            "none",
            measured[-1].median,
            None,
            peaks[-1] / peaks[0],
            peaks[-1],
            source.device,
            details={"peak_mb": peaks},
        )


def _with_cells(source: Source, images: int) -> Row:
    # Into the first layer, whose tails take nearly all of the time; into later layers the front's pass takes most.
    grids = [[(i, source.layers[0]) for i in source.layers[-count:]] for count in (1, 2, 4)]
    seconds = [in_own_process(train, source, cells, images, 3).median for cells in grids]
    return Row(
        "f",
        "TLM, time against cells ×1, 2, 4 into the first layer: exponent",
        "none",
        seconds[-1],
        None,
        _exponent([len(cells) for cells in grids], seconds),
        None,
        source.device,
        details={"seconds": seconds},
    )


def _exponent(sizes: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def train(source: Source, cells: list[Cell], images: int, repeats: int) -> Measured:
    """Train some cells for one epoch.

    Args:
        source, cells: networks and data; (front layer, end layer) of each cell.
        images, repeats: number of training images, and of repeats.
    """
    pair = load(source).first(images).pair
    recipe = replace(PRESETS["plain"], epochs=1)
    with memory.freed_memory_reused():
        return timed(lambda: task_loss_matching(pair, cells, recipe, 0), pair.device, repeats)


def cold(source: Source) -> Measured:
    """Run the engine on a copy of the store with the networks and data but no results."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for room in ("networks", "data"):
            shutil.copytree(Path(source.root) / room, Path(folder) / room)

        def work() -> bool:
            run = compare(
                source.front,
                source.end,
                store=store,
                device=source.device,
                front_layers=source.layers,
                end_layers=source.layers,
            )
            return run.complete

        measured = timed(work, torch.device(source.device), 1, 0)
    assert measured.result
    return measured


def cold_by_hand(source: Source) -> Measured:
    """Compute the same results by the plain recipe, cell by cell."""
    material = load(source)

    def work() -> None:
        for i, j in source.cells:
            _cell_by_hand(material, i, j)

    return timed(work, material.pair.device, 1, 0)


def _cell_by_hand(material: Material, i: str, j: str) -> None:
    front, end, data = material.front, material.end, material.data
    train, test = material.pixels(data.train), material.pixels(data.test)
    trained = material.start((i, j))
    plain.train(front, end, i, j, all_epochs(*train), *trained)
    fitted = plain.direct(front, end, i, j, train[0][data.train.order(0)[:100]])
    for stitch in (trained, fitted):
        plain.evaluate(front, end, i, j, plain.in_memory(*test, torch.arange(len(test[1]))), *stitch)
    plain.similarities(front, end, i, j, plain.in_memory(*test, data.test.order(0)[:1000]))
