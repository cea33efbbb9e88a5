"""Trains by task loss matching: the affine map learns the end network's task, both networks frozen.

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
from stitchlab.results.plan import between
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import ForwardPass, Pair
from stitchlab.stitch.resume import State, Training
from stitchlab.stitch.soap import Soap
from stitchlab.stitch.tails import Tails, retry_on_oom

STEPS = 500  # that SOAP's learning rate in a cycle is meant for


def task_loss_matching(
    pair: Pair,
    cells: Sequence[Cell],
    recipe: TaskLoss,
    seed: int,
    start: Mapping[Cell, Stitch] | None = None,
    report: Report = no_report,
    keep: Callable[[Training], None] = lambda training: None,
    begun: Mapping[Cell, State] | None = None,
) -> dict[Cell, Stitch]:
    """Train the stitches of several cells side by side.

    The front network runs once a step for all of them, the end network only from each layer on. What is drawn for a
    stitch depends on nothing beside it; its numbers do by rounding alone, where several share a batch (`Tails`). Of
    large images fewer run together; a step is of a whole batch.

    Args:
        pair, cells: the networks, their data and the device; (front layer, end layer) of each cell.
        recipe: with its augmentation named, not ``auto``.
        seed: decides initialisation, order and augmentation of epochs, and which images, where not all are taken.
        start: stitches to begin from (not changed); default is PyTorch's initialisation.
        report: told epoch and share done before every step; may raise to stop.
        keep: is given the training at its beginning and after each epoch; its stitches go on changing.
        begun: how far all cells are already, after one number of epochs; training goes on from there.

    Returns:
        the trained stitch of each cell. Raises StitchLabError where the training images are too few.
    """
    stitches = {cell: initial(pair, cell, seed, start) for cell in cells}
    tails = Tails(pair, stitches)
    places = training_images(pair.data.train, recipe, seed)
    training = Training(stitches, optimizer := _optimizer(pair, stitches.values(), recipe))
    training.take_up(begun or {})
    done, steps = (epochs * -(-len(places) // recipe.batch) for epochs in (training.epoch, recipe.epochs))
    step = _step(pair, tails, recipe, optimizer, _schedule(optimizer, recipe, steps, done))
    label = f"task loss matching into {between(tails.end_layers)}"
    keep(training)
    for epoch in range(training.epoch, recipe.epochs):
        for batch in _batches(pair, places, recipe, seed, epoch):
            report(f"{label}, epoch {epoch + 1} of {recipe.epochs}", done / steps)
            step(batch)
            done += 1
        training.epoch = epoch + 1
        keep(training)
    return stitches


class _Batch(NamedTuple):
    """Describes a step's images: their places in the training split, and where they begin in their epoch's order."""

    places: Tensor
    first: int
    augmentation: EpochAugmentation


def _batches(pair: Pair, places: Tensor, recipe: TaskLoss, seed: int, epoch: int) -> Iterator[_Batch]:
    """Give the batches of an epoch, whose augmentation is drawn once for all of it."""
    augmentation = draw(recipe.augment, len(places), pair.data.shape, seed, epoch)
    parts = places[epoch_order(len(places), seed, epoch)].split(recipe.batch)
    return (_Batch(part, k * recipe.batch, augmentation) for k, part in enumerate(parts))


def _step(
    pair: Pair, tails: Tails, recipe: TaskLoss, optimizer: torch.optim.Optimizer, schedule: Callable[[], None]
) -> Callable[[_Batch], None]:
    """Make what takes one step of every stitch on a batch, and sets the rate of the next."""
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
    seen = 0
    for taken, labels in pair.batches(pair.data.train, batch.places, size):
        images = batch.augmentation.apply(taken, batch.first + seen)
        seen += len(images)
        wanted = targets(images, labels)
        for made in tails.through(front(images)):
            each = torch.cat([wanted] * len(made.cells))
            (F.cross_entropy(made.logits, each, reduction="sum") / len(batch.places)).backward()


def training_images(train: Split, recipe: TaskLoss, seed: int) -> Tensor:
    """Draw the images that TLM trains on: the first so many of the split's permutation, or all.

    Args:
        train: the training split.
        recipe: says how many; None means all.
        seed: decides the permutation.

    Returns:
        their places (n,), ascending.

    Raises:
        StitchLabError: the split has fewer.
    """
    return draw_images(train, seed, recipe.images, "training images for task loss matching").sort().values


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which batches are cut from an epoch's training images.

    Args:
        images: how many there are.
        seed, epoch: decide the order.

    Returns:
        places (images,) among the training images.
    """
    generator = torch.Generator().manual_seed(derived_seed("order of an epoch", seed, epoch))
    return torch.randperm(images, generator=generator)


def initial(pair: Pair, cell: Cell, seed: int, start: Mapping[Cell, Stitch] | None) -> Stitch:
    """Make the stitch that a cell begins with, on the pair's device.

    Args:
        pair: the networks and the device.
        cell: (front layer, end layer).
        seed: with the cell, decides PyTorch's initialisation.
        start: stitches by cell, of which this one is copied; None: PyTorch's initialisation.
    """
    source, target = pair.source(cell[0]), pair.target(cell[1])
    if start is not None:
        stitch = Stitch.of(source, target, start[cell].weight, start[cell].bias)
    else:
        stitch = Stitch(source, target, torch.Generator().manual_seed(derived_seed("initialisation", seed, *cell)))
    return stitch.to(pair.device, pair.dtype)


def _targets(pair: Pair, recipe: TaskLoss) -> Callable[[Tensor, Tensor], Tensor]:
    """Give what cross-entropy is taken against: labels (N,), or the end network's own probabilities (N, classes)."""
    if recipe.targets == "labels":
        return lambda images, labels: labels
    return lambda images, labels: pair.logits(images).softmax(1)


def _optimizer(pair: Pair, stitches: Iterable[Stitch], recipe: TaskLoss) -> torch.optim.Optimizer:
    """Make the optimiser of all stitches at once."""
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
    """Make what sets the learning rate after each step; ``done`` of all steps have been taken before."""
    if recipe.schedule == "constant":
        return lambda: None
    cycle = partial(torch.optim.lr_scheduler.OneCycleLR, optimizer, total_steps=max(2, steps) + 1)
    if recipe.optimiser == "adam":
        # PyTorch's one-cycle also turns Adam's first momentum between 0.85 and 0.95.
        schedule = cycle(max_lr=recipe.lr)
    else:
        # Few steps have to be longer: the way that a map goes grows as the root of their number (benchmarks/README.md).
        rate = min(SOAP_MAX_LR, recipe.lr * math.sqrt(STEPS / steps))
        schedule = cycle(max_lr=rate, pct_start=0.5, cycle_momentum=False)
    if done:  # its rates follow from the number of the step alone
        schedule.load_state_dict({"last_epoch": done - 1, "_step_count": done + 1})
        schedule.step()
    return schedule.step
