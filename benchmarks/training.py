"""Measures task loss matching: (a) against the plain recipe, (g) against arithmetic alone, (h) quick and paper."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import plain
from benchmarks.material import Material, Source, folder_of, load
from benchmarks.measure import Measured, Row, alone, finish, timed
from benchmarks.plain import BATCH
from stitchlab.catalog.presets import PRESETS
from stitchlab.models import malloc as memory
from stitchlab.request import Cell, TaskLoss
from stitchlab.results.plan import columns
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.task import epoch_order, task_loss_matching


def against_plain(source: Source, *, quick: bool) -> Iterator[Row]:
    """(a): Measure one step of all cells, data in memory and through a loader that decodes; check the same numbers."""
    steps, repeats = (3, 3) if quick else (5, 5)
    ours = alone(grid_steps, source, PRESETS["plain"], steps, repeats)
    shape = f"{len(source.layers)}×{len(source.layers)}"
    size = f"TLM, {shape} cells, a step of {BATCH} images"
    for name, work in (("plain-memory", plain_in_memory), ("plain-loader", plain_by_loader)):
        if work is plain_by_loader and folder_of(source) is None:
            continue
        base = alone(work, source, steps)
        yield Row(
            "a",
            size,
            name,
            ours.median,
            sum(base.seconds),
            sum(base.seconds) / ours.median,
            ours.peak_mb,
            source.device,
            ours.spread,
            f"plain timed on {steps} steps of each cell; its memory {base.peak_mb or 0:.0f} MB",
        )
    both = alone(augmented_steps, source, steps, repeats)
    plainly = both.found["un-augmented"]
    yield Row(
        "a",
        f"the same step, images augmented ({both.found['kind']})",
        "un-augmented",
        both.median,
        plainly,
        plainly / both.median,
        both.peak_mb,
        source.device,
        both.spread,
        f"augmentation takes {both.median / plainly - 1:.1%} of a step",
    )
    yield _same_numbers(source, quick=quick)


def of_the_limit(source: Source, *, quick: bool) -> Iterator[Row]:
    """(g): Compare a front pass and all tails forward and backward, each alone at its best, with a step of the grid."""
    ours = alone(grid_steps, source, PRESETS["plain"], 3 if quick else 5, 3 if quick else 5)
    parts = alone(unavoidable, source)
    (limit,) = parts.seconds
    yield Row(
        "g",
        "TLM, share of the unavoidable arithmetic in a step",
        "limit",
        ours.median,
        limit,
        limit / ours.median,
        ours.peak_mb,
        source.device,
        ours.spread,
        details=parts.found,
    )


def quick_against_paper(source: Source, *, quick: bool) -> Iterator[Row]:
    """(h): Compare both recipes on all cells: time, steps and accuracies; 25 minutes for all 64 cells on 2 cores."""
    images = 512 if quick else 12_500
    runs = {name: alone(whole_recipe, source, name, images) for name in ("quick", "paper")}
    seconds = {name: run.seconds[0] for name, run in runs.items()}
    steps = {name: PRESETS[name].epochs * -(-images // BATCH) for name in runs}
    found = {name: run.found for name, run in runs.items()}
    lower = [cell for cell, value in found["paper"].items() if found["quick"][cell] < value - 0.01]
    share = 1 - len(lower) / len(found["paper"])
    size = f"quick recipe, {len(found['paper'])} cells, {images:,} images"
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
            "accuracy": {name: {"→".join(c): v for c, v in of.items()} for name, of in found.items()},
            "lower": ["→".join(c) for c in lower],
        },
    )


def grid_steps(source: Source, recipe: TaskLoss, steps: int, repeats: int) -> Measured:
    """Time a step of all cells, in the units that the engine computes them in, once each has begun."""
    material = load(source).first((steps + 1) * BATCH)
    seconds: list[float] = []
    with memory.kept():
        made = timed(lambda: seconds.append(_grid_step(material, source, recipe, steps)), material.pair.device, repeats)
    return replace(made, seconds=seconds[1:])  # the first was the warm-up


def augmented_steps(source: Source, steps: int, repeats: int) -> Measured:
    """Time the same by recipes that differ in nothing but augmentation, in turns."""
    material = load(source).first((steps + 1) * BATCH)
    recipes = {"augmented": material.recipe("paper"), "un-augmented": PRESETS["plain"]}
    seconds: dict[str, list[float]] = {name: [] for name in recipes}

    def work() -> None:
        for name, recipe in recipes.items():
            seconds[name].append(_grid_step(material, source, recipe, steps))

    with memory.kept():
        made = timed(work, material.pair.device, repeats)
    return replace(
        made,
        seconds=seconds["augmented"][1:],
        found={"kind": recipes["augmented"].augment, "un-augmented": median(seconds["un-augmented"][1:])},
    )


def _grid_step(material: Material, source: Source, recipe: TaskLoss, steps: int) -> float:
    """Time a step of all cells, over so many steps of every unit after its first."""
    taken = 0.0
    for part in columns(source.layers):
        ticks: list[float] = []

        def tick(what: str, done: float, ticks: list[float] = ticks) -> None:
            finish(material.pair.device)
            ticks.append(time.perf_counter())

        cells = [(i, j) for j in part for i in source.layers]
        task_loss_matching(material.pair, cells, replace(recipe, epochs=1), 0, report=tick)
        taken += (ticks[-1] - ticks[0]) / steps
    return taken


def plain_in_memory(source: Source, steps: int) -> Measured:
    """Time a step of each cell by the plain recipe, the images in memory."""
    material = load(source).first(BATCH)
    pixels, labels = material.pixels(material.data.train)
    return _plain_cells(material, source.cells, lambda: iter([(pixels, labels)] * (steps + 1)), steps)


def plain_by_loader(source: Source, steps: int) -> Measured:
    """Time the same with a loader whose one worker decodes image files; its start is not counted."""
    material, folder = load(source), folder_of(source)
    batches = plain.loader(f"{folder}/train", material.front.mean, material.front.std, BATCH)
    few = source.cells[:: max(1, len(source.layers) - 1)]  # of every front and every end layer
    made = _plain_cells(material, few, lambda: iter(batches), steps, prepared=True)
    return replace(made, seconds=[each * len(source.cells) / len(few) for each in made.seconds])


def _plain_cells(
    material: Material,
    cells: list[Cell],
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]],
    steps: int,
    *,
    prepared: bool = False,
) -> Measured:
    seconds, peak = [], 0.0
    for cell in cells:
        weight, bias = material.start(cell)
        optimiser, stream = plain.adam(weight, bias), batches()
        made = timed(
            partial(_plain_step, material, cell, stream, weight, bias, optimiser, prepared), material.pair.device, steps
        )
        seconds.append(made.median)
        peak = max(peak, made.peak_mb or 0.0)
    return Measured(seconds, peak, steps)


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
    """Compare the engine's and the plain recipe's stitches of some cells, from one start through all epochs."""
    ends, middle = source.layers, len(source.layers) // 2
    cells = [(ends[-1], ends[-1])] + ([] if quick else [(ends[middle - 1], ends[middle]), (ends[-1], ends[-2])])
    images = 1_000 if quick else 5_000
    ours, base = alone(train_ours, source, cells, images), alone(train_plainly, source, cells, images)
    gaps = {"→".join(cell): abs(ours.found[cell][0] - base.found[cell][0]) for cell in cells}
    apart = {"→".join(cell): float((ours.found[cell][1] - base.found[cell][1]).abs().max()) for cell in cells}
    return Row(
        "a",
        f"the same cells through all 30 epochs of {images:,} images",
        "plain-memory",
        ours.seconds[0],
        base.seconds[0],
        base.seconds[0] / ours.seconds[0],
        ours.peak_mb,
        source.device,
        note=f"accuracies at most {max(gaps.values()):.4f} apart, parameters {max(apart.values()):.1e}",
        details={"accuracy_gap": gaps, "parameters_apart": apart},
    )


def train_ours(source: Source, cells: list[Cell], images: int) -> Measured:
    """Train each cell by the paper's recipe, un-augmented, by the engine; find its accuracy and weight."""
    material = load(source).first(images)
    pair = material.pair
    made: dict[Cell, Stitch] = {}
    with memory.kept():
        taken = timed(lambda: made.update(task_loss_matching(pair, cells, PRESETS["plain"], 0)), pair.device, 1, 0)
        found = evaluate(pair, made, torch.arange(len(pair.data.test)))
    taken.found = {cell: (found[cell].accuracy, made[cell].weight.detach().cpu()) for cell in cells}
    return taken


def train_plainly(source: Source, cells: list[Cell], images: int) -> Measured:
    """Train the same by the plain recipe."""
    material = load(source).first(images)
    pixels, labels = material.pixels(material.data.train)
    test = material.pixels(material.data.test)
    started = {cell: material.start(cell) for cell in cells}

    def train() -> None:
        for cell, stitch in started.items():
            plain.train(material.front, material.end, *cell, all_epochs(pixels, labels), *stitch)

    taken = timed(train, material.pair.device, 1, 0)
    taken.found = {
        cell: (
            plain.evaluate(
                material.front, material.end, *cell, plain.in_memory(*test, torch.arange(len(test[1]))), weight, bias
            )[0],
            weight.detach().cpu(),
        )
        for cell, (weight, bias) in started.items()
    }
    return taken


def all_epochs(pixels: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of the paper's recipe, in the engine's order."""
    for epoch in range(PRESETS["plain"].epochs):
        yield from plain.in_memory(pixels, labels, epoch_order(len(labels), 0, epoch))


def whole_recipe(source: Source, preset: str, images: int) -> Measured:
    """Train all cells by a recipe, and find the accuracies that it reaches."""
    material = load(source).first(images)
    pair, recipe, made = material.pair, material.recipe(preset), {}

    def train() -> None:
        for part in columns(source.layers):
            made.update(task_loss_matching(pair, [(i, j) for j in part for i in source.layers], recipe, 0))

    with memory.kept():
        taken = timed(train, pair.device, 1, 0)
        found = evaluate(pair, made, torch.arange(len(pair.data.test)))
    taken.found = {cell: value.accuracy for cell, value in found.items()}
    return taken


def unavoidable(source: Source) -> Measured:
    """Time what cannot be left out of a step, each part alone in its best layout and batch."""
    material = load(source)
    pair = material.pair
    pixels, labels = (part[:BATCH] for part in material.pixels(pair.data.train))
    layouts = (torch.channels_last, torch.contiguous_format)
    with memory.kept():
        front = pair.run_front(source.layers)
        parts = {"front": timed(lambda: front(pixels), pair.device, 9).median}
        native = pair.run_end(source.layers)(pixels)
        for j in source.layers:
            tail = pair.tail(j)
            parts[j] = len(source.layers) * min(
                _tail(tail, native[j], labels, layout, images, pair.device)
                for layout in layouts
                for images in (BATCH // 4, BATCH // 2, BATCH, 2 * BATCH, 4 * BATCH)
            )
    return Measured([sum(parts.values())], None, parts)


def _tail(
    tail: Callable[[Tensor], Tensor],
    x: Tensor,
    labels: Tensor,
    layout: torch.memory_format,
    images: int,
    device: torch.device,
) -> float:
    """Time BATCH images through a tail, forward and backward to its input, ``images`` at a time."""
    times = max(1, images // BATCH)
    batch = torch.cat([x] * times)[:images]
    batch = batch.contiguous(memory_format=layout) if batch.dim() == 4 else batch
    wanted = torch.cat([labels] * times)[:images]

    def work() -> None:
        F.cross_entropy(tail(batch.detach().requires_grad_()), wanted).backward()

    finish(device)
    return timed(work, device, 7, 2).median * BATCH / images
