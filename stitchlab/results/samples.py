"""Read samples of a run's telling cells, as far as the store has them: ten test images, and some of their maps.

`stitchlab.ood.samples` makes them. They are what a file that is handed on can show where there are no networks.
"""

from __future__ import annotations

from typing import Any

from stitchlab.request import Cell, Request, content_id
from stitchlab.results.detection import DetectionResults
from stitchlab.results.keys import cell_key
from stitchlab.results.run import Run
from stitchlab.results.similarity import telling_cell
from stitchlab.store import Array

ROOM = "samples"
VERSION = 1  # of what a sample is
IMAGES, CHANNELS = 10, 8  # the first evaluation images; the channels that the first method moved most
SIDE, PIXELS = 32, 64  # positions of a map, and pixels of an image, along a side at most: larger ones are averaged


def cells(found: DetectionResults) -> list[Cell]:
    """List the cells to sample, at most three: the telling one, last layer into first, and first into first.

    All their methods are computed.
    """
    run, request = found.run, found.run.request
    if not request.methods:
        return []
    first, last, into = request.front_layers[0], request.front_layers[-1], request.end_layers[0]
    wanted = dict.fromkeys([telling_cell(found), (last, into), (first, into)])
    return [cell for cell in wanted if all((method, *cell) in run.cells for method in request.methods)]


def key(request: Request, front_layer: str, end_layer: str) -> str:
    """Return the key of a cell's sample (room ``samples``), which all its methods share.

    Args:
        request: of the run.
        front_layer, end_layer: of the cell.
    """
    of = [cell_key(request, method, front_layer, end_layer) for method in request.methods]
    return content_id({"what": "sample", "cells": of, "version": VERSION})


def kept(run: Run, front_layer: str, end_layer: str) -> dict[str, Array] | None:
    """Read a cell's sample.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        images uint8 (n, H, W, C), or grey (n, H, W), and labels (n,); channels (c,), which they are; by set (native,
        and each method) the maps float16 (n, c, h, w), over ``scale`` (1,). None if there is no sample.
    """
    where = key(run.request, front_layer, end_layer)
    if run.store.intact(ROOM, where) is None:
        return None
    return run.store.intact_arrays(ROOM, where)


def there(run: Run) -> list[str]:
    """List the cells of a run that have samples, for people."""
    known = set(run.store.keys(ROOM))
    return [f"{i} → {j}" for i, j in run.request.cells if known and key(run.request, i, j) in known]


def images(run: Run) -> tuple[Array, Array] | None:
    """Read the sampled test images and their labels, which all cells share; None if there are none."""
    known = set(run.store.keys(ROOM))
    cell = next((cell for cell in run.request.cells if known and key(run.request, *cell) in known), None)
    found = None if cell is None else kept(run, *cell)
    return None if found is None else (found["images"], found["labels"])


def provenance(run: Run, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Return how a sample was computed.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        device, versions and the like; empty if there is no sample.
    """
    return run.store.intact(ROOM, key(run.request, front_layer, end_layer)) or {}
