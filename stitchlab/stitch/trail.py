"""Keep the trail of a training: the map before TLM and after some of its epochs, written while training runs.

The room ``epochs`` has an entry for each point, ``{key of the map}-{epoch}``: weight (D, C) and bias (D,) in float16,
each scaled by its largest value, or in float32 where that value is not finite. Once training is done, an entry under
the key of the map itself lists the epochs of the points. Trails of an older format are one entry with every epoch:
weight (E+1, D, C), bias (E+1, D).
"""

from __future__ import annotations

import os

from torch import Tensor

from stitchlab.errors import StitchLabError
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.results.trajectory import ROOM
from stitchlab.stitch.affine import Stitch
from stitchlab.store import Store

DEFAULT_MAX_POINTS = 12  # the most points of a trail, unless STITCHLAB_TRAIL says otherwise
Maps = dict[int, tuple[Tensor, Tensor]]  # weight and bias, by epoch


def epochs_to_keep(epochs: int, max_points: int | None = None) -> list[int]:
    """Choose the epochs of a trail, always including epoch 0 and the last; gaps grow, since maps move fast at first.

    Args:
        epochs: number of epochs of the training.
        max_points: the most points, 2 or more, or 0 for no trail; default is the environment's STITCHLAB_TRAIL, or 12.

    >>> epochs_to_keep(5), epochs_to_keep(30), epochs_to_keep(30, 4), epochs_to_keep(30, 0)
    ([0, 1, 2, 4, 5], [0, 1, 2, 4, 7, 11, 16, 22, 29, 30], [0, 4, 16, 30], [])
    """
    max_points = max_points_setting() if max_points is None else max_points
    if not max_points:
        return []
    chosen, step = [0], 1
    while (following := chosen[-1] + max(1, step - 1)) < epochs:
        chosen.append(following)
        step += 1
    chosen.append(epochs)
    if len(chosen) > max_points:
        chosen = [chosen[round(k * (len(chosen) - 1) / (max_points - 1))] for k in range(max_points)]
    return chosen


def put(store: Store, key: str, epoch: int, stitch: Stitch) -> None:
    """Keep a point of a trail: the map after one epoch.

    Args:
        store: where trails are kept.
        key: of the map.
        epoch: number of whole epochs that the map has been trained; 0 before the first.
        stitch: the map as it is now.
    """
    put_tensors(store, ROOM, f"{key}-{epoch}", _packed("weight", stitch.weight) | _packed("bias", stitch.bias))


def finish(store: Store, key: str, epochs: int) -> None:
    """Write the list of epochs that the trail of a finished training has; write nothing where it has none.

    Args:
        store: where trails are kept.
        key: of the map.
        epochs: number of epochs of the training.
    """
    kept_epochs = [
        epoch for epoch in epochs_to_keep(epochs) if store.path(ROOM, f"{key}-{epoch}", ".safetensors").exists()
    ]
    if kept_epochs:
        store.put(ROOM, key, {"epochs": kept_epochs})


def read(store: Store, key: str) -> Maps | None:
    """Read the maps of a trail by epoch, in order; return None where the store has no trail. Raises Damaged."""
    contents = store.get(ROOM, key)
    if contents is None:
        every_epoch = get_tensors(store, ROOM, key)  # the older format
        if every_epoch is None:
            return None
        return dict(enumerate(zip(every_epoch["weight"], every_epoch["bias"], strict=True)))
    points = {epoch: get_tensors(store, ROOM, f"{key}-{epoch}") for epoch in contents["epochs"]}
    return {epoch: (_unpacked("weight", point), _unpacked("bias", point)) for epoch, point in points.items() if point}


def max_points_setting() -> int:
    """Read from STITCHLAB_TRAIL the most points of a trail. Raises StitchLabError where it is no valid number."""
    value = os.environ.get("STITCHLAB_TRAIL", "").strip() or str(DEFAULT_MAX_POINTS)
    if not value.isdecimal() or int(value) == 1:
        raise StitchLabError(
            f"expected STITCHLAB_TRAIL, the most epochs whose maps a cell keeps ({DEFAULT_MAX_POINTS} if it is not "
            f"set), to be 2 or more, or 0 for none; got {value!r}"
        )
    return int(value)


def _packed(name: str, x: Tensor) -> dict[str, Tensor]:
    x = x.detach().float()
    largest = x.abs().max()
    if not largest.isfinite():
        return {name: x}
    scale = largest.where(largest > 0, 1.0)
    return {name: (x / scale).half(), f"{name}.scale": scale}


def _unpacked(name: str, point: dict[str, Tensor]) -> Tensor:
    return point[name].float() * point[f"{name}.scale"] if f"{name}.scale" in point else point[name]
