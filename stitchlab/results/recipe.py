"""Describe a run's recipe of task loss matching in words, for captions, tables and the command line."""

from __future__ import annotations

from stitchlab.catalog.augmentations import AUGMENTATIONS, usual
from stitchlab.catalog.presets import name_of
from stitchlab.request import TaskLoss
from stitchlab.results.run import Run


def words(run: Run) -> str:
    """Describe a run's recipe in a few words, with its augmentation: every TLM number is shown with this text."""
    tlm = run.request.tlm
    parts = [f"{name(run)} recipe", f"{tlm.epochs} epoch{'s' * (tlm.epochs != 1)}"]
    parts += ["SOAP"] if tlm.optimiser == "soap" else []
    parts += [f"lr {tlm.lr:g}"]
    parts += [f"batch {tlm.batch}"] if tlm.batch != TaskLoss.batch else []
    parts += [f"weight decay {tlm.weight_decay:g}"] if tlm.weight_decay != TaskLoss.weight_decay else []
    parts += [tlm.schedule] if tlm.schedule != "constant" else []
    parts += [AUGMENTATIONS[tlm.augment].short]
    parts += [f"{tlm.images:,} training images"] if tlm.images else []
    parts += ["soft targets"] if tlm.targets == "soft" else []
    return ", ".join(parts + (["from DM"] if tlm.init == "dm" else []))


def name(run: Run) -> str:
    """Name the preset that a run's recipe equals, except for its number of images; ``own`` if it equals none."""
    data = run.record["data"]
    channels, height, width = data["shape"]
    return named(run.request.tlm, data["name"], (channels, height, width))


def named(tlm: TaskLoss, data: str, shape: tuple[int, int, int]) -> str:
    """Name the preset that a recipe equals.

    Args:
        tlm: the recipe.
        data, shape: name of the data and (C, H, W) of its images: the usual augmentation depends on both.

    Returns:
        the preset's name, or ``own``.
    """
    return name_of(tlm, usual(data, shape))


def is_the_papers(run: Run) -> bool:
    """Tell whether a run's recipe is exactly the paper's, including the number of images."""
    return name(run) == "paper" and run.request.tlm.images is None
