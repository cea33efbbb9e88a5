"""Finds the mean and deviation that a network's input is scaled by: those given, the data's own, and a trial of others.

A file of weights does not say what they were trained with, and with the wrong numbers a network runs, and is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from stitchlab.cutting.logits import logits_of
from stitchlab.data.splits import DataSet, Split, at_once
from stitchlab.errors import StitchLabError
from stitchlab.models.store import LoadedNetwork, prepare
from stitchlab.models.train import channel_statistics

TRIED = 300  # test images, at most, that a trial looks at
FAR, SURE = 0.05, 3.0  # share of them that others must win, and by how many standard deviations of that (McNemar 1947)
OWN = "the data set's own"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Scaling:
    """Holds a mean and a deviation for pixels in 0..1, one number a channel, and what people call them."""

    label: str
    mean: Numbers
    std: Numbers


def checked(what: str, numbers: Sequence[float] | None, channels: int) -> Numbers:
    """Check a mean or a standard deviation, and return it with one number a channel.

    Args:
        what: ``mean`` or ``std``.
        numbers: as given, for pixels in 0..1; None or empty where none is given.
        channels: how many there must be.

    Returns:
        the numbers; () where none is given.

    Raises:
        StitchLabError: their number is another, one is not finite, or a std is not above 0.
    """
    least, sign = (0.0, " above 0") if what == "std" else (-math.inf, "")
    if numbers and (len(numbers) != channels or not all(least < number < math.inf for number in numbers)):
        raise StitchLabError(f"expected {channels} number(s){sign} for {what}, one a channel; got {list(numbers)}")
    return tuple(numbers or ())


def own(data: DataSet) -> Scaling:
    """Measure the data set's own mean and deviation on its training images; a constant channel has deviation 1."""
    return Scaling(OWN, *channel_statistics(data.train))


def usual(data: DataSet) -> list[Scaling]:
    """List what networks of such images are usually trained with: the data's own first."""
    channels = data.shape[0]
    same = [("mean and deviation .5", 0.5, 0.5), ("pixels in 0..1 as they are", 0.0, 1.0)]
    imagenet = [Scaling("ImageNet's", *IMAGENET)] if channels == len(IMAGENET[0]) else []
    return [own(data), *imagenet, *(Scaling(label, (m,) * channels, (s,) * channels) for label, m, s in same)]


def remark(loaded: LoadedNetwork, data: DataSet, device: torch.device) -> str:
    """Say which usual mean and deviation make a network right far more often than those it has; empty if none.

    Looks at the first `TRIED` test images; those decide on which one is right and the other wrong.

    Args:
        loaded: the network, which must have the data's classes.
        data: the data set.
        device: where the network's module is.
    """
    some = data.test.first(TRIED)
    here = _right(loaded, some, device)
    best, most = None, here
    for scaling in usual(data):
        there = _right(replace(loaded, mean=scaling.mean, std=scaling.std), some, device)
        if int(there.sum()) > int(most.sum()):
            best, most = scaling, there
    won, lost = int((most & ~here).sum()), int((here & ~most).sum())
    if best is None or won - lost <= max(FAR * len(some), SURE * math.sqrt(won + lost)):
        return ""
    return (
        f"of {len(some)} test images it gets {here.float().mean():.0%} right with its mean and deviation, and "
        f"{most.float().mean():.0%} with {best.label}; if it was trained with those, import it again with "
        f"--replace and {'without --mean and --std' if best.label == OWN else flags(best)}"
    )


def untried(data: DataSet) -> str:
    """Say that no other scaling could be tried: the network has other classes than the data that it was scaled for."""
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


def _right(network: LoadedNetwork, split: Split, device: torch.device) -> torch.Tensor:
    """Tell which images a network puts into their class: bool (N,)."""
    bring, made = partial(prepare, network), []
    with torch.inference_mode():
        for places in torch.arange(len(split)).split(at_once(TRIED, network.size)):
            images, labels = split.take(places)
            made.append(logits_of(network.module(bring(images.to(device)))).argmax(1).cpu() == labels)
    return torch.cat(made)
