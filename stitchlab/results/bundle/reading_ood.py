"""Read what a file says of distributions, epochs and samples: check it against its request, and store it."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.outliers import OUTLIERS as KINDS
from stitchlab.request import Detection
from stitchlab.results import data_sets, samples, trajectory
from stitchlab.results.bundle import judged
from stitchlab.results.bundle.arrays import Arrays
from stitchlab.results.bundle.checks import fits, need
from stitchlab.results.bundle.layout import (
    MAP_ARRAYS,
    MOST_CHANNELS,
    OOD,
    OOD_ARRAYS,
    PLACED,
    PREDICTED,
    SAMPLE_ARRAYS,
    SAMPLES,
    SCORES,
)
from stitchlab.results.bundle.opened import HOW, Opened, expanded
from stitchlab.results.bundle.records import data_record
from stitchlab.results.detection import NATIVE, OUTLIERS, ROOM, SETTINGS, STATISTICS
from stitchlab.results.keys import map_key

_NUMBER = (float, None)
_METRICS = {str: [_NUMBER]}
_SETTING = {"outliers": str, "training_outliers": [str]}
_CELL = {"front_layer": str, "end_layer": str}
_OOD = {
    "settings": [_SETTING],
    "data": [{}],
    "versions": [{str: str}],
    "entries": [
        {
            **_CELL,
            "detector": str,
            "version": int,
            "method": str,
            "?outliers": str,
            "?training_outliers": [str],
            "?metrics": {},
            "?reason": str,
            "tensors": bool,
            **HOW,
        }
    ],
    "walks": [
        {
            **_CELL,
            "version": int,
            "detectors_versions": [[(str, int)]],
            "epochs": [int],
            "accuracy": [_NUMBER],
            "detectors": {str: {str: [_NUMBER]}},
            "images": int,
            "tensors": bool,
            **HOW,
        }
    ],
}
_SAMPLES = {"versions": [{str: str}], "cells": [{**_CELL, **HOW}]}
_NAMES = ("detector", "version", "method", "front_layer", "end_layer", "outliers", "training_outliers")
_WALKS, _ENTRIES = 2000, 100_000


def put(of: Opened) -> None:
    """Copy all of it into the store that is being filled. Raises Wrong."""
    told, arrays = of.parsed(OOD, _OOD), of.its_arrays(OOD_ARRAYS)
    need(len(told["entries"]) <= _ENTRIES and len(told["walks"]) <= _WALKS, f"{OOD} has too many entries")
    _put_settings(of, told)
    sizes: dict[tuple[str, str], tuple[int, ...]] = {}
    for k, each in enumerate(told["entries"]):
        _put_entry(of, each, told["versions"], arrays, str(k), sizes)
    for k, each in enumerate(told["walks"]):
        _put_walk(of, each, told["versions"], arrays, f"walk{k}.plane")
    _put_samples(of)
    _put_maps(of)


def _put_settings(of: Opened, told: dict[str, Any]) -> None:
    need(len(told["settings"]) <= 100 and len(told["data"]) <= 100, f"{OOD} has too many settings")
    known = [
        each
        for each in told["settings"]
        if each["training_outliers"]
        and all(
            kind in KINDS or re.fullmatch("data:[0-9a-f]{64}", kind)
            for kind in (each["outliers"], *each["training_outliers"])
        )
    ]
    of.values[SETTINGS, of.run.id] = {"settings": known}
    for said in told["data"]:
        record = data_record(said)
        need(data_sets.is_fingerprint(record.fingerprint), f"{OOD} has data without a fingerprint")
        of.values.setdefault((data_sets.ROOM, record.fingerprint), asdict(record))


def _put_entry(
    of: Opened,
    said: dict[str, Any],
    versions: list[dict[str, str]],
    arrays: Arrays | None,
    k: str,
    sizes: dict[tuple[str, str], tuple[int, ...]],
) -> None:
    """Store what a detector says, unless its definition is an earlier one or not known."""
    name, method, i, j = (said[part] for part in ("detector", "method", "front_layer", "end_layer"))
    believing = method == NATIVE
    request = of.run.request
    right = j in request.end_layers and (i == "" if believing else method in request.methods and of.asked(i, j))
    need(right, f"{OOD} has an entry of a cell that was not asked for")
    if name not in judged.KINDS or said["version"] != judged.version(name):
        return
    need(not believing or "outliers" in said, f"{OOD} lacks the outliers of a believing row")
    for part in (NATIVE, OUTLIERS) if believing and name != STATISTICS else ("",):
        metrics = said.get("metrics", {})
        metrics = metrics.get(part, {}) if part else {} if name == STATISTICS else metrics
        fits(OOD, metrics, _METRICS)
        need(all(len(number) == 3 for number in metrics.values()), f"{OOD} has a number without its interval")
    detection = Detection(
        outliers=said.get("outliers", Detection.outliers),
        training_outliers=tuple(said.get("training_outliers") or Detection.training_outliers),
    )
    place = (ROOM, of.found(detection).key(name, method, i, j))
    need(place not in of.values, f"{OOD} has an entry twice")
    of.values[place] = expanded(said, versions, _NAMES)
    if said["tensors"]:
        need(arrays is not None, f"{OOD_ARRAYS} is missing")
        assert arrays is not None
        names = _statistics(of, arrays, k, believing, sizes, j) if name == STATISTICS else _scores(arrays, k, believing)
        of.arrays[place] = arrays, names


def _scores(arrays: Arrays, k: str, believing: bool) -> dict[str, str]:
    names = {name: f"{k}.{name}" for name in ("scores", *((f"{OUTLIERS}.scores",) if believing else ()))}
    for name in names.values():
        arrays.check(name, "F32", None)
        need(0 < arrays.shape(name)[0] <= SCORES, f"{OOD_ARRAYS}: {name} has an unexpected length")
    return names


def _statistics(
    of: Opened, arrays: Arrays, k: str, believing: bool, sizes: dict[tuple[str, str], tuple[int, ...]], j: str
) -> dict[str, str]:
    """Check the statistics of a set, and of native ones those of outliers and labels; return their arrays' names."""
    names: dict[str, str] = {}
    classes = len(of.run.record["data"]["classes"])
    for prefix in ("", f"{OUTLIERS}.") if believing else ("",):
        mine = {what: f"{k}.{prefix}{what}" for what in ("predictions", "norms", "plane", *judged.CHANNELS)}
        arrays.check(mine["plane"], "F32", None, 2)
        arrays.check(mine["norms"], "F32", None)
        arrays.check(mine["predictions"], "I16 I32", None)
        channels = arrays.shape(mine["mean"])
        for what in judged.CHANNELS:
            arrays.check(mine[what], "F32", *channels)
        counts = arrays.shape(mine["predictions"])
        size = (*channels, *(counts if not prefix else ()))
        right = (
            len(channels) == 1
            and 0 < channels[0] <= MOST_CHANNELS
            and size == sizes.setdefault((j, prefix), size)
            and 0 < counts[0] <= PREDICTED
            and 0 < arrays.shape(mine["plane"])[0] <= PLACED
            and 0 < arrays.shape(mine["norms"])[0] <= SCORES
        )
        need(right, f"{OOD_ARRAYS}: the statistics of {j} do not all have the same size")
        _within(arrays, mine["predictions"], -1, classes)
        names |= {f"{prefix}{what}": name for what, name in mine.items()}
    if believing:
        arrays.check(f"{k}.labels", "I16 I32", *arrays.shape(names["predictions"]))
        _within(arrays, f"{k}.labels", 0, classes)
        names["labels"] = f"{k}.labels"
    return names


def _within(arrays: Arrays, name: str, low: int, beyond: int) -> None:
    values = arrays.get(name)
    need(bool(((values >= low) & (values < beyond)).all()), f"{name} has a class that does not exist")


def _put_walk(
    of: Opened, said: dict[str, Any], versions: list[dict[str, str]], arrays: Arrays | None, name: str
) -> None:
    request, i, j = of.run.request, said["front_layer"], said["end_layer"]
    need("tlm" in request.methods and of.asked(i, j), f"{OOD} has epochs of a cell that was not asked for")
    todays = trajectory.VERSION, [list(each) for each in trajectory.versions()]
    if (said["version"], said["detectors_versions"]) != todays:
        return
    series = [metric for metrics in said["detectors"].values() for metric in metrics.values()]
    right = (
        set(said["detectors"]) <= set(QUICK)
        and "frechet" in said["detectors"]
        and all(set(said["detectors"][d]) == set(DETECTORS[d].metrics) for d in said["detectors"])
    )
    count = len(said["accuracy"])
    need(
        right and count > 0 and all(len(each) == count for each in (said["epochs"], *series)),
        f"{OOD} has incomplete epochs",
    )
    need(arrays is not None and said["tensors"], f"{OOD_ARRAYS} is missing")
    assert arrays is not None
    arrays.check(name, "F32", count, None, 2)
    place = (ROOM, trajectory.key(of.run, i, j))
    need(place not in of.values, f"{OOD} has a cell's epochs twice")
    of.values[place] = expanded(said, versions, ("front_layer", "end_layer", "version", "detectors_versions"))
    of.arrays[place] = arrays, {"plane": name}


def _put_samples(of: Opened) -> None:
    if SAMPLES not in of.entries:
        return
    told, arrays, request = of.parsed(SAMPLES, _SAMPLES), of.its_arrays(SAMPLE_ARRAYS), of.run.request
    need(arrays is not None and 0 < len(told["cells"]) <= 3, f"{SAMPLES} has too many cells, or none")
    assert arrays is not None
    shape = arrays.shape("images")
    colours = [n for n in (of.run.record["data"]["shape"][0],) if n > 1]
    right = 0 < shape[0] <= samples.IMAGES and all(0 < n <= samples.PIXELS for n in shape[1:3])
    need(right and list(shape[3:]) == colours, f"{SAMPLE_ARRAYS}: its images are not as expected")
    arrays.check("images", "U8", *shape)
    arrays.check("labels", "I16 I32", shape[0])
    _within(arrays, "labels", 0, len(of.run.record["data"]["classes"]))
    for k, said in enumerate(told["cells"]):
        i, j = said["front_layer"], said["end_layer"]
        need(of.asked(i, j), f"{SAMPLES} has a cell that was not asked for")
        names = {what: f"{k}.{what}" for what in ("channels", "scale", NATIVE, *request.methods)}
        maps = arrays.shape(names[NATIVE])
        right = (
            len(maps) == 4
            and maps[0] == shape[0]
            and 0 < maps[1] <= samples.CHANNELS
            and all(0 < n <= samples.SIDE for n in maps[2:])
        )
        need(right, f"{SAMPLE_ARRAYS}: the maps of {i} → {j} are not as expected")
        for what in (NATIVE, *request.methods):
            arrays.check(names[what], "F16", *maps)
        arrays.check(names["scale"], "F32", 1)
        arrays.check(names["channels"], "I16 I32", maps[1])
        _within(arrays, names["channels"], 0, MOST_CHANNELS)
        need(len(np.unique(arrays.get(names["channels"]))) == maps[1], f"{SAMPLE_ARRAYS} has a channel twice")
        place = (samples.ROOM, samples.key(request, i, j))
        need(place not in of.values, f"{SAMPLES} has a cell twice")
        of.values[place] = expanded(said, told["versions"], ("front_layer", "end_layer"))
        of.arrays[place] = arrays, names | {"images": "images", "labels": "labels"}


def _put_maps(of: Opened) -> None:
    if (arrays := of.its_arrays(MAP_ARRAYS)) is None:
        return
    request, seen = of.run.request, 0
    for method in request.methods:
        for a, i in enumerate(request.front_layers):
            for b, j in enumerate(request.end_layers):
                names = {what: f"{method}.{a}.{b}.{what}" for what in ("weight", "bias")}
                if names["weight"] in arrays.names:
                    arrays.check(names["weight"], "F32", None, None)
                    arrays.check(names["bias"], "F32", arrays.shape(names["weight"])[0])
                    of.arrays["maps", map_key(request, method, i, j)] = arrays, names
                    seen += 2
    need(seen == len(arrays.names), f"{MAP_ARRAYS} has maps of cells that were not asked for")
