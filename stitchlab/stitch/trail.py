"""Keeps the trail of a training: the maps that TLM had before it and after some of its epochs, written as they come.

The room ``epochs`` has an entry for each point, ``{key of the map}-{epoch}``: weight (D, C) and bias (D,) in float16,
each scaled by its largest value, or in float32 where that is not finite. Once training is done, an entry under the key
of the map itself lists the epochs that are held. Trails from before are one entry of every epoch: weight (E+1, D, C),
bias (E+1, D).
"""

from __future__ import annotations

import os

from torch import Tensor

from stitchlab.errors import StitchLabError
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.results.trajectory import ROOM
from stitchlab.stitch.affine import Stitch
from stitchlab.store import Store

POINTS = 12  # of a trail at most, unless STITCHLAB_TRAIL says otherwise
Maps = dict[int, tuple[Tensor, Tensor]]  # weight and bias, by epoch


def series(epochs: int, most: int | None = None) -> list[int]:
    """Choose the epochs of a trail: steps grow by one, since maps move fast at first; always epoch 0 and the last.

    Args:
        epochs: of the training.
        most: points at most, 2 or more, or 0 for no trail; default is the environment's STITCHLAB_TRAIL, else 12.

    >>> series(5), series(30), series(30, 4), series(30, 0)
    ([0, 1, 2, 4, 5], [0, 1, 2, 4, 7, 11, 16, 22, 29, 30], [0, 4, 16, 30], [])
    """
    most = setting() if most is None else most
    if not most:
        return []
    chosen, step = [0], 1
    while (following := chosen[-1] + max(1, step - 1)) < epochs:
        chosen.append(following)
        step += 1
    chosen.append(epochs)
    if len(chosen) > most:
        chosen = [chosen[round(k * (len(chosen) - 1) / (most - 1))] for k in range(most)]
    return chosen


def put(store: Store, key: str, epoch: int, stitch: Stitch) -> None:
    """Keep a point of a trail: the map after one epoch.

    Args:
        store: where trails are kept.
        key: of the map.
        epoch: how many whole epochs it has been trained; 0 before the first.
        stitch: the map as it is now.
    """
    put_tensors(store, ROOM, f"{key}-{epoch}", _packed("weight", stitch.weight) | _packed("bias", stitch.bias))


def finish(store: Store, key: str, epochs: int) -> None:
    """List which epochs the trail of a finished training holds; no entry is made where it holds none.

    Args:
        store: where trails are kept.
        key: of the map.
        epochs: of the training.
    """
    held = [e for e in series(epochs) if store.path(ROOM, f"{key}-{e}", ".safetensors").exists()]
    if held:
        store.put(ROOM, key, {"epochs": held})


def read(store: Store, key: str) -> Maps | None:
    """Read the maps of a trail, by epoch in order; None where there is none. Raises Damaged."""
    held = store.get(ROOM, key)
    if held is None:
        old = get_tensors(store, ROOM, key)
        return None if old is None else dict(enumerate(zip(old["weight"], old["bias"], strict=True)))
    points = {epoch: get_tensors(store, ROOM, f"{key}-{epoch}") for epoch in held["epochs"]}
    return {epoch: (_unpacked("weight", point), _unpacked("bias", point)) for epoch, point in points.items() if point}


def setting() -> int:
    """Read how many points a trail has at most. Raises StitchLabError where STITCHLAB_TRAIL is no such number."""
    told = os.environ.get("STITCHLAB_TRAIL", "").strip() or str(POINTS)
    if not told.isdecimal() or int(told) == 1:
        raise StitchLabError(
            f"expected STITCHLAB_TRAIL, the most epochs whose maps a cell keeps ({POINTS} if it is not set), to be 2 "
            f"or more, or 0 for none; got {told!r}"
        )
    return int(told)


def _packed(name: str, x: Tensor) -> dict[str, Tensor]:
    x = x.detach().float()
    largest = x.abs().max()
    if not largest.isfinite():
        return {name: x}
    scale = largest.where(largest > 0, 1.0)
    return {name: (x / scale).half(), f"{name}.scale": scale}


def _unpacked(name: str, point: dict[str, Tensor]) -> Tensor:
    return point[name].float() * point[f"{name}.scale"] if f"{name}.scale" in point else point[name]
