"""Recipes of task loss matching, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stitchlab.errors import UnknownName
from stitchlab.request import TaskLoss

#: `quick` takes a sixth of the paper's steps, and gets further with them: its numbers carry its name and are not the
#: paper's.
PRESETS = {
    "paper": TaskLoss(),
    "quick": TaskLoss(epochs=5, lr=2e-2, schedule="one-cycle", optimiser="soap"),
}


def preset(name: str, **changes: Any) -> TaskLoss:
    """Gives the TLM recipe of this name with some settings changed. Raises UnknownName."""
    if name not in PRESETS:
        raise UnknownName("TLM preset", name, PRESETS)
    return replace(PRESETS[name], **changes)
