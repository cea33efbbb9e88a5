"""Train stitches by task loss matching: the affine map learns the end network's task, and both networks stay frozen.

The paper's recipe (Balogh & Jelasity 2025, and its public code): cross-entropy, Adam lr 1e-3, weight decay 1e-5, batch
256, 30 epochs, PyTorch's default initialisation, augmented images. Soft targets are Csiszárik et al.'s (2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchlab.catalog.presets import SOAP_MAX_LR
from stitchlab.data.augment import EpochAugmentation, draw
from stitchlab.data.splits import Split
from stitchlab.data.splits import draw as draw_images
from stitchlab.request import Cell, Report, TaskLoss, derived_seed, no_report
from stitchlab.results.plan import layer_range
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import ForwardPass, Pair
from stitchlab.stitch.resume import Training, TrainingState
from stitchlab.stitch.soap import Soap
from stitchlab.stitch.tails import Tails, retry_on_oom

SOAP_REFERENCE_STEPS = 500  # a one-cycle run of this length uses SOAP's learning rate as it is given


def task_loss_matching(
    pair: Pair,
    cells: Sequence[Cell],
    recipe: TaskLoss,
    seed: int,
    start: Mapping[Cell, Stitch] | None = None,
    report: Report = no_report,
    keep: Callable[[Training], None] = lambda training: None,
    begun: Mapping[Cell, TrainingState] | None = None,
) -> dict[Cell, Stitch]:
    """Train the stitches of several cells side by side.

    In each step the front network runs once for all cells, and the end network runs only from each end layer on. The
    random draws for one stitch do not depend on the other stitches; where several share a batch (`Tails`), its numbers
    depend on them by rounding alone. Large images run in smaller groups, but every step still covers a whole batch.

    Args:
        pair, cells: the networks, their data and the device; (front layer, end layer) of each cell.
        recipe: the settings of the training; its augmentation is a named one, not ``auto``.
        seed: decides the initialisation, the order and augmentation of each epoch, and the choice of training images.
        start: stitches to begin from (not changed); default is PyTorch's initialisation.
        report: receives the epoch and the share that is done before every step; may raise to stop.
        keep: called with the training at its beginning and after each epoch; its stitches go on changing afterwards.
        begun: the states of all cells after the same number of epochs; training goes on from there.

    Returns:
        the trained stitch of each cell. Raises StitchLabError where the training images are too few.
    """
    stitches = {cell: initial(pair, cell, seed, start) for cell in cells}
    tails = Tails(pair, stitches)
    training_indices = training_images(pair.data.train, recipe, seed)
    training = Training(stitches, optimizer := _optimizer(pair, stitches.values(), recipe))
    training.restore(begun or {})
    done, steps = (epochs * -(-len(training_indices) // recipe.batch) for epochs in (training.epoch, recipe.epochs))
    step = _step(pair, tails, recipe, optimizer, _schedule(optimizer, recipe, steps, done))
    progress_label = f"task loss matching into {layer_range(tails.end_layers)}"
    keep(training)
    for epoch in range(training.epoch, recipe.epochs):
        for batch in _batches(pair, training_indices, recipe, seed, epoch):
            report(f"{progress_label}, epoch {epoch + 1} of {recipe.epochs}", done / steps)
            step(batch)
            done += 1
        training.epoch = epoch + 1
        keep(training)
    return stitches


class _Batch(NamedTuple):
    """Describe the images of one step: their indices in the training split, and the place of the first in the epoch."""

    indices: Tensor
    first: int
    augmentation: EpochAugmentation


def _batches(pair: Pair, training_indices: Tensor, recipe: TaskLoss, seed: int, epoch: int) -> Iterator[_Batch]:
    """Yield the batches of an epoch; its augmentation is drawn once for the whole epoch."""
    augmentation = draw(recipe.augment, len(training_indices), pair.data.shape, seed, epoch)
    batches = training_indices[epoch_order(len(training_indices), seed, epoch)].split(recipe.batch)
    return (_Batch(indices, k * recipe.batch, augmentation) for k, indices in enumerate(batches))


def _step(
    pair: Pair, tails: Tails, recipe: TaskLoss, optimizer: torch.optim.Optimizer, schedule: Callable[[], None]
) -> Callable[[_Batch], None]:
    """Return a function that takes one optimiser step on a batch, and then sets the learning rate of the next step."""
    gradients = partial(_gradients, pair, pair.run_front(tails.front_layers), tails, _targets(pair, recipe))

    def step(batch: _Batch) -> None:
        optimizer.zero_grad()
        retry_on_oom(partial(gradients, batch), recipe.batch, tails, optimizer.zero_grad)
        optimizer.step()
        schedule()

    return step


def _gradients(
    pair: Pair, front: ForwardPass, tails: Tails, targets: Callable[[Tensor, Tensor], Tensor], batch: _Batch, size: int
) -> None:
    """Add the gradients of every stitch's mean loss over a batch, ``size`` images at a time."""
    images_done = 0
    for originals, labels in pair.batches(pair.data.train, batch.indices, size):
        images = batch.augmentation.apply(originals, batch.first + images_done)
        images_done += len(images)
        image_targets = targets(images, labels)
        for outputs in tails.run(front(images)):
            repeated_targets = torch.cat([image_targets] * len(outputs.cells))
            (F.cross_entropy(outputs.logits, repeated_targets, reduction="sum") / len(batch.indices)).backward()


def training_images(train: Split, recipe: TaskLoss, seed: int) -> Tensor:
    """Draw the images that TLM trains on: the first ``recipe.images`` of the split's permutation, or all.

    Args:
        train: the training split.
        recipe: says how many images to draw; None means all.
        seed: decides the permutation.

    Returns:
        indices of the images in the split (n,), ascending.

    Raises:
        StitchLabError: the split has fewer images.
    """
    return draw_images(train, seed, recipe.images, "training images for task loss matching").sort().values


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which batches are cut from an epoch's training images.

    Args:
        images: number of training images.
        seed, epoch: decide the order.

    Returns:
        a permutation (images,) of the positions of the training images.
    """
    generator = torch.Generator().manual_seed(derived_seed("order of an epoch", seed, epoch))
    return torch.randperm(images, generator=generator)


def initial(pair: Pair, cell: Cell, seed: int, start: Mapping[Cell, Stitch] | None) -> Stitch:
    """Make the stitch with which the training of a cell begins, on the pair's device.

    Args:
        pair: the networks and the device.
        cell: (front layer, end layer).
        seed: with the cell, decides PyTorch's initialisation.
        start: stitches by cell; the one of this cell is copied. None: PyTorch's initialisation.
    """
    source, target = pair.source(cell[0]), pair.target(cell[1])
    if start is not None:
        stitch = Stitch.of(source, target, start[cell].weight, start[cell].bias)
    else:
        stitch = Stitch(source, target, torch.Generator().manual_seed(derived_seed("initialisation", seed, *cell)))
    return stitch.to(pair.device, pair.dtype)


def _targets(pair: Pair, recipe: TaskLoss) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function that computes the targets: labels (N,), or the end network's probabilities (N, classes)."""
    if recipe.targets == "labels":
        return lambda images, labels: labels
    return lambda images, labels: pair.logits(images).softmax(1)


def _optimizer(pair: Pair, stitches: Iterable[Stitch], recipe: TaskLoss) -> torch.optim.Optimizer:
    """Make one optimiser for all stitches."""
    maps = [(stitch.weight, stitch.bias) for stitch in stitches]
    if recipe.optimiser == "soap":
        return Soap(maps, recipe.lr, recipe.weight_decay)
    return torch.optim.Adam(
        chain.from_iterable(maps),
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        fused=pair.device.type in ("cpu", "cuda"),
    )


def _schedule(optimizer: torch.optim.Optimizer, recipe: TaskLoss, steps: int, done: int) -> Callable[[], None]:
    """Return a function that sets the learning rate after each step; ``done`` of all steps were taken before."""
    if recipe.schedule == "constant":
        return lambda: None
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, optimizer, total_steps=max(2, steps) + 1)
    if recipe.optimiser == "adam":
        # PyTorch's one-cycle schedule also moves Adam's first momentum between 0.85 and 0.95.
        schedule = cycle(max_lr=recipe.lr)
    else:
        # The distance that a map travels grows as the root of the number of steps, so in a short run each step has to
        # be longer (benchmarks/README.md).
        rate = min(SOAP_MAX_LR, recipe.lr * math.sqrt(SOAP_REFERENCE_STEPS / steps))
        schedule = cycle(max_lr=rate, pct_start=0.5, cycle_momentum=False)
    if done:  # the rates depend on the number of the step alone, so the schedule can start in the middle
        schedule.load_state_dict({"last_epoch": done - 1, "_step_count": done + 1})
        schedule.step()
    return schedule.step
