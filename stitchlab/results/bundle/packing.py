"""Pack a run, with the results of detectors and checks, into the bytes of a .stitch file, by names instead of keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.errors import StitchLabError
from stitchlab.results import samples
from stitchlab.results.bundle import archive, check_tables, detection_entries
from stitchlab.results.bundle.arrays import packed
from stitchlab.results.bundle.checks import plain
from stitchlab.results.bundle.layout import (
    CELLS,
    CELLS_CSV,
    FIRST_SCHEMA,
    FORMAT,
    MANIFEST,
    MAP_ARRAYS,
    MAX_STORY,
    MAX_TITLE,
    OOD,
    OOD_ARRAYS,
    OOD_CSV,
    RUN,
    SAMPLE_ARRAYS,
    SAMPLES,
    SCHEMA,
    TABLES,
)
from stitchlab.results.bundle.manifest import Manifest
from stitchlab.results.bundle.private import private
from stitchlab.results.bundle.private import text as private_text
from stitchlab.results.bundle.reading import unpack
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import settings
from stitchlab.results.keys import map_key
from stitchlab.results.run import Run
from stitchlab.results.tables import cells_csv, ood_csv
from stitchlab.results.version import VERSION
from stitchlab.store import Array, Source

Versions = list[dict[str, str]]  #: the different sets of software versions of an entry's results


def pack(run: Run, *, title: str = "", story: str = "", command: str = "", maps: bool = False) -> bytes:
    """Pack a run into the bytes of a .stitch file.

    Args:
        run: as far as it is computed; one of an opened file becomes that file again.
        title, story: its title, and what its maker writes about it.
        command: the command that computed it.
        maps: whether the file also holds the stitches (W, b).

    Raises StitchLabError for a draft, for texts with links or control characters, and where the file would be too large
    or could not be opened again.
    """
    if run.draft:
        raise StitchLabError("this run has no results yet: its control is made when it is computed")
    source = _source(run, title, story, command)
    all_results = [DetectionResults(run, detection) for detection in settings(run)]
    entries = {RUN: _run(run, source.maker), CELLS_CSV: cells_csv(run).encode(), CELLS: _cells(run)}
    entries |= _detection(run, all_results) | _samples(next(iter(all_results), DetectionResults(run)))
    entries |= _maps(run) if maps else {}
    if (tables := check_tables.tables(run)) is not None:
        entries[TABLES] = _json(tables)
    manifest: Manifest = {
        "format": FORMAT,
        "schema": SCHEMA if TABLES in entries else FIRST_SCHEMA,
        "maker": source.maker,
        "made": source.made,
        "title": source.title,
        "story": source.story,
        "command": source.command,
        "run": run.id,
        "entries": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in entries.items()
        },
    }
    file = archive.write({MANIFEST: _json(manifest, indent=1), **entries})
    unpack(file, "this run as a .stitch file")  # raises here rather than on the machine of the receiver
    return file


def _source(run: Run, title: str, story: str, command: str) -> Source:
    """Describe the file; empty texts are replaced by those of the opened file that the run comes from, if any."""
    before = run.source or Source(file="", maker=VERSION, made=datetime.now(UTC).isoformat(timespec="seconds"))
    for what, text, most in (("title", title, MAX_TITLE), ("story", story, MAX_STORY), ("command", command, MAX_STORY)):
        if len(text) > most or not plain(text):
            raise StitchLabError(
                f"the {what} of a .stitch file is plain text, without links, of at most {most:,} "
                f"characters; got {len(text):,}"
            )
    return Source(
        file="",
        maker=before.maker,
        made=before.made,
        title=title or before.title,
        story=story or before.story,
        command=private_text(command) or before.command,
    )


def _run(run: Run, maker: str) -> bytes:
    """Write run.json from `Run.provenance`; the request stays unchanged, since the run's id is computed from it."""
    description = run.provenance()
    return _json(private(description) | {"request": description["request"], "stitchlab": maker}, indent=1)


def _cells(run: Run) -> bytes:
    versions: Versions = []
    cells, functional = (
        [
            _named({"method": method, "front_layer": i, "end_layer": j}, entry, versions)
            for (method, i, j), entry in results.items()
        ]
        for results in (run.cells, run.functional)
    )
    own = {
        "front": run.own_accuracy_entry(run.request.front),
        "end": run.own_accuracy_entry(run.request.end),
    }
    accuracies = {side: entry and _named({}, entry, versions) for side, entry in own.items()}
    return _json({"versions": versions, "accuracies": accuracies, "cells": cells, "functional": functional})


def _detection(run: Run, all_results: list[DetectionResults]) -> dict[str, bytes]:
    """Collect the results of detectors under all settings, and the trajectories."""
    versions: Versions = []
    arrays: dict[str, Array] = {}

    def listed(entries: Iterable[detection_entries.Entry], prefix: str) -> list[dict[str, Any]]:
        rows = []
        for k, (entry, arrays_of_entry) in enumerate(entries):
            rows.append(_named({}, entry, versions))
            arrays.update({f"{prefix}{k}.{what}": array for what, array in arrays_of_entry.items()})
        return rows

    entries = listed(detection_entries.entries(all_results), "")
    trajectories = listed(detection_entries.trajectories(run), "walk")
    content = {
        "settings": [asdict(results.detection) for results in all_results],
        "data": private(detection_entries.data(run, all_results)),
        "versions": versions,
        "entries": entries,
        "walks": trajectories,
    }
    used = {entry["detector"] for entry in entries}
    files = {OOD: _json(content)}
    if all_results:
        fullest = all_results[0]
        files[OOD_CSV] = ood_csv(fullest, [name for name in DETECTORS if name in used], fullest.cells).encode()
    return files | ({OOD_ARRAYS: packed(arrays)} if arrays else {})


def _samples(results: DetectionResults) -> dict[str, bytes]:
    """Collect the samples of up to three cells; images and labels, which all cells share, are stored once."""
    versions: Versions = []
    cells: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    run = results.run
    for i, j in samples.cells(results):
        if (sample := samples.kept(run, i, j)) is not None:
            arrays |= {name: sample[name] for name in ("images", "labels")}
            arrays |= {f"{len(cells)}.{name}": sample[name] for name in sample if name not in arrays}
            cells.append(_named({"front_layer": i, "end_layer": j}, samples.provenance(run, i, j), versions))
    if not cells:
        return {}
    return {SAMPLES: _json({"versions": versions, "cells": cells}), SAMPLE_ARRAYS: packed(arrays)}


def _maps(run: Run) -> dict[str, bytes]:
    """Collect the stitches that the store has, named by the positions of their layers in the request."""
    request = run.request
    arrays: dict[str, Array] = {}
    for method in request.methods:
        for a, i in enumerate(request.front_layers):
            for b, j in enumerate(request.end_layers):
                stitch = run.store.intact_arrays("maps", map_key(request, method, i, j)) or {}
                arrays |= {f"{method}.{a}.{b}.{name}": array for name, array in stitch.items()}
    return {MAP_ARRAYS: packed(arrays)} if arrays else {}


def _named(names: Mapping[str, Any], entry: Mapping[str, Any], versions: Versions) -> dict[str, Any]:
    """Add names to a result, remove folders and machines, and replace its versions by an index into a list."""
    named: dict[str, Any] = {**names, **private({key: value for key, value in entry.items() if key != "versions"})}
    for name in ("front_layer", "end_layer"):  # a layer's name may look like a path, but stays as it is
        if name in named:
            named[name] = names.get(name, entry.get(name))
    if "versions" in entry:
        if entry["versions"] not in versions:
            versions.append(dict(entry["versions"]))
        named["versions"] = versions.index(entry["versions"])
    return named


def _json(value: Any, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators, allow_nan=False).encode()
