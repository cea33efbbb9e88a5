"""Keeps what detectors say: an entry and its tensors. `stitchlab.results.detection` reads them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from stitchlab.models.tensors import put_tensors
from stitchlab.results.detection import ROOM
from stitchlab.store import Store


def keep(store: Store, key: str, value: dict[str, Any], tensors: dict[str, Tensor], how: dict[str, Any]) -> None:
    """Keep an entry and its tensors; they come first: an entry that is there is whole.

    Args:
        store, key: where it is kept.
        value: what a detector says.
        tensors: by name; real numbers are kept as fp32.
        how: how it was computed (`stitchlab.models.provenance`), kept with the value.
    """
    if tensors:
        plain = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
        put_tensors(store, ROOM, key, plain)
    store.put(ROOM, key, {**value, **how, "tensors": bool(tensors)})
