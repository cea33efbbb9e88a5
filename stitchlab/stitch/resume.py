"""Keep resume points: the state of a training after some epoch, from which it goes on after a cancel or a kill.

A resume point holds the maps and the optimiser's state of each after a whole epoch, in the precision in which they are
computed: a training that was interrupted ends with exactly the maps of one that was not. Resume points are found by the
keys of their maps, so no cell can continue from the state of another cell. In the room ``resume`` each cell has a file
of its own, ``{name}-{epoch}-{index of the cell}``; the entry ``{name}`` lists the cells and says which epoch is valid.
The entry is replaced when all files of a later epoch are written.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stitchlab.models.tensors import intact_tensors, put_tensors
from stitchlab.request import Cell, content_id
from stitchlab.results.resume import ROOM, VERSION, lacking
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.soap import Soap
from stitchlab.store import Store

MIN_INTERVAL_S = 60.0  # between two resume points: more frequent ones would cost more time than they save


class TrainingState(NamedTuple):
    """Hold the state of one cell's training: the number of whole epochs, and the map with the optimiser's state."""

    epoch: int
    tensors: dict[str, Tensor]


@dataclass
class Training:
    """Hold stitches that are trained side by side, their optimiser, and the number of whole epochs that are done."""

    stitches: dict[Cell, Stitch]
    optimizer: torch.optim.Optimizer
    epoch: int = 0

    def state(self, cell: Cell) -> dict[str, Tensor]:
        """Return a cell's map and the optimiser's state of it."""
        parameters = _parameters(self.stitches[cell])
        if isinstance(self.optimizer, Soap):
            return parameters | self.optimizer.state_of(parameters["weight"])
        return parameters | {
            f"{name}.{quantity}": value
            for name, parameter in parameters.items()
            for quantity, value in self.optimizer.state[parameter].items()
        }

    @torch.no_grad()
    def restore(self, states: Mapping[Cell, TrainingState]) -> None:
        """Continue from the states of all cells, which are of the same epoch; without states, change nothing.

        The learning rate is not restored: the schedule sets it.
        """
        if not states:
            return
        (self.epoch,) = {state.epoch for state in states.values()}
        adam_states: list[dict[str, Tensor]] = []
        for cell, stitch in self.stitches.items():
            tensors = states[cell].tensors
            for name, parameter in _parameters(stitch).items():
                parameter.copy_(tensors[name])
                adam_states.append(
                    {
                        key.removeprefix(f"{name}."): value
                        for key, value in tensors.items()
                        if key.startswith(f"{name}.")
                    }
                )
        if isinstance(self.optimizer, Soap):
            self.optimizer.restore({stitch.weight: states[cell].tensors for cell, stitch in self.stitches.items()})
        else:
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": dict(enumerate(adam_states))})


@dataclass(frozen=True)
class _Entry:
    """Hold what a resume point's JSON says: the keys of its cells' maps, and the epoch that is valid."""

    cells: list[str]
    epoch: int

    @classmethod
    def read(cls, store: Store, name: str) -> _Entry | None:
        """Read the entry of this name; return None where it is missing, damaged, or of another version."""
        record = store.intact(ROOM, name)
        if record is None or record.get("version") != VERSION:
            return None
        return cls(record.get("cells", []), record.get("epoch", 0))

    def write(self, store: Store, name: str) -> None:
        store.put(ROOM, name, {"version": VERSION, "cells": self.cells, "epoch": self.epoch})


class Keeper:
    """Keep the resume point of cells that are trained together.

    Args:
        store: where the resume point is kept.
        keys: of the cells' maps.
    """

    def __init__(self, store: Store, keys: Mapping[Cell, str]) -> None:
        self._store, self._keys = store, keys
        self._name, self._last_kept = content_id(sorted(keys.values())), time.monotonic()

    def keep(self, training: Training) -> None:
        """Replace the resume point by the present state, unless the last one is younger than `MIN_INTERVAL_S`."""
        if time.monotonic() - self._last_kept < MIN_INTERVAL_S:
            return
        name = f"{self._name}-{training.epoch}"
        for k, cell in enumerate(self._keys):  # one at a time: together they may not fit into memory
            put_tensors(self._store, ROOM, f"{name}-{k}", training.state(cell))
        _Entry(list(self._keys.values()), training.epoch).write(self._store, self._name)
        for path in (self._store.root / ROOM).glob(f"{self._name}-*"):
            if not path.name.startswith(f"{name}-"):
                path.unlink(missing_ok=True)
        self._last_kept = time.monotonic()


def find(store: Store, keys: Mapping[Cell, str]) -> dict[Cell, TrainingState]:
    """Find the latest kept state of each cell, by the key of its map; cells without a state are left out.

    Damaged files are ignored: then the training of their cells begins anew.
    """
    states: dict[Cell, TrainingState] = {}
    for name in store.keys(ROOM):
        if (entry := _Entry.read(store, name)) is None:
            continue
        index_of = {key: k for k, key in enumerate(entry.cells)}
        for cell in (cell for cell, key in keys.items() if key in index_of):
            if cell in states and states[cell].epoch >= entry.epoch:
                continue
            tensors = intact_tensors(store, ROOM, f"{name}-{entry.epoch}-{index_of[keys[cell]]}")
            if tensors is not None:
                states[cell] = TrainingState(entry.epoch, tensors)
    return states


def forget(store: Store) -> None:
    """Remove the resume points whose maps are all in the store."""
    for name in store.keys(ROOM):
        if not lacking(store, name):
            store.delete_all(ROOM, name)


def _parameters(stitch: Stitch) -> dict[str, Tensor]:
    return {"weight": stitch.weight, "bias": stitch.bias}
