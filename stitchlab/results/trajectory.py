"""Read TLM's trajectory, as far as the store has it: the stitched network and the detectors after every epoch.

`stitchlab.ood.trajectory` computes it.
"""

from __future__ import annotations

from typing import Any

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.results.detection import read
from stitchlab.results.keys import cell_key, map_key, verdict_key
from stitchlab.results.run import Run
from stitchlab.store import Array

ROOM = "epochs"  # of the maps that it is computed from (`stitchlab.stitch.trail`)
VERSION = 1  # of what a walk is


def key(run: Run, front_layer: str, end_layer: str) -> str:
    """Return the key of a cell's trajectory (room ``ood``).

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    return verdict_key(cell_key(run.request, "tlm", front_layer, end_layer), "walk", VERSION, versions())


def versions() -> list[tuple[str, int]]:
    """List the detectors that follow a trajectory, with the versions of their definitions."""
    return [(name, DETECTORS[name].version) for name in QUICK]


def kept(run: Run, front_layer: str, end_layer: str) -> tuple[dict[str, Any], Array] | None:
    """Read a cell's trajectory.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        ``epochs`` (from 0, before training), ``accuracy`` after each of them, by ``detectors`` each metric likewise,
        number of ``images``; and where images lie in the native plane, (epochs, n, 2). None if there is none.
    """
    found = read(run.store, key(run, front_layer, end_layer))
    if found is None:
        return None
    every = list(range(len(found[0]["accuracy"])))  # walks from before have every epoch
    return {"epochs": every, **found[0]}, found[1]["plane"]


def possible(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether maps of several epochs are kept: older stores have only the last, as has STITCHLAB_TRAIL=0.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    of = map_key(run.request, "tlm", front_layer, end_layer)
    if run.source:  # a file has walks, and no maps to walk along
        return False
    return run.store.has(ROOM, of) or run.store.path(ROOM, of, ".safetensors").exists()
