"""Keeps resume points: how far stitches are in training, so that it goes on from there after a cancel or a kill.

A resume point has maps and what the optimiser knows of each after a whole epoch, in the precision that they are
computed in: training that was interrupted gives the very maps of one that was not. It is found by the keys of its maps,
so whatever cells are asked for, none takes up another's state. In the room ``resume`` each cell has a file of its own,
``{name}-{epoch}-{place of the cell}``; the entry ``{name}`` lists the cells and says which epoch counts. It is replaced
when the files of a later epoch are all there.
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

EVERY = 60.0  # seconds between two resume points at least: where epochs are shorter, they cost more than they save


class State(NamedTuple):
    """Holds how far a cell's map is: whole epochs, the map, and what the optimiser knows of it."""

    epoch: int
    tensors: dict[str, Tensor]


@dataclass
class Training:
    """Holds stitches that are trained side by side, their optimiser, and how many whole epochs they have had."""

    stitches: dict[Cell, Stitch]
    optimizer: torch.optim.Optimizer
    epoch: int = 0

    def state(self, cell: Cell) -> dict[str, Tensor]:
        """Give a cell's map and what the optimiser knows of it."""
        own = _parameters(self.stitches[cell])
        if isinstance(self.optimizer, Soap):
            return own | self.optimizer.known(own["weight"])
        return own | {
            f"{name}.{what}": value for name, of in own.items() for what, value in self.optimizer.state[of].items()
        }

    @torch.no_grad()
    def take_up(self, states: Mapping[Cell, State]) -> None:
        """Go on from the states of all cells, which are of one epoch; from no states, begin.

        The learning rate is the schedule's to set.
        """
        if not states:
            return
        (self.epoch,) = {state.epoch for state in states.values()}
        adam: list[dict[str, Tensor]] = []
        for cell, stitch in self.stitches.items():
            kept = states[cell].tensors
            for name, parameter in _parameters(stitch).items():
                parameter.copy_(kept[name])
                adam.append(
                    {
                        what.removeprefix(f"{name}."): value
                        for what, value in kept.items()
                        if what.startswith(f"{name}.")
                    }
                )
        if isinstance(self.optimizer, Soap):
            self.optimizer.recall({stitch.weight: states[cell].tensors for cell, stitch in self.stitches.items()})
        else:
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": dict(enumerate(adam))})


class Keeper:
    """Keeps the resume point of cells that are trained together.

    Args:
        store: where it lies.
        keys: of the cells' maps.
    """

    def __init__(self, store: Store, keys: Mapping[Cell, str]) -> None:
        self._store, self._keys = store, keys
        self._name, self._last = content_id(sorted(keys.values())), time.monotonic()

    def keep(self, training: Training) -> None:
        """Replace the resume point by how far the training is now, unless that was done a moment ago."""
        if time.monotonic() - self._last < EVERY:
            return
        name = f"{self._name}-{training.epoch}"
        for k, cell in enumerate(self._keys):  # one at a time: all of them together may be larger than the memory
            put_tensors(self._store, ROOM, f"{name}-{k}", training.state(cell))
        of = {"version": VERSION, "cells": list(self._keys.values()), "epoch": training.epoch}
        self._store.put(ROOM, self._name, of)
        for path in (self._store.root / ROOM).glob(f"{self._name}-*"):
            if not path.name.startswith(f"{name}-"):
                path.unlink(missing_ok=True)
        self._last = time.monotonic()


def find(store: Store, keys: Mapping[Cell, str]) -> dict[Cell, State]:
    """Find how far cells are, by the keys of their maps: the furthest of each; cells that have not begun are left out.

    What is damaged is passed over: then training begins anew.
    """
    found: dict[Cell, State] = {}
    for name in store.keys(ROOM):
        of = store.intact(ROOM, name) or {}
        places = {key: k for k, key in enumerate(of.get("cells", ()))} if of.get("version") == VERSION else {}
        for cell in (cell for cell, key in keys.items() if key in places):
            if cell in found and found[cell].epoch >= of["epoch"]:
                continue
            tensors = intact_tensors(store, ROOM, f"{name}-{of['epoch']}-{places[keys[cell]]}")
            if tensors is not None:
                found[cell] = State(of["epoch"], tensors)
    return found


def forget(store: Store) -> None:
    """Remove the resume points whose maps are all there."""
    for name in store.keys(ROOM):
        if not lacking(store, name):
            store.delete_all(ROOM, name)


def _parameters(stitch: Stitch) -> dict[str, Tensor]:
    return {"weight": stitch.weight, "bias": stitch.bias}
