"""Finds the mean and standard deviation that scale a network's input: given, the data's own, or better ones by trial.

A file of weights does not say how images were scaled in training. With another scaling a network runs without an error,
but classifies worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from stitchlab.cutting.logits import logits_of
from stitchlab.data.splits import DataSet, Split, batch_size_for
from stitchlab.errors import StitchLabError
from stitchlab.models.store import LoadedNetwork, prepare
from stitchlab.models.train import channel_statistics

MAX_TRIAL_IMAGES = 300  # test images on which scalings are compared
# Another scaling is better if it gains at least this share of the images, and this many standard deviations of the gain
# (McNemar 1947):
MIN_GAIN = 0.05
MIN_GAIN_DEVIATIONS = 3.0
OWN_LABEL = "the data set's own"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Scaling:
    """Holds a mean and a standard deviation for pixels in 0..1, one number for each channel, and a label."""

    label: str
    mean: Numbers
    std: Numbers


def checked(statistic: Literal["mean", "std"], numbers: Sequence[float] | None, channels: int) -> Numbers:
    """Check a mean or a standard deviation, and return it with one number for each channel.

    Args:
        statistic: ``mean`` or ``std``.
        numbers: the given ones, for pixels in 0..1; None or empty where none are given.
        channels: how many numbers there must be.

    Returns:
        the numbers; () where none are given.

    Raises:
        StitchLabError: their number differs, one is not finite, or a std is not above 0.
    """
    least, sign = (0.0, " above 0") if statistic == "std" else (-math.inf, "")
    if numbers and (len(numbers) != channels or not all(least < number < math.inf for number in numbers)):
        raise StitchLabError(f"expected {channels} number(s){sign} for {statistic}, one a channel; got {list(numbers)}")
    return tuple(numbers or ())


def own(data: DataSet) -> Scaling:
    """Measure mean and standard deviation of the training images; a constant channel has standard deviation 1."""
    return Scaling(OWN_LABEL, *channel_statistics(data.train))


def usual(data: DataSet) -> list[Scaling]:
    """List the scalings that networks for such images are usually trained with, the data's own first."""
    channels = data.shape[0]
    constants = [("mean and deviation .5", 0.5, 0.5), ("pixels in 0..1 as they are", 0.0, 1.0)]
    imagenet = [Scaling("ImageNet's", *IMAGENET)] if channels == len(IMAGENET[0]) else []
    return [own(data), *imagenet, *(Scaling(label, (m,) * channels, (s,) * channels) for label, m, s in constants)]


def remark(loaded: LoadedNetwork, data: DataSet, device: torch.device) -> str:
    """Say which usual scaling makes a network far more accurate than its own; empty if none does.

    It compares predictions on the first `MAX_TRIAL_IMAGES` test images. Only images count that are correct with one
    scaling and wrong with the other.

    Args:
        loaded: the network, which must have the data's classes.
        data: the data set.
        device: where the network's module is.
    """
    images = data.test.first(MAX_TRIAL_IMAGES)
    correct = _correct(loaded, images, device)
    best, best_correct = None, correct
    for scaling in usual(data):
        tried_correct = _correct(replace(loaded, mean=scaling.mean, std=scaling.std), images, device)
        if int(tried_correct.sum()) > int(best_correct.sum()):
            best, best_correct = scaling, tried_correct
    won, lost = int((best_correct & ~correct).sum()), int((correct & ~best_correct).sum())
    if best is None or won - lost <= max(MIN_GAIN * len(images), MIN_GAIN_DEVIATIONS * math.sqrt(won + lost)):
        return ""
    return (
        f"of {len(images)} test images it gets {correct.float().mean():.0%} right with its mean and deviation, and "
        f"{best_correct.float().mean():.0%} with {best.label}; if it was trained with those, import it again with "
        f"--replace and {'without --mean and --std' if best.label == OWN_LABEL else flags(best)}"
    )


def untried(data: DataSet) -> str:
    """Say that no other scaling could be tried, because the network has other classes than the data set."""
    return (
        f"it has other classes than {data.label}, so that no accuracy shows whether the mean and deviation "
        "of these images are those that it was trained with; if you know those, import it again with --replace, "
        "--mean and --std"
    )


def flags(scaling: Scaling) -> str:
    """Write a scaling as the command line takes it.

    >>> flags(Scaling("", (0.5,), (0.25,)))
    '--mean 0.5 --std 0.25'
    """
    mean, std = (",".join(f"{number:.4g}" for number in numbers) for numbers in (scaling.mean, scaling.std))
    return f"--mean {mean} --std {std}"


def _correct(network: LoadedNetwork, split: Split, device: torch.device) -> torch.Tensor:
    """Tell which images a network classifies correctly: bool (N,)."""
    correct = []
    with torch.inference_mode():
        for indices in torch.arange(len(split)).split(batch_size_for(MAX_TRIAL_IMAGES, network.size)):
            images, labels = split.take(indices)
            logits = logits_of(network.module(prepare(network, images.to(device))))
            correct.append(logits.argmax(1).cpu() == labels)
    return torch.cat(correct)
