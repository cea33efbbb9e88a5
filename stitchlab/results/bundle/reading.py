"""Open a .stitch file: every byte of it is checked, and it becomes a run whose store is that file, in memory."""

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
from stitchlab.results.bundle import checked, reading_ood
from stitchlab.results.bundle.archive import Archive
from stitchlab.results.bundle.checks import Wrong, fits, need, parsed
from stitchlab.results.bundle.layout import (
    CELLS,
    FORMAT,
    MANIFEST,
    MOST_CELLS,
    NEEDED,
    RUN,
    SCHEMA,
    STORY,
    TITLE,
)
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
    "?functional": [_CELL],  # no file has these from before there were functional metrics
}


def unpack(data: bytes, file: str, *, gallery: bool = False) -> Run:
    """Open a .stitch file and return its run, whose store is the file, in memory and read-only.

    Args:
        data: the bytes of the file.
        file: its name; folders before it are left out.
        gallery: whether it comes with StitchLab.

    Raises StitchLabError, in one line, for anything but a whole .stitch file of a schema that is known here.
    """
    called = "".join(c for c in file.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:200] or "the file"
    try:
        return _opened(data, called, gallery)
    except Wrong as error:
        raise StitchLabError(f"{called} cannot be opened as a .stitch file: {error}") from error


def _opened(data: bytes, file: str, gallery: bool) -> Run:
    archive = Archive(data)
    said = _manifest(archive)
    archive.only_known()
    entries = {name: archive.read(name) for name in archive.names if name != MANIFEST}
    need(entries.keys() == said["entries"].keys(), "its entries are not those that it lists")
    for name, made in entries.items():
        right = hashlib.sha256(made).hexdigest() == said["entries"][name]["sha256"]
        need(right and len(made) == said["entries"][name]["bytes"], f"{name} does not match its checksum")
    need(set(NEEDED) <= {MANIFEST, *entries}, f"{', '.join(set(NEEDED) - {MANIFEST, *entries})} is missing")
    told = parsed(RUN, entries[RUN])
    record, request = record_of(told)
    need(said["run"] == request.id, "its run is not the one that it names")
    source = Source(
        file=file, gallery=gallery, **{name: said[name] for name in ("maker", "made", "title", "story", "command")}
    )
    weights = {(networks.ROOM, getattr(request, side)): sha for side, sha in told["weights"].items() if sha}
    values: dict[Place, dict[str, Any]] = {}
    arrays: dict[Place, Named] = {}
    of = Opened(Run(BundleStore(source, values, arrays, weights), record), entries, values, arrays)
    _put_records(of)
    _put_cells(of)
    reading_ood.put(of)
    checked.put(of)
    return Run(of.run.store, record)  # a new one: nothing was looked up in it before all was there


def _manifest(archive: Archive) -> dict[str, Any]:
    """Read what the file says of itself; a later schema is refused before anything else is read."""
    said = parsed(MANIFEST, archive.read(MANIFEST))
    fits(MANIFEST, said, {"format": str, "schema": int})
    need(said["format"] == FORMAT, "another program made it")
    if said["schema"] > SCHEMA:
        raise Wrong(
            f"it has schema {said['schema']}, and StitchLab {VERSION} knows {SCHEMA}: a later version made it; "
            "open it with that"
        )
    need(said["schema"] > 0, "it has no schema")
    fits(MANIFEST, said, _MANIFEST)
    for name, most in (("maker", 50), ("made", 50), ("title", TITLE), ("story", STORY), ("command", STORY)):
        need(len(said[name]) <= most, f"its {name} is too long")
    checked: dict[str, Any] = said
    return checked


def _put_records(of: Opened) -> None:
    run = of.run
    for side, network in (("front", run.request.front), ("end", run.request.end)):
        of.values[networks.ROOM, network] = run.record[side]
    of.values[data_sets.ROOM, run.request.data] = asdict(data_record(run.record["data"]))


def _metric(name: str) -> str:
    """Name the number of an index, or the numbers of its null, as cells name it."""
    return "null" if name.startswith(NULL) else INDICES[name].metric


def _put_cells(of: Opened) -> None:
    request, told = of.run.request, of.parsed(CELLS, _CELLS)
    need(max(len(told["cells"]), len(told.get("functional", ()))) <= MOST_CELLS, "it has too many cells")
    for each in told["cells"]:
        method = each["method"]
        need(method in request.results, "it has a cell that was not asked for")
        metrics = ("accuracy", "distance") if method in METHODS else (_metric(method),)
        _put_cell(of, each, told, result_key(request, *(each[name] for name in _NAMES)), metrics)
    for each in told.get("functional", ()):
        need(each["method"] in request.methods, "it has functional metrics of a cell that was not asked for")
        _put_cell(of, each, told, functional_key(request, *(each[name] for name in _NAMES)), FUNCTIONAL)
    for side, network in (("front", request.front), ("end", request.end)):
        if (own := told["accuracies"][side]) is not None:
            fits(CELLS, own, HOW)
            of.values["accuracies", accuracy_key(request, network)] = expanded(own, told["versions"], ())


def _put_cell(
    of: Opened,
    each: dict[str, Any],
    told: dict[str, Any],
    key: str,
    metrics: Sequence[str],
) -> None:
    """Copy a cell's numbers into the run's store, if each is a number, or empty with a reason."""
    need(of.asked(each["front_layer"], each["end_layer"]), "it has a cell that was not asked for")
    place = ("cells", key)
    need(place not in of.values, "it has a cell twice")
    for metric in metrics:
        fits(f"{CELLS}: {metric}", each.get(metric, ""), _NULL if metric == "null" else _NUMBER)
        need(
            metric != "null" or each[metric] is None or len(each[metric]) == of.run.request.null,
            f"{CELLS} has a null with a wrong number of permutations",
        )
        why = each.get("reasons", {}).get(metric) or each.get("reason")
        need(each[metric] is not None or isinstance(why, str), f"{CELLS} lacks a reason")
    of.values[place] = expanded(each, told["versions"], _NAMES)
