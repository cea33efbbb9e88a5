"""Pack a run, with all that was said of it, into the bytes of a .stitch file, by names instead of keys."""

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
from stitchlab.results.bundle import archive, checked, judged
from stitchlab.results.bundle.arrays import packed
from stitchlab.results.bundle.checks import plain
from stitchlab.results.bundle.layout import (
    CELLS,
    CELLS_CSV,
    FIRST,
    FORMAT,
    MANIFEST,
    MAP_ARRAYS,
    OOD,
    OOD_ARRAYS,
    OOD_CSV,
    RUN,
    SAMPLE_ARRAYS,
    SAMPLES,
    SCHEMA,
    STORY,
    TABLES,
    TITLE,
)
from stitchlab.results.bundle.private import private
from stitchlab.results.bundle.private import text as private_text
from stitchlab.results.bundle.reading import unpack
from stitchlab.results.detection import DetectionResults
from stitchlab.results.keys import accuracy_key, map_key
from stitchlab.results.run import Run
from stitchlab.results.tables import cells_csv, ood_csv
from stitchlab.results.version import VERSION
from stitchlab.store import Array, Source

Versions = list[dict[str, str]]  # of StitchLab and of what it computes with, each set once


def pack(run: Run, *, title: str = "", story: str = "", command: str = "", maps: bool = False) -> bytes:
    """Pack a run into the bytes of a .stitch file.

    Args:
        run: as far as it is computed; one of an opened file becomes that file again.
        title, story: what its maker calls it, and says of it.
        command: the command that computed it.
        maps: whether the stitches (W, b) are in it too.

    Raises StitchLabError for a draft, texts that are no plain ones, or where it would be larger than a file may be, or
    could not be opened again.
    """
    if run.draft:
        raise StitchLabError("this run has no results yet: its control is made when it is computed")
    said = _said(run, title, story, command)
    found = [DetectionResults(run, each) for each in judged.settings(run)]
    entries = {RUN: _run(run, said.maker), CELLS_CSV: cells_csv(run).encode(), CELLS: _cells(run)}
    entries |= _judged(run, found) | _sampled(next(iter(found), DetectionResults(run))) | (_maps(run) if maps else {})
    if (tables := checked.tables(run)) is not None:
        entries[TABLES] = _json(tables)
    manifest = {
        "format": FORMAT,
        "schema": SCHEMA if TABLES in entries else FIRST,
        "maker": said.maker,
        "made": said.made,
        "title": said.title,
        "story": said.story,
        "command": said.command,
        "run": run.id,
        "entries": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in entries.items()
        },
    }
    made = archive.write({MANIFEST: _json(manifest, indent=1), **entries})
    unpack(made, "this run as a .stitch file")  # what nobody could open is not handed on
    return made


def _said(run: Run, title: str, story: str, command: str) -> Source:
    """Describe the file: as a file that was opened described itself, unless something else is said now."""
    was = run.source or Source(file="", maker=VERSION, made=datetime.now(UTC).isoformat(timespec="seconds"))
    for what, said, most in (("title", title, TITLE), ("story", story, STORY), ("command", command, STORY)):
        if len(said) > most or not plain(said):
            raise StitchLabError(
                f"the {what} of a .stitch file is plain text, without links, of at most {most:,} "
                f"characters; got {len(said):,}"
            )
    return Source(
        file="",
        maker=was.maker,
        made=was.made,
        title=title or was.title,
        story=story or was.story,
        command=private_text(command) or was.command,
    )


def _run(run: Run, maker: str) -> bytes:
    """Write run.json as `Run.provenance` has it; the request stays unchanged, since the run's id is made of it."""
    made = run.provenance()
    return _json(private(made) | {"request": made["request"], "stitchlab": maker}, indent=1)


def _cells(run: Run) -> bytes:
    versions: Versions = []
    cells, functional = (
        [
            _named({"method": method, "front_layer": i, "end_layer": j}, kept, versions)
            for (method, i, j), kept in of.items()
        ]
        for of in (run.cells, run.functional)
    )
    own = {
        side: run.store.intact("accuracies", accuracy_key(run.request, network))
        for side, network in (("front", run.request.front), ("end", run.request.end))
    }
    accuracies = {side: kept and _named({}, kept, versions) for side, kept in own.items()}
    return _json({"versions": versions, "accuracies": accuracies, "cells": cells, "functional": functional})


def _judged(run: Run, found: list[DetectionResults]) -> dict[str, bytes]:
    versions: Versions = []
    arrays: dict[str, Array] = {}

    def listed(entries: Iterable[judged.Entry], prefix: str) -> list[dict[str, Any]]:
        told = []
        for k, (said, its) in enumerate(entries):
            told.append(_named({}, said, versions))
            arrays.update({f"{prefix}{k}.{what}": array for what, array in its.items()})
        return told

    entries, walks = listed(judged.entries(found), ""), listed(judged.walks(run), "walk")
    said = {
        "settings": [asdict(each.detection) for each in found],
        "data": private(judged.data(run, found)),
        "versions": versions,
        "entries": entries,
        "walks": walks,
    }
    there = {entry["detector"] for entry in entries}
    made = {OOD: _json(said)}
    if found:
        made[OOD_CSV] = ood_csv(found[0], [n for n in DETECTORS if n in there], found[0].cells).encode()
    return made | ({OOD_ARRAYS: packed(arrays)} if arrays else {})


def _sampled(found: DetectionResults) -> dict[str, bytes]:
    """Collect the samples of telling cells; images and labels, which they share, once."""
    versions: Versions = []
    told: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    run = found.run
    for i, j in samples.cells(found):
        if (kept := samples.kept(run, i, j)) is not None:
            arrays |= {name: kept[name] for name in ("images", "labels")}
            arrays |= {f"{len(told)}.{name}": kept[name] for name in kept if name not in arrays}
            told.append(_named({"front_layer": i, "end_layer": j}, samples.provenance(run, i, j), versions))
    if not told:
        return {}
    return {SAMPLES: _json({"versions": versions, "cells": told}), SAMPLE_ARRAYS: packed(arrays)}


def _maps(run: Run) -> dict[str, bytes]:
    """Collect the stitches that are kept, named by the positions of their layers in the request."""
    request = run.request
    arrays: dict[str, Array] = {}
    for method in request.methods:
        for a, i in enumerate(request.front_layers):
            for b, j in enumerate(request.end_layers):
                kept = run.store.intact_arrays("maps", map_key(request, method, i, j)) or {}
                arrays |= {f"{method}.{a}.{b}.{name}": array for name, array in kept.items()}
    return {MAP_ARRAYS: packed(arrays)} if arrays else {}


def _named(names: Mapping[str, Any], kept: Mapping[str, Any], versions: Versions) -> dict[str, Any]:
    """Add names to a result, leave out where it was made, and replace its versions by their place in a list."""
    said: dict[str, Any] = {**names, **private({key: value for key, value in kept.items() if key != "versions"})}
    for name in ("front_layer", "end_layer"):  # names of the request, which stay as they are
        if name in said:
            said[name] = names.get(name, kept.get(name))
    if "versions" in kept:
        if kept["versions"] not in versions:
            versions.append(dict(kept["versions"]))
        said["versions"] = versions.index(kept["versions"])
    return said


def _json(value: Any, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators, allow_nan=False).encode()
