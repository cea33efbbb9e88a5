"""Samples of a run's telling cells, as much as the store keeps of them: ten test images, and some of their maps.

`stitchlab.ood.samples` makes them. They are what a file that is handed on can show where there are no networks.
"""

from __future__ import annotations

from typing import Any

from stitchlab.request import Request, cell_key, content_id
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run
from stitchlab.results.similarity import telling_cell
from stitchlab.store import Array

ROOM = "samples"
VERSION = 1  # of what a sample is
IMAGES, CHANNELS = 10, 8  # the first evaluation images; the channels that the first method moved most
SIDE, PIXELS = 32, 64  # positions of a map, and pixels of an image, along a side at most: larger ones are averaged

Cell = tuple[str, str]  # front layer, end layer


def cells(found: Distribution) -> list[Cell]:
    """Name the cells that are sampled, at most three: the telling one, the last layer into the first, first into first.

    All their methods are computed.
    """
    run, request = found.run, found.run.request
    if not request.methods:
        return []
    first, last, into = request.front_layers[0], request.front_layers[-1], request.end_layers[0]
    wanted = dict.fromkeys([telling_cell(found), (last, into), (first, into)])
    return [cell for cell in wanted if all((method, *cell) in run.cells for method in request.methods)]


def key(request: Request, front_layer: str, end_layer: str) -> str:
    """Give the key of a cell's sample (room ``samples``): of all its methods together."""
    of = [cell_key(request, method, front_layer, end_layer) for method in request.methods]
    return content_id({"what": "sample", "cells": of, "version": VERSION})


def kept(run: Run, front_layer: str, end_layer: str) -> dict[str, Array] | None:
    """Read a cell's sample; None where there is none.

    Returns:
        images uint8 (n, H, W, C), or grey (n, H, W), and labels (n,); channels (c,), which they are; by set (native,
        and each method) the maps float16 (n, c, h, w), over ``scale`` (1,).
    """
    where = key(run.request, front_layer, end_layer)
    if run.store.intact(ROOM, where) is None:
        return None
    return run.store.intact_arrays(ROOM, where)


def there(run: Run) -> list[str]:
    """Name the cells of a run whose samples are there, for people."""
    known = set(run.store.keys(ROOM))
    return [f"{i} → {j}" for i, j in run.request.cells if known and key(run.request, i, j) in known]


def images(run: Run) -> tuple[Array, Array] | None:
    """Read the sampled test images and their labels, which all cells share; None where there are none."""
    known = set(run.store.keys(ROOM))
    cell = next((cell for cell in run.request.cells if known and key(run.request, *cell) in known), None)
    found = None if cell is None else kept(run, *cell)
    return None if found is None else (found["images"], found["labels"])


def provenance(run: Run, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Say how a sample that is there was computed."""
    return run.store.intact(ROOM, key(run.request, front_layer, end_layer)) or {}
