"""Trains a classifier of small images in one cycle of the learning rate (Smith & Topin 2019).

SGD with Nesterov momentum, or AdamW for transformers; on request with augmentation, label noise (Zhang et al. 2017), or
against an ℓ∞ adversary (Madry et al. 2018, `stitchlab.models.attack`). Knows nothing of who calls it: a module and
images come in, the module is trained in place. Everything that is drawn is drawn from the seed, an epoch's order and
its augmentation from (seed, epoch), each by a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Recipe
from stitchlab.cutting.logits import logits_of
from stitchlab.data.augment import shifted
from stitchlab.data.splits import DataSet, Split, taker
from stitchlab.errors import StitchLabError
from stitchlab.models.attack import attacked
from stitchlab.request import Report, derived_seed, no_report

Prepare = Callable[[torch.Tensor], torch.Tensor]
CHUNK = 2**20  # pixels of a channel at a time where all are looked at
WATCHED = 2000  # test images, at most, of the curve of accuracy by epoch


@dataclass(frozen=True)
class Point:
    """Describes an epoch, as a point of the curve of a training.

    Mean training loss and accuracy (0..1) while the network learned, and accuracy on the first of `WATCHED` test images
    after it.
    """

    epoch: int
    loss: float
    train: float
    test: float


def channel_statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure mean and standard deviation of each channel, pixels in 0..1, over all images and positions.

    From a histogram of each channel's 256 values: sums of integers are exact, so every machine gets the same, and no
    image is ever held in a wider type. A constant channel gets 1.
    """
    pixels = np.arange(256)
    counts = _histograms(split)
    number = counts.sum(1)
    mean = counts @ pixels / number
    std = np.sqrt(np.maximum(counts @ pixels**2 / number - mean**2, 0.0))
    return tuple((mean / 255).tolist()), tuple(np.where(std > 0, std / 255, 1.0).tolist())


def _histograms(split: Split) -> npt.NDArray[np.int64]:
    """Count how often each channel has each value: (C, 256)."""
    channels, height, width = split.images.shape[1:]
    counts = np.zeros((channels, 256), np.int64)
    step = max(1, CHUNK // (height * width))
    for start in range(0, len(split), step):
        for count, values in zip(counts, split.images[start : start + step].swapaxes(0, 1), strict=True):
            count += np.bincount(values.reshape(-1), minlength=256)
    return counts


def fit(
    module: nn.Module,
    data: DataSet,
    prepare: Prepare,
    how: Recipe,
    *,
    seed: int,
    device: torch.device,
    report: Report,
    watch: Callable[[list[Point]], None] = lambda curve: None,
) -> list[Point]:
    """Train in place on the training images, on ``device``; on CUDA in bfloat16 autocast, the images kept there.

    Args:
        module: maps (N,C,H,W) float32 to logits (N,classes).
        data: the images.
        prepare: pixels 0..255 on the device to what the module takes.
        how: the recipe.
        seed: decides order, augmentation, noise of labels, where an attack starts.
        device: where to compute.
        report: told epoch, loss and accuracy after every step; may raise to stop.
        watch: given the curve so far after every epoch.

    Returns the curve, a point an epoch. Raises StitchLabError where the loss is not finite any more.
    """
    module.to(device).to(memory_format=torch.channels_last)
    source = _Source(data.train, noisy_labels(data, how.label_noise, seed), device)
    steps = len(source.batches(how, seed, 0))
    optimiser = _optimiser(module, how)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.lr, total_steps=how.epochs * steps, pct_start=0.3)
    learner = _Learner(module, prepare, how, optimiser, cycle, device)
    test = data.test.first(WATCHED)
    curve: list[Point] = []
    for epoch in range(how.epochs):
        last = f", test accuracy {curve[-1].test:.3f}" if curve else ""
        told = [0.0, 0.0, 0.0]  # loss and hits, each a sum over images, and images
        for k, (images, labels) in enumerate(_drawn(source, how, seed, epoch)):
            loss, right = learner.step(images, labels, seed, epoch, k)
            told = [told[0] + loss * len(labels), told[1] + right, told[2] + len(labels)]
            report(f"epoch {epoch + 1} of {how.epochs}, loss {loss:.2f}{last}", (epoch + (k + 1) / steps) / how.epochs)
        counts = confusion(module.eval(), test, prepare, device, len(data.classes), how.batch)
        curve.append(Point(epoch + 1, told[0] / told[2], told[1] / told[2], share(counts)))
        watch(curve)
    module.to(memory_format=torch.contiguous_format)
    return curve


def confusion(
    module: nn.Module,
    split: Split,
    prepare: Prepare,
    device: torch.device,
    classes: int,
    batch: int,
    report: Report = no_report,
) -> torch.Tensor:
    """Count how many images of each class the module puts into each class.

    Args:
        module: on the device; gives logits.
        split: the images.
        prepare: pixels 0..255 on the device to what the module takes.
        device: where to compute.
        classes, batch: how many classes there are, and how many images are run together.
        report: told how much is measured.

    Returns:
        int64 (classes, classes) on the CPU: rows are the images' classes, columns the module's.
    """
    counts = torch.zeros(classes * classes, dtype=torch.int64)
    with torch.inference_mode():
        for start in range(0, len(split), batch):
            report("measuring", start / len(split))
            images, labels = split.take(torch.arange(start, min(start + batch, len(split))))
            told = logits_of(module(prepare(images.to(device)))).argmax(1).cpu()
            counts += torch.bincount(labels * classes + told, minlength=classes * classes)
    return counts.view(classes, classes)


def share(counts: torch.Tensor) -> float:
    """Give the accuracy 0..1 that a `confusion` amounts to."""
    return int(counts.trace()) / int(counts.sum())


def augmented(
    images: torch.Tensor, generator: torch.Generator, kinds: tuple[str, ...] = AUGMENTATION_STEPS
) -> torch.Tensor:
    """Augment images at random.

    Args:
        images: uint8 (N,C,H,W).
        generator: on the CPU, for what is drawn.
        kinds: with ``crop``, each image is shifted by up to an eighth of its side, black moving in; with ``flip``,
            mirrored half the time.

    Returns:
        uint8 (N,C,H,W).
    """
    pad = max(1, images.shape[2] // 8)
    top, left = torch.randint(0, 2 * pad + 1, (2, len(images)), generator=generator)
    mirror = torch.rand(len(images), generator=generator) < 0.5
    if "crop" not in kinds:
        top, left = (torch.full_like(top, pad) for _ in range(2))
    if "flip" not in kinds:
        mirror = torch.zeros_like(mirror)
    return shifted(images, top, left, mirror, (pad, pad))


def noisy_labels(data: DataSet, share: float, seed: int) -> torch.Tensor:
    """Give the training labels, some of them replaced by another class's, drawn evenly.

    Args:
        data: whose labels.
        share: 0..1 of them that are replaced.
        seed: decides which, and by what.

    Returns:
        int64 (N,).
    """
    labels = torch.from_numpy(data.train.labels).clone()
    count = round(share * len(labels))
    if count and len(data.classes) > 1:
        generator = torch.Generator().manual_seed(derived_seed("label noise", seed))
        places = torch.randperm(len(labels), generator=generator)[:count]
        further = torch.randint(1, len(data.classes), (count,), generator=generator)
        labels[places] = (labels[places] + further) % len(data.classes)
    return labels


@dataclass(frozen=True)
class _Learner:
    """Takes the steps of a training."""

    module: nn.Module
    prepare: Prepare
    how: Recipe
    optimiser: torch.optim.Optimizer
    cycle: torch.optim.lr_scheduler.LRScheduler
    device: torch.device

    def step(self, images: torch.Tensor, labels: torch.Tensor, seed: int, epoch: int, k: int) -> tuple[float, int]:
        """Take a step on these images, attacked first if the recipe says so; give its loss and how many were right."""
        if self.how.attack is not None:
            generator = torch.Generator().manual_seed(derived_seed("attack", seed, epoch, k))
            images = attacked(self.module, self.prepare, images, labels, self.how.attack, generator)
        self.module.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            x = self.prepare(images).contiguous(memory_format=torch.channels_last)
            logits = logits_of(self.module(x)).float()
        loss = F.cross_entropy(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if self.cycle.last_epoch < self.cycle.total_steps - 1:  # type: ignore[attr-defined]
            self.cycle.step()
        value = loss.item()
        if not math.isfinite(value):
            raise StitchLabError(
                f"training diverged in epoch {epoch + 1}: the loss is {value}; choose another "
                "architecture, recipe or data set"
            )
        return value, int((logits.argmax(1) == labels).sum())


class _Source:
    """Holds training images with labels, possibly others than the data's, on the device."""

    def __init__(self, split: Split, labels: torch.Tensor, device: torch.device) -> None:
        self.split, self.labels, self._take = split, labels.to(device), taker(split, device)

    def batches(self, how: Recipe, seed: int, epoch: int) -> list[torch.Tensor]:
        """List the places of the images of each step of an epoch; one image alone is left out: batch norm needs two."""
        parts = self.split.order(derived_seed("training", seed, epoch)).split(how.batch)
        return [part for part in parts if len(part) > 1 or len(parts) == 1]

    def take(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take images uint8 (n,C,H,W) and labels (n,) at these places, on the device."""
        return self._take(places)[0], self.labels[places.to(self.labels.device)]


def _drawn(source: _Source, how: Recipe, seed: int, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    # A stream of its own: from the seed of the order, how an image is shifted would go with its place in the epoch.
    generator = torch.Generator().manual_seed(derived_seed("augmentation of training", seed, epoch))
    for places in source.batches(how, seed, epoch):
        images, labels = source.take(places)
        yield augmented(images, generator, how.augment) if how.augment else images, labels


def _optimiser(module: nn.Module, how: Recipe) -> torch.optim.Optimizer:
    if how.optimiser == "adamw":
        return torch.optim.AdamW(module.parameters(), lr=how.lr, weight_decay=how.weight_decay)
    return torch.optim.SGD(module.parameters(), lr=how.lr, momentum=0.9, weight_decay=how.weight_decay, nesterov=True)
