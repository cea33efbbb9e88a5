"""The keys that a run's results are kept under, by method or index."""

from __future__ import annotations

from stitchlab.catalog.indices import INDICES
from stitchlab.request import (
    INDEX_IMAGES,
    METHODS,
    NULL,
    NULL_VERSION,
    Request,
    cell_key,
    cell_of,
    content_id,
    functional_key,
)


def index_key(request: Request, index: str, front_layer: str, end_layer: str) -> str:
    """The key of one similarity index on one cell."""
    version, images = request.definitions[index], request.eval_images
    return content_id(cell_of(request, front_layer, end_layer) | {
        "what": "index", "index": index, "version": version,
        "images": images if INDICES[index].all_images(version) else min(INDEX_IMAGES, images),
    })


def null_key(request: Request, index: str, front_layer: str, end_layer: str) -> str:
    """The key of an index's permutation null on one cell."""
    return content_id({"what": "null", "of": index_key(request, index, front_layer, end_layer),
                       "permutations": request.null, "version": NULL_VERSION})


def result_key(request: Request, name: str, front_layer: str, end_layer: str) -> str:
    """The key of one result, by its name (`Request.results`): of a method, of an index, or of an index's null."""
    if name.startswith(NULL):
        return null_key(request, name.removeprefix(NULL), front_layer, end_layer)
    key = cell_key if name in METHODS else index_key
    return key(request, name, front_layer, end_layer)


def key_of(request: Request, work: str, name: str, front_layer: str, end_layer: str) -> str:
    """The key of what a kind of work (`stitchlab.results.plan.Unit`) gives for one method or index on one cell."""
    return (functional_key if work == "functional" else result_key)(request, name, front_layer, end_layer)
