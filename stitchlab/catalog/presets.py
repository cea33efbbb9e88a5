"""List the named recipes of task loss matching, and find the name of a recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stitchlab.errors import UnknownName
from stitchlab.request import AUTO, AugmentationName, TaskLoss

#: `paper` is the recipe of Balogh & Jelasity's code; `plain` is the same recipe on un-augmented images. `quick` takes a
#: sixth of the paper's steps and is more accurate on average, so its numbers are not the paper's and are shown with its
#: name. It has no augmentation, because so few epochs do not need it (benchmarks/README.md, row h).
PRESETS = {
    "paper": TaskLoss(augment=AUTO),
    "plain": TaskLoss(),
    "quick": TaskLoss(epochs=5, lr=2e-2, schedule="one-cycle", optimiser="soap"),
}
SOAP_MAX_LR = 0.1  # upper limit of SOAP's learning rate, even with few steps


def preset(name: str, **changes: Any) -> TaskLoss:
    """Return the TLM recipe of this name, with changes to its settings. Raises UnknownName."""
    if name not in PRESETS:
        raise UnknownName("TLM preset", name, PRESETS)
    return replace(PRESETS[name], **changes)


def resolved(recipe: TaskLoss, usual: AugmentationName) -> TaskLoss:
    """Replace the augmentation ``auto`` of a recipe by the usual one (`stitchlab.catalog.augmentations.usual`)."""
    return replace(recipe, augment=usual) if recipe.augment == AUTO else recipe


def name_of(recipe: TaskLoss, usual: AugmentationName) -> str:
    """Return the name of the preset that equals a recipe; ``own`` if none does.

    The number of images is ignored. For ``quick`` the augmentation is ignored too: captions name it beside the recipe.

    >>> name_of(TaskLoss(), "flip-crop"), name_of(TaskLoss(), "none"), name_of(TaskLoss(epochs=3), "none")
    ('plain', 'paper', 'own')
    """
    any_images = replace(recipe, images=None)
    names = [name for name, candidate in PRESETS.items() if resolved(candidate, usual) == any_images]
    if not names and replace(any_images, augment=PRESETS["quick"].augment) == PRESETS["quick"]:
        return "quick"
    return names[0] if names else "own"
