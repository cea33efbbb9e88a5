"""Read a trajectory of TLM, if it is computed: the stitched network's accuracy and the detectors after every epoch.

`stitchlab.ood.trajectory` computes it.
"""

from __future__ import annotations

from typing import Any

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.results.detection import read
from stitchlab.results.keys import cell_key, map_key, verdict_key
from stitchlab.results.run import Run
from stitchlab.store import Array

ROOM = "epochs"  # of the maps after each epoch, from which a trajectory is computed (`stitchlab.stitch.trail`)
VERSION = 1  # of the definition of a trajectory


def key(run: Run, front_layer: str, end_layer: str) -> str:
    """Return the key of a cell's trajectory (room ``ood``).

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    return verdict_key(cell_key(run.request, "tlm", front_layer, end_layer), "walk", VERSION, versions())


def versions() -> list[tuple[str, int]]:
    """List the detectors that a trajectory has numbers of, with the versions of their definitions."""
    return [(name, DETECTORS[name].version) for name in QUICK]


def kept(run: Run, front_layer: str, end_layer: str) -> tuple[dict[str, Any], Array] | None:
    """Read a cell's trajectory.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        ``epochs`` (0 is before training), ``accuracy`` after each of them, each metric of ``detectors`` likewise, and
        the number of ``images``; and the places of images in the native plane, (epochs, n, 2). None if the trajectory
        is not computed.
    """
    stored = read(run.store, key(run, front_layer, end_layer))
    if stored is None:
        return None
    entry, arrays = stored
    all_epochs = list(range(len(entry["accuracy"])))  # trajectories of earlier versions do not list their epochs
    return {"epochs": all_epochs, **entry}, arrays["plane"]


def possible(run: Run, front_layer: str, end_layer: str) -> bool:
    """Tell whether a trajectory can be computed: the maps after each epoch are kept.

    Earlier versions kept only the last map, and so does STITCHLAB_TRAIL=0.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    map_of_cell = map_key(run.request, "tlm", front_layer, end_layer)
    if run.source:  # a file has trajectories, but no maps to compute one from
        return False
    return run.store.has(ROOM, map_of_cell) or run.store.path(ROOM, map_of_cell, ".safetensors").exists()
