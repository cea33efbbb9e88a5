"""Read a file's results of detectors, trajectories, samples and maps, and check them against its request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.catalog.outliers import OUTLIERS as KINDS
from stitchlab.request import Detection
from stitchlab.results import data_sets, samples, trajectory
from stitchlab.results.bundle.arrays import Arrays
from stitchlab.results.bundle.checks import fits, need
from stitchlab.results.bundle.detection_entries import CHANNELS, version
from stitchlab.results.bundle.layout import (
    MAP_ARRAYS,
    MAX_CHANNELS,
    OOD,
    OOD_ARRAYS,
    ORDER_STATISTICS,
    PLANE_IMAGES,
    PREDICTED_IMAGES,
    SAMPLE_ARRAYS,
    SAMPLES,
)
from stitchlab.results.bundle.opened import HOW, Opened, expanded
from stitchlab.results.bundle.records import data_record
from stitchlab.results.detection import NATIVE, OUTLIERS, ROOM, SETTINGS, STATISTICS
from stitchlab.results.detection_settings import RESULT_NAMES
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
_MAX_TRAJECTORIES = 2000
_MAX_ENTRIES = 100_000
_MAX_SETTINGS = 100
_MAX_SAMPLES = 3  # cells with samples

_Sizes = dict[tuple[str, str], tuple[int, ...]]  # of statistics, by end layer and prefix: equal for all sets


def put(opened: Opened) -> None:
    """Copy all of it into the store that is being filled. Raises Wrong."""
    content, arrays = opened.parsed(OOD, _OOD), opened.arrays_of(OOD_ARRAYS)
    entries, trajectories = content["entries"], content["walks"]
    need(len(entries) <= _MAX_ENTRIES and len(trajectories) <= _MAX_TRAJECTORIES, f"{OOD} has too many entries")
    _put_settings(opened, content)
    sizes: _Sizes = {}
    for k, entry in enumerate(entries):
        _put_entry(opened, entry, content["versions"], arrays, str(k), sizes)
    for k, entry in enumerate(trajectories):
        _put_trajectory(opened, entry, content["versions"], arrays, f"walk{k}.plane")
    _put_samples(opened)
    _put_maps(opened)


def _put_settings(opened: Opened, content: dict[str, Any]) -> None:
    """Store the settings, except for those with kinds of outliers that are not known, and the records of data."""
    need(
        len(content["settings"]) <= _MAX_SETTINGS and len(content["data"]) <= _MAX_SETTINGS,
        f"{OOD} has too many settings",
    )
    known = [
        settings
        for settings in content["settings"]
        if settings["training_outliers"]
        and all(
            kind in KINDS or re.fullmatch("data:[0-9a-f]{64}", kind)
            for kind in (settings["outliers"], *settings["training_outliers"])
        )
    ]
    opened.values[SETTINGS, opened.run.id] = {"settings": known}
    for data in content["data"]:
        record = data_record(data)
        need(data_sets.is_fingerprint(record.fingerprint), f"{OOD} has data without a fingerprint")
        opened.values.setdefault((data_sets.ROOM, record.fingerprint), asdict(record))


def _put_entry(
    opened: Opened,
    entry: dict[str, Any],
    versions: list[dict[str, str]],
    arrays: Arrays | None,
    k: str,
    sizes: _Sizes,
) -> None:
    """Store a detector's result, unless its definition is an earlier one or not known."""
    name, method, i, j = (entry[part] for part in ("detector", "method", "front_layer", "end_layer"))
    is_native = method == NATIVE
    request = opened.run.request
    in_request = j in request.end_layers and (
        i == "" if is_native else method in request.methods and opened.has_cell(i, j)
    )
    need(in_request, f"{OOD} has an entry of a cell that is not in its request")
    if name not in RESULT_NAMES or entry["version"] != version(name):
        return
    need(not is_native or "outliers" in entry, f"{OOD} has a native entry that does not name its outliers")
    for part in (NATIVE, OUTLIERS) if is_native and name != STATISTICS else ("",):
        metrics = entry.get("metrics", {})
        metrics = metrics.get(part, {}) if part else {} if name == STATISTICS else metrics
        fits(OOD, metrics, _METRICS)
        need(all(len(number) == 3 for number in metrics.values()), f"{OOD} has a number without its interval")
    detection = Detection(
        outliers=entry.get("outliers", Detection.outliers),
        training_outliers=tuple(entry.get("training_outliers") or Detection.training_outliers),
    )
    place = (ROOM, opened.detection_results(detection).key(name, method, i, j))
    need(place not in opened.values, f"{OOD} has an entry twice")
    opened.values[place] = expanded(entry, versions, _NAMES)
    if entry["tensors"]:
        need(arrays is not None, f"{OOD_ARRAYS} is missing")
        assert arrays is not None
        names = (
            _statistics(opened, arrays, k, is_native, sizes, j) if name == STATISTICS else _scores(arrays, k, is_native)
        )
        opened.arrays[place] = arrays, names


def _scores(arrays: Arrays, k: str, is_native: bool) -> dict[str, str]:
    """Check the scores of a set, of native activations also those of outliers; return their arrays' names."""
    names = {name: f"{k}.{name}" for name in ("scores", *((f"{OUTLIERS}.scores",) if is_native else ()))}
    for name in names.values():
        arrays.check(name, "F32", None)
        need(0 < arrays.shape(name)[0] <= ORDER_STATISTICS, f"{OOD_ARRAYS}: {name} has an unexpected length")
    return names


def _statistics(opened: Opened, arrays: Arrays, k: str, is_native: bool, sizes: _Sizes, j: str) -> dict[str, str]:
    """Check the statistics of a set; of native activations also labels and outliers. Return their arrays' names."""
    names: dict[str, str] = {}
    classes = len(opened.run.record["data"]["classes"])
    for prefix in ("", f"{OUTLIERS}.") if is_native else ("",):
        of_set = {what: f"{k}.{prefix}{what}" for what in ("predictions", "norms", "plane", *CHANNELS)}
        arrays.check(of_set["plane"], "F32", None, 2)
        arrays.check(of_set["norms"], "F32", None)
        arrays.check(of_set["predictions"], "I16 I32", None)
        channels = arrays.shape(of_set["mean"])
        for what in CHANNELS:
            arrays.check(of_set[what], "F32", *channels)
        counts = arrays.shape(of_set["predictions"])
        size = (*channels, *(counts if not prefix else ()))
        fitting = (
            len(channels) == 1
            and 0 < channels[0] <= MAX_CHANNELS
            and size == sizes.setdefault((j, prefix), size)
            and 0 < counts[0] <= PREDICTED_IMAGES
            and 0 < arrays.shape(of_set["plane"])[0] <= PLANE_IMAGES
            and 0 < arrays.shape(of_set["norms"])[0] <= ORDER_STATISTICS
        )
        need(fitting, f"{OOD_ARRAYS}: the statistics of {j} do not all have the same size")
        _check_classes(arrays, of_set["predictions"], -1, classes)
        names |= {f"{prefix}{what}": name for what, name in of_set.items()}
    if is_native:
        arrays.check(f"{k}.labels", "I16 I32", *arrays.shape(names["predictions"]))
        _check_classes(arrays, f"{k}.labels", 0, classes)
        names["labels"] = f"{k}.labels"
    return names


def _check_classes(arrays: Arrays, name: str, low: int, beyond: int) -> None:
    values = arrays.get(name)
    need(bool(((values >= low) & (values < beyond)).all()), f"{name} has a class that does not exist")


def _put_trajectory(
    opened: Opened, entry: dict[str, Any], versions: list[dict[str, str]], arrays: Arrays | None, name: str
) -> None:
    """Store a trajectory, unless it or a detector of it has another definition today."""
    request, i, j = opened.run.request, entry["front_layer"], entry["end_layer"]
    need(
        "tlm" in request.methods and opened.has_cell(i, j),
        f"{OOD} has a trajectory of a cell that is not in its request",
    )
    todays = trajectory.VERSION, [list(each) for each in trajectory.versions()]
    if (entry["version"], entry["detectors_versions"]) != todays:
        return
    detectors = entry["detectors"]
    series = [values for metrics in detectors.values() for values in metrics.values()]
    fitting = (
        set(detectors) <= set(QUICK)
        and "frechet" in detectors
        and all(set(metrics) == set(DETECTORS[name].metrics) for name, metrics in detectors.items())
    )
    count = len(entry["accuracy"])
    need(
        fitting and count > 0 and all(len(values) == count for values in (entry["epochs"], *series)),
        f"{OOD} has an incomplete trajectory",
    )
    need(arrays is not None and entry["tensors"], f"{OOD_ARRAYS} is missing")
    assert arrays is not None
    arrays.check(name, "F32", count, None, 2)
    place = (ROOM, trajectory.key(opened.run, i, j))
    need(place not in opened.values, f"{OOD} has a trajectory twice")
    opened.values[place] = expanded(entry, versions, ("front_layer", "end_layer", "version", "detectors_versions"))
    opened.arrays[place] = arrays, {"plane": name}


def _put_samples(opened: Opened) -> None:
    if SAMPLES not in opened.entries:
        return
    content, arrays, request = opened.parsed(SAMPLES, _SAMPLES), opened.arrays_of(SAMPLE_ARRAYS), opened.run.request
    need(arrays is not None and 0 < len(content["cells"]) <= _MAX_SAMPLES, f"{SAMPLES} has too many cells, or none")
    assert arrays is not None
    shape = arrays.shape("images")
    colours = [n for n in (opened.run.record["data"]["shape"][0],) if n > 1]
    fitting = 0 < shape[0] <= samples.IMAGES and all(0 < n <= samples.PIXELS for n in shape[1:3])
    need(fitting and list(shape[3:]) == colours, f"{SAMPLE_ARRAYS}: its images are not as expected")
    arrays.check("images", "U8", *shape)
    arrays.check("labels", "I16 I32", shape[0])
    _check_classes(arrays, "labels", 0, len(opened.run.record["data"]["classes"]))
    for k, entry in enumerate(content["cells"]):
        i, j = entry["front_layer"], entry["end_layer"]
        need(opened.has_cell(i, j), f"{SAMPLES} has a cell that is not in its request")
        names = _sample(arrays, k, shape[0], request.methods, f"{i} → {j}")
        place = (samples.ROOM, samples.key(request, i, j))
        need(place not in opened.values, f"{SAMPLES} has a cell twice")
        opened.values[place] = expanded(entry, content["versions"], ("front_layer", "end_layer"))
        opened.arrays[place] = arrays, names | {"images": "images", "labels": "labels"}


def _sample(arrays: Arrays, k: int, images: int, methods: Sequence[str], cell: str) -> dict[str, str]:
    """Check the maps and channels of a cell's sample; return their arrays' names."""
    names = {what: f"{k}.{what}" for what in ("channels", "scale", NATIVE, *methods)}
    maps = arrays.shape(names[NATIVE])
    fitting = (
        len(maps) == 4
        and maps[0] == images
        and 0 < maps[1] <= samples.CHANNELS
        and all(0 < n <= samples.SIDE for n in maps[2:])
    )
    need(fitting, f"{SAMPLE_ARRAYS}: the maps of {cell} are not as expected")
    for what in (NATIVE, *methods):
        arrays.check(names[what], "F16", *maps)
    arrays.check(names["scale"], "F32", 1)
    arrays.check(names["channels"], "I16 I32", maps[1])
    _check_classes(arrays, names["channels"], 0, MAX_CHANNELS)
    need(len(np.unique(arrays.get(names["channels"]))) == maps[1], f"{SAMPLE_ARRAYS} has a channel twice")
    return names


def _put_maps(opened: Opened) -> None:
    if (arrays := opened.arrays_of(MAP_ARRAYS)) is None:
        return
    request, seen = opened.run.request, 0
    for method in request.methods:
        for a, i in enumerate(request.front_layers):
            for b, j in enumerate(request.end_layers):
                names = {what: f"{method}.{a}.{b}.{what}" for what in ("weight", "bias")}
                if names["weight"] in arrays.names:
                    arrays.check(names["weight"], "F32", None, None)
                    arrays.check(names["bias"], "F32", arrays.shape(names["weight"])[0])
                    opened.arrays["maps", map_key(request, method, i, j)] = arrays, names
                    seen += 2
    need(seen == len(arrays.names), f"{MAP_ARRAYS} has maps of cells that are not in its request")
