"""Check the record of a file's run: its request, both networks, and the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import METHODS, NAMED_FROM_VERSION_2, Request, checked_seed
from stitchlab.results import definitions, repeating
from stitchlab.results.bundle.checks import Wrong, fits, need
from stitchlab.results.bundle.layout import MAX_CELLS, MAX_CLASSES, MAX_IMAGES, MAX_LAYERS
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network

#: The fields that `Run.provenance` adds to the run's record; they follow from the record and the results.
DERIVED = (
    "id",
    "stitchlab",
    "weights",
    "own_accuracy",
    "front_accuracy",
    "complete",
    "undefined",
    "earlier_definitions",
    "devices",
    "threads",
    "versions",
    "seconds",
)

DATA: dict[str, Any] = {
    "name": str,
    "label": str,
    "fingerprint": str,
    "shape": [int],
    "classes": [str],
    "train": int,
    "test": int,
}
_NETWORK = {
    "id": str,
    "name": str,
    "architecture": str,
    "options": {},
    "classes": [str],
    "channels": int,
    "size": int,
    "mean": [float],
    "std": [float],
    "?resize": (None, int),
    "?interpolation": str,
    "data": str,
    "data_fingerprint": str,
    "?accuracy": (None, float),
    "?parameters": int,
    "?seed": (None, int),
    "origin": {},
    "?created": str,
    "?code": (None, {"file": str, "sha256": str}),
}
_RUN = {
    "id": str,
    "request": {},
    "front": _NETWORK,
    "end": _NETWORK,
    "data": DATA,
    "created": str,
    "?name": str,
    "weights": {"?front": (None, str), "?end": (None, str)},
}
_LAYER = re.compile(r"[\w.:/ -]{1,200}")  # paths of modules, and names of functions' nodes


def record_of(description: Any) -> tuple[dict[str, Any], Request]:
    """Check the parsed run.json, and return the run's record and its request. Raises Wrong."""
    fits("run.json", description, _RUN)
    try:
        request = repeating.checked(Request.from_json(description["request"]))
        checked_seed(request.seed)
        for side in ("front", "end"):
            Network.from_record(description[side])
        data_record(description["data"])
    except StitchLabError as error:
        raise Wrong(str(error)) from error
    _check(request)
    need(description["id"] == request.id, "its id is not that of its request")
    need(
        (description["front"]["id"], description["end"]["id"], description["data"]["fingerprint"])
        == (request.front, request.end, request.data),
        "its records are not those of its request",
    )
    return {key: value for key, value in description.items() if key not in DERIVED}, request


def data_record(record: Any) -> DataRecord:
    """Check a record of data in a file, and read it. Raises Wrong."""
    fits("data", record, DATA)
    shape, classes = record["shape"], record["classes"]
    need(len(shape) == 3 and all(0 < n <= 100_000 for n in shape), "its images have an invalid shape")
    need(0 < len(classes) <= MAX_CLASSES, "it has too many classes, or none")
    return DataRecord.from_record(record)


def _check(request: Request) -> None:
    """Check that StitchLab can have made this request. Raises Wrong."""
    for layers in (request.front_layers, request.end_layers):
        need(0 < len(layers) <= MAX_LAYERS and _unique(layers), "it has too many layers, none, or one twice")
        need(all(_LAYER.fullmatch(layer) for layer in layers), "it has a layer with an invalid name")
    need(len(request.cells) <= MAX_CELLS, "it has too many cells")
    for names, known in ((request.methods, METHODS), (request.indices, INDICES)):
        need(_unique(names) and set(names) <= set(known), f"it has methods or indices that are not known here: {names}")
    need(bool(request.methods or request.indices), "it asks for nothing")
    need(0 < request.eval_images <= MAX_IMAGES and request.dm.images > 0, "it has no images")
    needed = definitions.todays(request.methods, request.indices, request.tlm)
    lacking = set(needed) - set(NAMED_FROM_VERSION_2) - set(request.definitions)
    need(not lacking and all(0 < v < 1000 for v in request.definitions.values()), "some of its definitions are missing")


def _unique(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)
