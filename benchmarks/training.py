"""Measures task loss matching: (a) against the plain recipe, and (h) the quick recipe against the paper's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median

import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.material import Material, Source, folder_of, load
from benchmarks.measure import Measured, Row, finish, in_own_process, timed
from benchmarks.plain import BATCH
from stitchlab.catalog.presets import PRESETS
from stitchlab.models import malloc as memory
from stitchlab.request import Cell, TaskLoss
from stitchlab.results.plan import columns
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.task import epoch_order, task_loss_matching


def against_plain(source: Source, *, quick: bool) -> Iterator[Row]:
    """(a): Measure one step of all cells with images in memory and from a decoding loader, and compare the results."""
    steps, repeats = (3, 3) if quick else (5, 5)
    ours = in_own_process(grid_steps, source, PRESETS["plain"], steps, repeats)
    shape = f"{len(source.layers)}×{len(source.layers)}"
    size = f"TLM, {shape} cells, a step of {BATCH} images"
    for name, work in (("plain-memory", plain_in_memory), ("plain-loader", plain_by_loader)):
        if work is plain_by_loader and folder_of(source) is None:
            continue
        baseline = in_own_process(work, source, steps)
        yield Row(
            "a",
            size,
            name,
            ours.median,
            sum(baseline.seconds),
            sum(baseline.seconds) / ours.median,
            ours.peak_mb,
            source.device,
            ours.spread,
            f"plain timed on {steps} steps of each cell; its memory {baseline.peak_mb or 0:.0f} MB",
        )
    augmented = in_own_process(augmented_steps, source, steps, repeats)
    unaugmented_s = augmented.result["un-augmented"]
    yield Row(
        "a",
        f"the same step, images augmented ({augmented.result['kind']})",
        "un-augmented",
        augmented.median,
        unaugmented_s,
        unaugmented_s / augmented.median,
        augmented.peak_mb,
        source.device,
        augmented.spread,
        f"augmentation takes {augmented.median / unaugmented_s - 1:.1%} of a step",
    )
    yield _same_numbers(source, quick=quick)


def quick_against_paper(source: Source, *, quick: bool) -> Iterator[Row]:
    """(h): Compare time, steps and accuracies of both recipes; 64 cells take 25 minutes on 2 cores."""
    images = 512 if quick else 12_500
    runs = {name: in_own_process(whole_recipe, source, name, images) for name in ("quick", "paper")}
    seconds = {name: run.seconds[0] for name, run in runs.items()}
    steps = {name: PRESETS[name].epochs * -(-images // BATCH) for name in runs}
    accuracies = {name: run.result for name, run in runs.items()}
    lower = [cell for cell, value in accuracies["paper"].items() if accuracies["quick"][cell] < value - 0.01]
    share = 1 - len(lower) / len(accuracies["paper"])
    size = f"quick recipe, {len(accuracies['paper'])} cells, {images:,} images"
    yield Row(
        "h",
        size,
        "paper recipe",
        seconds["quick"],
        seconds["paper"],
        seconds["paper"] / seconds["quick"],
        runs["quick"].peak_mb,
        source.device,
        note=f"{steps['quick']} steps against {steps['paper']}; at most 1 point below in {share:.1%} of cells",
        details={
            "accuracy": {name: {"→".join(c): v for c, v in values.items()} for name, values in accuracies.items()},
            "lower": ["→".join(cell) for cell in lower],
        },
    )


def grid_steps(source: Source, recipe: TaskLoss, steps: int, repeats: int) -> Measured:
    """Time a training step of all cells by the engine, without the first step of each unit of work.

    Args:
        source: networks and data.
        recipe: of the training.
        steps, repeats: number of steps that are timed, and of repeats of all of them.
    """
    material = load(source).first((steps + 1) * BATCH)
    seconds: list[float] = []
    with memory.freed_memory_reused():
        step = partial(_grid_step, material, source, recipe, steps)
        measured = timed(lambda: seconds.append(step()), material.pair.device, repeats)
    return replace(measured, seconds=seconds[1:])  # the first was the warm-up


def augmented_steps(source: Source, steps: int, repeats: int) -> Measured:
    """Time the same steps by two recipes that differ only in augmentation, in turns.

    Args:
        source, steps, repeats: as for `grid_steps`.
    """
    material = load(source).first((steps + 1) * BATCH)
    recipes = {"augmented": material.recipe("paper"), "un-augmented": PRESETS["plain"]}
    seconds: dict[str, list[float]] = {name: [] for name in recipes}

    def work() -> None:
        for name, recipe in recipes.items():
            seconds[name].append(_grid_step(material, source, recipe, steps))

    with memory.freed_memory_reused():
        measured = timed(work, material.pair.device, repeats)
    return replace(
        measured,
        seconds=seconds["augmented"][1:],
        result={"kind": recipes["augmented"].augment, "un-augmented": median(seconds["un-augmented"][1:])},
    )


def _grid_step(material: Material, source: Source, recipe: TaskLoss, steps: int) -> float:
    """Return the seconds of a step of all cells, averaged over the steps of every unit of work after its first."""
    seconds = 0.0
    for end_layers in columns(source.layers):
        ticks: list[float] = []

        def tick(what: str, done: float, ticks: list[float] = ticks) -> None:
            finish(material.pair.device)
            ticks.append(time.perf_counter())

        cells = [(i, j) for j in end_layers for i in source.layers]
        task_loss_matching(material.pair, cells, replace(recipe, epochs=1), 0, report=tick)
        seconds += (ticks[-1] - ticks[0]) / steps
    return seconds


def plain_in_memory(source: Source, steps: int) -> Measured:
    """Time a step of each cell by the plain recipe, with the images in memory."""
    material = load(source).first(BATCH)
    pixels, labels = material.pixels(material.data.train)
    return _plain_cells(material, source.cells, lambda: iter([(pixels, labels)] * (steps + 1)), steps)


def plain_by_loader(source: Source, steps: int) -> Measured:
    """Time the same steps with a loader whose worker decodes image files; the start of the worker is not timed."""
    material, folder = load(source), folder_of(source)
    batches = plain.loader(f"{folder}/train", material.front.mean, material.front.std, BATCH)
    cells = source.cells[:: max(1, len(source.layers) - 1)]  # some, with every front layer and every end layer
    measured = _plain_cells(material, cells, lambda: iter(batches), steps, prepared=True)
    return replace(measured, seconds=[each * len(source.cells) / len(cells) for each in measured.seconds])


def _plain_cells(
    material: Material,
    cells: list[Cell],
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]],
    steps: int,
    *,
    prepared: bool = False,
) -> Measured:
    seconds, peak_mb = [], 0.0
    for cell in cells:
        weight, bias = material.start(cell)
        optimiser, stream = plain.adam(weight, bias), batches()
        step = partial(_plain_step, material, cell, stream, weight, bias, optimiser, prepared)
        measured = timed(step, material.pair.device, steps)
        seconds.append(measured.median)
        peak_mb = max(peak_mb, measured.peak_mb or 0.0)
    return Measured(seconds, peak_mb, steps)


def _plain_step(
    material: Material,
    cell: Cell,
    stream: Iterator[tuple[Tensor, Tensor]],
    weight: Tensor,
    bias: Tensor,
    optimiser: torch.optim.Optimizer,
    prepared: bool,
) -> None:
    images, labels = (part.to(material.pair.device) for part in next(stream))
    plain.train_step(material.front, material.end, *cell, images, labels, weight, bias, optimiser, prepared=prepared)


def _same_numbers(source: Source, *, quick: bool) -> Row:
    """Compare the stitches of the engine and the plain recipe in some cells after all epochs, from the same start."""
    layers, middle = source.layers, len(source.layers) // 2
    cells = [(layers[-1], layers[-1])]
    cells += [] if quick else [(layers[middle - 1], layers[middle]), (layers[-1], layers[-2])]
    images = 1_000 if quick else 5_000
    ours = in_own_process(train_by_engine, source, cells, images)
    baseline = in_own_process(train_plainly, source, cells, images)
    gaps = {"→".join(cell): abs(ours.result[cell][0] - baseline.result[cell][0]) for cell in cells}
    apart = {"→".join(cell): float((ours.result[cell][1] - baseline.result[cell][1]).abs().max()) for cell in cells}
    return Row(
        "a",
        f"the same cells through all 30 epochs of {images:,} images",
        "plain-memory",
        ours.seconds[0],
        baseline.seconds[0],
        baseline.seconds[0] / ours.seconds[0],
        ours.peak_mb,
        source.device,
        note=f"accuracies at most {max(gaps.values()):.4f} apart, parameters {max(apart.values()):.1e}",
        details={"accuracy_gap": gaps, "parameters_apart": apart},
    )


def train_by_engine(source: Source, cells: list[Cell], images: int) -> Measured:
    """Train cells by the engine with the paper's recipe without augmentation.

    Args:
        source, cells: networks and data; (front layer, end layer) of each cell.
        images: number of training images.

    Returns:
        the time; its ``result`` has the accuracy and the weight of each cell.
    """
    measured, stitches = _train(load(source).first(images).pair, [cells], PRESETS["plain"])
    measured.result = {cell: (measured.result[cell].accuracy, stitches[cell].weight.detach().cpu()) for cell in cells}
    return measured


def _train(pair: Pair, units: list[list[Cell]], recipe: TaskLoss) -> tuple[Measured, dict[Cell, Stitch]]:
    """Train cells by the engine, unit by unit; return the time with the evaluations as its result, and the stitches."""
    stitches: dict[Cell, Stitch] = {}

    def train() -> None:
        for cells in units:
            stitches.update(task_loss_matching(pair, cells, recipe, 0))

    with memory.freed_memory_reused():
        measured = timed(train, pair.device, 1, 0)
        measured.result = evaluate(pair, stitches, torch.arange(len(pair.data.test)))
    return measured, stitches


def train_plainly(source: Source, cells: list[Cell], images: int) -> Measured:
    """Train the same cells by the plain recipe.

    Args:
        source, cells, images: as for `train_by_engine`, whose result it has.
    """
    material = load(source).first(images)
    pixels, labels = material.pixels(material.data.train)
    test = material.pixels(material.data.test)
    stitches = {cell: material.start(cell) for cell in cells}

    def train() -> None:
        for cell, stitch in stitches.items():
            plain.train(material.front, material.end, *cell, all_epochs(pixels, labels), *stitch)

    measured = timed(train, material.pair.device, 1, 0)
    measured.result = {
        cell: (
            plain.evaluate(
                material.front, material.end, *cell, plain.in_memory(*test, torch.arange(len(test[1]))), weight, bias
            )[0],
            weight.detach().cpu(),
        )
        for cell, (weight, bias) in stitches.items()
    }
    return measured


def all_epochs(pixels: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of all epochs of the paper's recipe, in the engine's order."""
    for epoch in range(PRESETS["plain"].epochs):
        yield from plain.in_memory(pixels, labels, epoch_order(len(labels), 0, epoch))


def whole_recipe(source: Source, preset: str, images: int) -> Measured:
    """Train all cells by the engine with a recipe.

    Args:
        source: networks and data.
        preset: name of the recipe.
        images: number of training images.

    Returns:
        the time; its ``result`` has the accuracy of each cell.
    """
    material = load(source).first(images)
    units = [[(i, j) for j in end_layers for i in source.layers] for end_layers in columns(source.layers)]
    measured, _ = _train(material.pair, units, material.recipe(preset))
    measured.result = {cell: evaluation.accuracy for cell, evaluation in measured.result.items()}
    return measured
