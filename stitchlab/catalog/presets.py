"""Name recipes of task loss matching, and tell which of them given settings are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stitchlab.errors import UnknownName
from stitchlab.request import AUTO, AugmentationName, TaskLoss

#: `paper` is what Balogh & Jelasity's code trains stitches by; `plain` is the same on un-augmented images. `quick`
#: takes a sixth of the paper's steps, and gets further with them: its numbers carry its name and are not the paper's.
#: It does without augmentation, which so few epochs do not need (benchmarks/README.md, row h).
PRESETS = {
    "paper": TaskLoss(augment=AUTO),
    "plain": TaskLoss(),
    "quick": TaskLoss(epochs=5, lr=2e-2, schedule="one-cycle", optimiser="soap"),
}
SOAP_MAX_LR = 0.1  # SOAP's learning rate never gets above it, however few the steps


def preset(name: str, **changes: Any) -> TaskLoss:
    """Return the TLM recipe of this name with some settings changed. Raises UnknownName."""
    if name not in PRESETS:
        raise UnknownName("TLM preset", name, PRESETS)
    return replace(PRESETS[name], **changes)


def resolved(recipe: TaskLoss, usual: AugmentationName) -> TaskLoss:
    """Replace the augmentation ``auto`` of a recipe by ``usual`` (`stitchlab.catalog.augmentations.usual`)."""
    return replace(recipe, augment=usual) if recipe.augment == AUTO else recipe


def name_of(recipe: TaskLoss, usual: AugmentationName) -> str:
    """Name the preset that a recipe is, whatever its number of images; ``own`` if it is none.

    ``quick`` is called that whatever its augmentation, which captions say beside it.

    >>> name_of(TaskLoss(), "flip-crop"), name_of(TaskLoss(), "none"), name_of(TaskLoss(epochs=3), "none")
    ('plain', 'paper', 'own')
    """
    asked = replace(recipe, images=None)
    names = [name for name, known in PRESETS.items() if resolved(known, usual) == asked]
    if not names and replace(asked, augment=PRESETS["quick"].augment) == PRESETS["quick"]:
        return "quick"
    return names[0] if names else "own"
