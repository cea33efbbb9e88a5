"""Open a .stitch file: all of it is checked, and it becomes a run whose store is that file, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.errors import StitchLabError
from stitchlab.request import METHODS, NULL
from stitchlab.results import data_sets, networks
from stitchlab.results.bundle import check_tables, reading_ood
from stitchlab.results.bundle.archive import Archive
from stitchlab.results.bundle.checks import Wrong, fits, need, parsed
from stitchlab.results.bundle.layout import (
    CELLS,
    FORMAT,
    MANIFEST,
    MAX_CELLS,
    MAX_STORY,
    MAX_TITLE,
    NEEDED,
    RUN,
    SCHEMA,
)
from stitchlab.results.bundle.manifest import Manifest
from stitchlab.results.bundle.memory import BundleStore, Named, Place
from stitchlab.results.bundle.opened import HOW, Opened, expanded
from stitchlab.results.bundle.records import data_record, record_of
from stitchlab.results.keys import accuracy_key, functional_key, result_key
from stitchlab.results.run import Run
from stitchlab.results.version import VERSION
from stitchlab.store import Source

_MANIFEST = {
    "format": str,
    "schema": int,
    "maker": str,
    "made": str,
    "title": str,
    "story": str,
    "command": str,
    "run": str,
    "entries": {str: {"sha256": str, "bytes": int}},
}
_NUMBER = (float, None)
_NULL = ([float], None)
_NAMES = ("method", "front_layer", "end_layer")
_CELL = {
    "method": str,
    "front_layer": str,
    "end_layer": str,
    "?reason": str,
    "?reasons": {str: str},
    **HOW,
    "seconds": float,
    "device": str,
    "versions": int,
}
_CELLS = {
    "versions": [{str: str}],
    "accuracies": {"front": (None, {"accuracy": _NUMBER}), "end": (None, {"accuracy": _NUMBER})},
    "cells": [_CELL],
    "?functional": [_CELL],  # missing in files from before there were functional metrics
}


def unpack(data: bytes, file: str, *, gallery: bool = False) -> Run:
    """Open a .stitch file and return its run, whose store is the file, in memory and read-only.

    Args:
        data: the bytes of the file.
        file: its name; folders before it are left out.
        gallery: whether it comes with StitchLab.

    Raises StitchLabError, in one line, for anything but an undamaged .stitch file of a schema that is known here.
    """
    name = "".join(c for c in file.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:200] or "the file"
    try:
        return _opened(data, name, gallery)
    except Wrong as error:
        raise StitchLabError(f"{name} cannot be opened as a .stitch file: {error}") from error


def _opened(data: bytes, file: str, gallery: bool) -> Run:
    archive = Archive(data)
    manifest = _manifest(archive)
    archive.only_known()
    entries = {name: archive.read(name) for name in archive.names if name != MANIFEST}
    need(entries.keys() == manifest["entries"].keys(), "its entries are not those that it lists")
    for name, content in entries.items():
        listed = manifest["entries"][name]
        need(
            hashlib.sha256(content).hexdigest() == listed["sha256"] and len(content) == listed["bytes"],
            f"{name} does not match its checksum",
        )
    need(set(NEEDED) <= {MANIFEST, *entries}, f"{', '.join(set(NEEDED) - {MANIFEST, *entries})} is missing")
    description = parsed(RUN, entries[RUN])
    record, request = record_of(description)
    need(manifest["run"] == request.id, "its run is not the one that it names")
    source = Source(
        file=file,
        gallery=gallery,
        maker=manifest["maker"],
        made=manifest["made"],
        title=manifest["title"],
        story=manifest["story"],
        command=manifest["command"],
    )
    weights = {(networks.ROOM, getattr(request, side)): sha for side, sha in description["weights"].items() if sha}
    values: dict[Place, dict[str, Any]] = {}
    arrays: dict[Place, Named] = {}
    opened = Opened(Run(BundleStore(source, values, arrays, weights), record), entries, values, arrays)
    _put_records(opened)
    _put_cells(opened)
    reading_ood.put(opened)
    check_tables.put(opened)
    return Run(opened.run.store, record)  # a new one, since the other may have cached results while the store was empty


def _manifest(archive: Archive) -> Manifest:
    """Read the manifest of a file; a later schema is refused before anything else is read."""
    manifest = parsed(MANIFEST, archive.read(MANIFEST))
    fits(MANIFEST, manifest, {"format": str, "schema": int})
    need(manifest["format"] == FORMAT, "another program made it")
    if manifest["schema"] > SCHEMA:
        raise Wrong(
            f"it has schema {manifest['schema']}, and StitchLab {VERSION} knows {SCHEMA}: a later version made it; "
            "open it with that"
        )
    need(manifest["schema"] > 0, "it has no schema")
    fits(MANIFEST, manifest, _MANIFEST)
    for name, most in (("maker", 50), ("made", 50), ("title", MAX_TITLE), ("story", MAX_STORY), ("command", MAX_STORY)):
        need(len(manifest[name]) <= most, f"its {name} is too long")
    checked: Manifest = manifest
    return checked


def _put_records(opened: Opened) -> None:
    run = opened.run
    opened.values[networks.ROOM, run.request.front] = {**run.record["front"]}
    opened.values[networks.ROOM, run.request.end] = {**run.record["end"]}
    opened.values[data_sets.ROOM, run.request.data] = asdict(data_record(run.record["data"]))


def _metric(name: str) -> str:
    """Return the field of a cell that holds the number of an index, or the values of its null."""
    return "null" if name.startswith(NULL) else INDICES[name].metric


def _put_cells(opened: Opened) -> None:
    request, content = opened.run.request, opened.parsed(CELLS, _CELLS)
    need(max(len(content["cells"]), len(content.get("functional", ()))) <= MAX_CELLS, "it has too many cells")
    for entry in content["cells"]:
        method = entry["method"]
        need(method in request.results, "it has a cell that is not in its request")
        metrics = ("accuracy", "distance") if method in METHODS else (_metric(method),)
        key = result_key(request, *(entry[name] for name in _NAMES))
        _put_cell(opened, entry, content["versions"], key, metrics)
    for entry in content.get("functional", ()):
        need(entry["method"] in request.methods, "it has functional metrics of a cell that is not in its request")
        key = functional_key(request, *(entry[name] for name in _NAMES))
        _put_cell(opened, entry, content["versions"], key, FUNCTIONAL)
    for side, network in (("front", request.front), ("end", request.end)):
        if (own := content["accuracies"][side]) is not None:
            fits(CELLS, own, HOW)
            opened.values["accuracies", accuracy_key(request, network)] = expanded(own, content["versions"], ())


def _put_cell(
    opened: Opened, entry: dict[str, Any], versions: list[dict[str, str]], key: str, metrics: Sequence[str]
) -> None:
    """Copy a cell's numbers into the run's store, if each is a number, or empty with a reason."""
    need(opened.has_cell(entry["front_layer"], entry["end_layer"]), "it has a cell that is not in its request")
    place = ("cells", key)
    need(place not in opened.values, "it has a cell twice")
    for metric in metrics:
        fits(f"{CELLS}: {metric}", entry.get(metric, ""), _NULL if metric == "null" else _NUMBER)
        need(
            metric != "null" or entry[metric] is None or len(entry[metric]) == opened.run.request.null,
            f"{CELLS} has a null with a wrong number of permutations",
        )
        reason = entry.get("reasons", {}).get(metric) or entry.get("reason")
        need(entry[metric] is not None or isinstance(reason, str), f"{CELLS} lacks a reason")
    opened.values[place] = expanded(entry, versions, _NAMES)
