"""Check the record of a file's run: what was asked, of which networks and of which data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from stitchlab.catalog.indices import INDICES
from stitchlab.errors import StitchLabError
from stitchlab.request import METHODS, SINCE_2, Request, checked_seed
from stitchlab.results import definitions, repeating
from stitchlab.results.bundle.checks import Wrong, fits, need
from stitchlab.results.bundle.layout import MOST_CELLS, MOST_CLASSES, MOST_IMAGES, MOST_LAYERS
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.networks import Network

#: What `Run.provenance` says beside the run's record: it follows from the rest.
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
_LAYER = re.compile(r"[\w.:/ -]{1,200}")  # module paths, and nodes of functions


def record_of(said: Any) -> tuple[dict[str, Any], Request]:
    """Read the record and the request of the run in run.json. Raises Wrong."""
    fits("run.json", said, _RUN)
    try:
        request = repeating.checked(Request.from_json(said["request"]))
        checked_seed(request.seed)
        for side in ("front", "end"):
            Network.from_record(said[side])
        data_record(said["data"])
    except StitchLabError as error:
        raise Wrong(str(error)) from error
    _check(request)
    need(said["id"] == request.id, "its id is not that of its request")
    need(
        (said["front"]["id"], said["end"]["id"], said["data"]["fingerprint"])
        == (request.front, request.end, request.data),
        "its records are not those of its request",
    )
    return {key: value for key, value in said.items() if key not in DERIVED}, request


def data_record(said: Any) -> DataRecord:
    """Read the record of data in a file. Raises Wrong."""
    fits("data", said, DATA)
    need(len(said["shape"]) == 3 and all(0 < n <= 100_000 for n in said["shape"]), "its images have an invalid shape")
    need(0 < len(said["classes"]) <= MOST_CLASSES, "it has too many classes, or none")
    return DataRecord.from_record(said)


def _check(request: Request) -> None:
    """Check that somebody can have made this request. Raises Wrong."""
    for layers in (request.front_layers, request.end_layers):
        need(0 < len(layers) <= MOST_LAYERS and _once(layers), "it has too many layers, none, or one twice")
        need(all(_LAYER.fullmatch(layer) for layer in layers), "it has a layer with an invalid name")
    need(len(request.cells) <= MOST_CELLS, "it has too many cells")
    for names, known in ((request.methods, METHODS), (request.indices, INDICES)):
        need(_once(names) and set(names) <= set(known), f"it has methods or indices that are not known here: {names}")
    need(bool(request.methods or request.indices), "it asks for nothing")
    need(0 < request.eval_images <= MOST_IMAGES and request.dm.images > 0, "it has no images")
    needed = definitions.todays(request.methods, request.indices, request.tlm)
    lacking = set(needed) - set(SINCE_2) - set(request.definitions)
    need(not lacking and all(0 < v < 1000 for v in request.definitions.values()), "some of its definitions are missing")


def _once(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)
