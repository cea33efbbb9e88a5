"""Compute the keys of a run's results: each contains everything that its result depends on, and nothing else."""

from __future__ import annotations

from typing import Any

from stitchlab.catalog.indices import INDICES
from stitchlab.request import (
    INDEX_IMAGES,
    MAX_DETECTOR_FIT_IMAGES,
    METHODS,
    NULL,
    Method,
    Request,
    content_id,
    method_of,
    plain,
)
from stitchlab.results.plan import GridWork

NULL_VERSION = 1  # of how nulls are drawn and computed


def map_key(request: Request, method: Method, front_layer: str, end_layer: str) -> str:
    """Return the key of a cell's map (W, b), which depends on all that fitting uses, but not on evaluation images.

    Args:
        request: of the run.
        method: tlm or dm.
        front_layer, end_layer: of the cell.
    """
    settings: dict[str, Any] = plain(request.dm if method == "dm" else request.tlm)
    if method == "tlm" and request.tlm.init == "dm":
        settings["dm"] = [request.dm, request.definitions["dm"]]
    if method == "tlm" and request.tlm.optimiser == "soap":
        settings |= _since_2(request, "soap")
    return content_id(
        _cell_of(request, front_layer, end_layer)
        | {
            "what": "map",
            "method": method,
            "settings": settings,
            "version": request.definitions[method],
        }
    )


def cell_key(request: Request, method: Method, front_layer: str, end_layer: str) -> str:
    """Return the key of the evaluation of a cell's map on the first M test images.

    Args:
        request, method, front_layer, end_layer: as in `map_key`.
    """
    return content_id(
        {
            "what": "cell",
            "map": map_key(request, method, front_layer, end_layer),
            "images": request.eval_images,
            "version": request.definitions["evaluation"],
        }
    )


def functional_key(request: Request, method: Method, front_layer: str, end_layer: str) -> str:
    """Return the key of the functional metrics of a cell's map on the first M test images.

    Args:
        request, method, front_layer, end_layer: as in `map_key`.
    """
    return content_id(
        {
            "what": "functional",
            "map": map_key(request, method, front_layer, end_layer),
            "images": request.eval_images,
            "version": request.definitions.get("functional", 1),
        }
    )


def index_key(request: Request, index: str, front_layer: str, end_layer: str) -> str:
    """Return the key of one similarity index on one cell.

    Args:
        request, front_layer, end_layer: as in `map_key`.
        index: its name.
    """
    version, images = request.definitions[index], request.eval_images
    return content_id(
        _cell_of(request, front_layer, end_layer)
        | {
            "what": "index",
            "index": index,
            "version": version,
            "images": images if INDICES[index].all_images(version) else min(INDEX_IMAGES, images),
        }
    )


def null_key(request: Request, index: str, front_layer: str, end_layer: str) -> str:
    """Return the key of an index's permutation null on one cell.

    Args:
        request, index, front_layer, end_layer: as in `index_key`.
    """
    return content_id(
        {
            "what": "null",
            "of": index_key(request, index, front_layer, end_layer),
            "permutations": request.null,
            "version": NULL_VERSION,
        }
    )


def accuracy_key(request: Request, network: str) -> str:
    """Return the key of a network's own accuracy on the evaluation images of a request."""
    return content_id(
        {
            **_since_2(request, "input"),
            "what": "accuracy",
            "network": network,
            "data": request.data,
            "images": request.eval_images,
            "seed": request.seed,
            "precision": request.precision,
            "version": request.definitions["evaluation"],
        }
    )


def native_key(request: Request, end_layer: str) -> str:
    """Return the key of an end layer's native activations, whatever front network is stitched to it."""
    return content_id(
        {
            **_since_2(request, "input"),
            "what": "native",
            "end": request.end,
            "end_layer": end_layer,
            "data": request.data,
            "seed": request.seed,
            "images": request.eval_images,
            "precision": request.precision,
            "version": request.definitions["evaluation"],
        }
    )


def verdict_key(subject: str, name: str, version: int, settings: Any) -> str:
    """Return the key of a detector's result on a set of activations; it begins with the key of the set.

    Args:
        subject: the key of the set: a cell's (`cell_key`), or an end layer's (`native_key`).
        name, version: the detector, and the version of its definition.
        settings: everything else that the result depends on, as JSON.
    """
    return f"{subject}-{content_id([name, version, MAX_DETECTOR_FIT_IMAGES, settings])[:16]}"


def result_key(request: Request, name: str, front_layer: str, end_layer: str) -> str:
    """Return the key of one result of a cell, by the name of the result.

    Args:
        request, front_layer, end_layer: as in `map_key`.
        name: of a method, an index, or an index's null (`Request.results`).
    """
    if name.startswith(NULL):
        return null_key(request, name.removeprefix(NULL), front_layer, end_layer)
    if name in METHODS:
        return cell_key(request, name, front_layer, end_layer)
    return index_key(request, name, front_layer, end_layer)


def key_of(request: Request, work: GridWork, name: str, front_layer: str, end_layer: str) -> str:
    """Return the key of the result that a kind of work computes for one method or index in one cell.

    Args:
        request, name, front_layer, end_layer: as in `result_key`.
        work: as in `stitchlab.results.plan.Unit`.
    """
    if work == "functional":
        return functional_key(request, method_of(name), front_layer, end_layer)
    return result_key(request, name, front_layer, end_layer)


def _cell_of(request: Request, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Return the part that all keys of a cell have: networks, layers, data, and the version of the preprocessing."""
    return _since_2(request, "input") | {
        "front": request.front,
        "end": request.end,
        "front_layer": front_layer,
        "end_layer": end_layer,
        "data": request.data,
        "seed": request.seed,
        "precision": request.precision,
    }


def _since_2(request: Request, name: str) -> dict[str, int]:
    """Return the version of a definition; nothing for version 1, which keys from before the definition do not state."""
    version = request.definitions.get(name, 1)
    return {} if version == 1 else {name: version}
