"""Trains a classifier of small images in one cycle of the learning rate (Smith & Topin 2019).

SGD with Nesterov momentum, or AdamW for transformers; on request with augmentation, label noise (Zhang et al. 2017), or
against an ℓ∞ adversary (Madry et al. 2018, `stitchlab.models.attack`). The module is trained in place. All random
numbers come from the seed. The order of an epoch and its augmentation come from seed and epoch, each with a generator
of its own.
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
from torch.optim.lr_scheduler import OneCycleLR

from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Recipe
from stitchlab.cutting.logits import logits_of
from stitchlab.data.augment import shift_and_mirror
from stitchlab.data.splits import DataSet, Split, take_on_device
from stitchlab.errors import StitchLabError
from stitchlab.models.attack import attack_images
from stitchlab.request import Report, derived_seed, no_report

Prepare = Callable[[torch.Tensor], torch.Tensor]
MAX_CHUNK_PIXELS = 2**20  # of each channel, that are counted at once
MAX_CURVE_IMAGES = 2000  # test images on which accuracy is measured after each epoch


@dataclass(frozen=True)
class CurvePoint:
    """Describes an epoch as a point of a training curve.

    ``loss`` and ``train`` are the mean training loss and accuracy (0..1) during the epoch, ``test`` is the accuracy
    after it, on the first `MAX_CURVE_IMAGES` test images.
    """

    epoch: int
    loss: float
    train: float
    test: float


def channel_statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure mean and standard deviation of each channel, pixels in 0..1, over all images and positions.

    They come from a histogram of each channel's 256 values. Sums of integers are exact, so that all machines get the
    same result, and images are never converted to a wider type. A constant channel has standard deviation 1.
    """
    values = np.arange(256)
    counts = _histograms(split)
    total = counts.sum(1)
    mean = counts @ values / total
    standard_deviation = np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0.0))
    scaled = np.where(standard_deviation > 0, standard_deviation / 255, 1.0)
    return tuple((mean / 255).tolist()), tuple(scaled.tolist())


def _histograms(split: Split) -> npt.NDArray[np.int64]:
    """Count how often each channel has each value: (C, 256)."""
    channels, height, width = split.images.shape[1:]
    counts = np.zeros((channels, 256), np.int64)
    step = max(1, MAX_CHUNK_PIXELS // (height * width))
    for start in range(0, len(split), step):
        for count, values in zip(counts, split.images[start : start + step].swapaxes(0, 1), strict=True):
            count += np.bincount(values.reshape(-1), minlength=256)
    return counts


def fit(
    module: nn.Module,
    data: DataSet,
    prepare: Prepare,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    report: Report,
    watch: Callable[[list[CurvePoint]], None] = lambda curve: None,
) -> list[CurvePoint]:
    """Train a module in place on the training images; on CUDA in bfloat16 autocast, with the images on the device.

    Args:
        module: maps (N,C,H,W) float32 to logits (N,classes).
        data, recipe: the images, and how to train on them.
        prepare: turns pixels 0..255 on the device into the module's input.
        seed: of the order, the augmentation, the label noise and the random starts of attacks.
        device: where to compute.
        report: receives epoch, loss and accuracy after every step; may raise to stop.
        watch: receives the curve so far after every epoch.

    Returns the curve, with a point for each epoch. Raises StitchLabError where the loss is no longer finite.
    """
    module.to(device).to(memory_format=torch.channels_last)
    train_images = _TrainImages(data.train, noisy_labels(data, recipe.label_noise, seed), device)
    steps = len(train_images.batches(recipe, seed, 0))
    optimiser = _optimiser(module, recipe)
    schedule = OneCycleLR(optimiser, recipe.lr, total_steps=recipe.epochs * steps, pct_start=0.3)
    learner = _Learner(module, prepare, recipe, optimiser, schedule, device)
    test = data.test.first(MAX_CURVE_IMAGES)
    curve: list[CurvePoint] = []
    for epoch in range(recipe.epochs):
        accuracy = f", test accuracy {curve[-1].test:.3f}" if curve else ""
        total_loss, correct, seen = 0.0, 0, 0
        for k, (images, labels) in enumerate(_augmented_batches(train_images, recipe, seed, epoch)):
            loss, correct_in_batch = learner.step(images, labels, seed, epoch, k)
            total_loss, correct, seen = total_loss + loss * len(labels), correct + correct_in_batch, seen + len(labels)
            done = (epoch + (k + 1) / steps) / recipe.epochs
            report(f"epoch {epoch + 1} of {recipe.epochs}, loss {loss:.2f}{accuracy}", done)
        counts = confusion(module.eval(), test, prepare, device, len(data.classes), recipe.batch)
        curve.append(CurvePoint(epoch + 1, total_loss / seen, correct / seen, accuracy_of(counts)))
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
    """Count how many images of each class the module assigns to each class.

    Args:
        module: on the device; returns logits.
        split: the images.
        prepare: turns pixels 0..255 on the device into the module's input.
        device: where to compute.
        classes, batch: number of classes, and of images in a forward pass.
        report: receives the progress.

    Returns:
        int64 (classes, classes) on the CPU: rows are the images' labels, columns the module's predictions.
    """
    counts = torch.zeros(classes * classes, dtype=torch.int64)
    with torch.inference_mode():
        for start in range(0, len(split), batch):
            report("measuring", start / len(split))
            images, labels = split.take(torch.arange(start, min(start + batch, len(split))))
            predicted = logits_of(module(prepare(images.to(device)))).argmax(1).cpu()
            counts += torch.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.view(classes, classes)


def accuracy_of(counts: torch.Tensor) -> float:
    """Compute the accuracy 0..1 from the counts of `confusion`."""
    return int(counts.trace()) / int(counts.sum())


def augmented(
    images: torch.Tensor, generator: torch.Generator, kinds: tuple[str, ...] = AUGMENTATION_STEPS
) -> torch.Tensor:
    """Augment images at random.

    Args:
        images: uint8 (N,C,H,W).
        generator: on the CPU.
        kinds: ``crop`` shifts each image by up to an eighth of its side and fills with black, ``flip`` mirrors half of
            the images.

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
    return shift_and_mirror(images, top, left, mirror, (pad, pad))


def noisy_labels(data: DataSet, share: float, seed: int) -> torch.Tensor:
    """Return the training labels with some of them replaced by other classes, all equally likely.

    Args:
        data: the data set with the labels.
        share: of the labels to replace, 0..1.
        seed: decides which labels are replaced, and by which classes.

    Returns:
        int64 (N,).
    """
    labels = torch.from_numpy(data.train.labels).clone()
    count = round(share * len(labels))
    if count and len(data.classes) > 1:
        generator = torch.Generator().manual_seed(derived_seed("label noise", seed))
        replaced = torch.randperm(len(labels), generator=generator)[:count]
        offsets = torch.randint(1, len(data.classes), (count,), generator=generator)
        labels[replaced] = (labels[replaced] + offsets) % len(data.classes)
    return labels


@dataclass(frozen=True)
class _Learner:
    """Updates the parameters of a module, one batch at a time."""

    module: nn.Module
    prepare: Prepare
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    schedule: OneCycleLR
    device: torch.device

    def step(self, images: torch.Tensor, labels: torch.Tensor, seed: int, epoch: int, k: int) -> tuple[float, int]:
        """Train on a batch, which is attacked first if the recipe says so; return its loss and correct predictions."""
        if self.recipe.attack is not None:
            generator = torch.Generator().manual_seed(derived_seed("attack", seed, epoch, k))
            images = attack_images(self.module, self.prepare, images, labels, self.recipe.attack, generator)
        self.module.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            x = self.prepare(images).contiguous(memory_format=torch.channels_last)
            logits = logits_of(self.module(x)).float()
        loss = F.cross_entropy(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if self.schedule.last_epoch < self.schedule.total_steps - 1:
            self.schedule.step()
        value = loss.item()
        if not math.isfinite(value):
            raise StitchLabError(
                f"training diverged in epoch {epoch + 1}: the loss is {value}; choose another "
                "architecture, recipe or data set"
            )
        return value, int((logits.argmax(1) == labels).sum())


class _TrainImages:
    """Holds training images on the device, with labels that may differ from the data set's."""

    def __init__(self, split: Split, labels: torch.Tensor, device: torch.device) -> None:
        self.split, self.labels, self._take = split, labels.to(device), take_on_device(split, device)

    def batches(self, recipe: Recipe, seed: int, epoch: int) -> list[torch.Tensor]:
        """List the image indices of each batch of an epoch, without a last batch of one: batch norm needs two."""
        batches = self.split.order(derived_seed("training", seed, epoch)).split(recipe.batch)
        return [batch for batch in batches if len(batch) > 1 or len(batches) == 1]

    def take(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the images uint8 (n,C,H,W) and labels (n,) at these indices, on the device."""
        return self._take(indices)[0], self.labels[indices.to(self.labels.device)]


def _augmented_batches(
    train_images: _TrainImages, recipe: Recipe, seed: int, epoch: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    # Its seed differs from that of the order, so that an image's shift does not depend on its position in the epoch.
    generator = torch.Generator().manual_seed(derived_seed("augmentation of training", seed, epoch))
    for indices in train_images.batches(recipe, seed, epoch):
        images, labels = train_images.take(indices)
        yield augmented(images, generator, recipe.augment) if recipe.augment else images, labels


def _optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    lr, weight_decay = recipe.lr, recipe.weight_decay
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay, nesterov=True)
