"""Read the samples of up to three cells of a run, if they are made: ten test images, and some of their feature maps.

`stitchlab.ood.samples` makes them. Thanks to them, a .stitch file can show images and maps without the networks.
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
VERSION = 1  # of the definition of a sample
IMAGES = 10  # the first evaluation images
CHANNELS = 8  # those that the first method moved most
SIDE = 32  # positions along a side of a map, at most: larger maps are averaged
PIXELS = 64  # pixels along a side of an image, at most: larger images are averaged


def cells(results: DetectionResults) -> list[Cell]:
    """List the cells to sample, at most three, of which all methods are computed.

    They are `telling_cell`, the last front layer with the first end layer, and both first layers.
    """
    run, request = results.run, results.run.request
    if not request.methods:
        return []
    first, last, first_end = request.front_layers[0], request.front_layers[-1], request.end_layers[0]
    candidates = dict.fromkeys([telling_cell(results), (last, first_end), (first, first_end)])
    return [cell for cell in candidates if all((method, *cell) in run.cells for method in request.methods)]


def key(request: Request, front_layer: str, end_layer: str) -> str:
    """Return the key of a cell's sample (room ``samples``), which has all of the cell's methods.

    Args:
        request: of the run.
        front_layer, end_layer: of the cell.
    """
    cell_keys = [cell_key(request, method, front_layer, end_layer) for method in request.methods]
    return content_id({"what": "sample", "cells": cell_keys, "version": VERSION})


def kept(run: Run, front_layer: str, end_layer: str) -> dict[str, Array] | None:
    """Read a cell's sample.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        ``images`` uint8 (n, H, W, C), or grey (n, H, W), and ``labels`` (n,); ``channels`` (c,), the indices of the
        channels; ``native`` and each method, maps float16 (n, c, h, w) divided by ``scale`` (1,). None if there is no
        sample.
    """
    sample_key = key(run.request, front_layer, end_layer)
    if run.store.intact(ROOM, sample_key) is None:
        return None
    return run.store.intact_arrays(ROOM, sample_key)


def sampled_cells(run: Run) -> list[str]:
    """List the cells of a run that have samples, for people."""
    stored = set(run.store.keys(ROOM))
    return [f"{i} → {j}" for i, j in run.request.cells if stored and key(run.request, i, j) in stored]


def images(run: Run) -> tuple[Array, Array] | None:
    """Read the sampled test images and their labels, which all cells share; None if there are none."""
    stored = set(run.store.keys(ROOM))
    cell = next((cell for cell in run.request.cells if stored and key(run.request, *cell) in stored), None)
    sample = None if cell is None else kept(run, *cell)
    return None if sample is None else (sample["images"], sample["labels"])


def provenance(run: Run, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Return how a sample was computed.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.

    Returns:
        device, versions and the like; empty if there is no sample.
    """
    return run.store.intact(ROOM, key(run.request, front_layer, end_layer)) or {}
