"""Collect what detectors say of a run for a .stitch file, by names instead of the store's keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS, LEARNING, STATISTICS_VERSION
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.request import Detection
from stitchlab.results import data_sets, samples, trajectory
from stitchlab.results.bundle.arrays import sample
from stitchlab.results.bundle.layout import CHANNEL_BYTES, PLACED, PREDICTED
from stitchlab.results.data_sets import DataRecord
from stitchlab.results.detection import NATIVE, ROOM, STATISTICS, DetectionResults, SetName, opened_settings
from stitchlab.results.run import Run
from stitchlab.store import Array

KINDS = [*DETECTORS, STATISTICS]  # what has entries
ROWS = {"predictions": PREDICTED, "labels": PREDICTED, "plane": PLACED}  # arrays of which the first are kept
SAMPLED = ("scores", "norms")  # arrays of which a sample is kept
CHANNELS = ("mean", "deviation", "negative", "zero", "spectrum")
DATA_FIELDS = ("name", "label", "fingerprint", "shape", "classes", "train", "test")

Entry = tuple[dict[str, Any], dict[str, Array]]  # what is said by names, and its arrays


def settings(run: Run) -> list[Detection]:
    """List the settings with which detectors judged a run, those with most results first.

    A store says results by keys, from which settings cannot be read; so all are tried that this store can have.
    """
    if run.source:
        return opened_settings(run)
    there = set(run.store.keys(ROOM))
    found: dict[Detection, set[str]] = {}
    for kind in (*OUTLIERS, *(DATA + record.fingerprint for record in data_sets.known(run.store))):
        for training in _trainings(run):
            judged = DetectionResults(run, Detection(outliers=kind, training_outliers=training))
            keys = {name: {judged.key(name, NATIVE, "", j) for j in run.request.end_layers} & there for name in KINDS}
            if training == Detection.training_outliers or any(keys[name] for name in LEARNING):
                found[judged.detection] = set().union(*keys.values())
    full = [each for each, keys in found.items() if keys and not any(keys < other for other in found.values())]
    return sorted(full, key=lambda each: -len(found[each]))


def version(name: str) -> int:
    """Return the version of a detector's definition, or of `STATISTICS`."""
    return STATISTICS_VERSION if name == STATISTICS else DETECTORS[name].version


def names(name: str, detection: Detection, method: SetName, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Name an entry by everything that it depends on.

    Args:
        name: a detector, or `STATISTICS`.
        detection: the settings, of which only those are named that the entry depends on.
        method: tlm, dm, or `NATIVE` for both rows by which a detector is believed.
        front_layer, end_layer: of the cell; the front layer of `NATIVE` is empty.
    """
    said: dict[str, Any] = {
        "detector": name,
        "version": version(name),
        "method": method,
        "front_layer": front_layer,
        "end_layer": end_layer,
    }
    said |= {"outliers": detection.outliers} if method == NATIVE else {}
    learns = name in LEARNING
    return said | ({"training_outliers": list(detection.training_outliers)} if learns else {})


def entries(judged: list[DetectionResults]) -> Iterator[Entry]:
    """Yield everything that was said of a run under several settings, each once, with samples of large arrays."""
    seen: set[str] = set()
    room = CHANNEL_BYTES
    for found in judged:
        run = found.run
        telling = samples.cells(found)
        first = [(m, *cell) for cell in telling for m in run.request.methods]
        natives: list[tuple[SetName, str, str]] = [(NATIVE, "", j) for j in run.request.end_layers]
        for of in dict.fromkeys([*natives, *first, *found.cells]):
            for name in KINDS:
                if (key := found.key(name, *of)) in seen or (kept := found.entry(name, *of)) is None:
                    continue
                seen.add(key)
                arrays = {what: _few(what, array) for what, array in found.arrays(name, *of).items()}
                size = sum(a.nbytes for what, a in arrays.items() if what.rpartition(".")[2] in CHANNELS)
                if size <= room:
                    room -= size
                    yield names(name, found.detection, *of) | kept, arrays


def walks(run: Run) -> Iterator[Entry]:
    """Yield the trajectories through TLM's epochs that are there."""
    for i, j in run.request.cells if "tlm" in run.request.methods else ():
        if (kept := trajectory.kept(run, i, j)) is not None:
            yield (
                {
                    "front_layer": i,
                    "end_layer": j,
                    "version": trajectory.VERSION,
                    "detectors_versions": trajectory.versions(),
                }
                | kept[0],
                {"plane": kept[1]},
            )


def data(run: Run, judged: list[DetectionResults]) -> list[dict[str, Any]]:
    """List the records of other data sets that served as outliers, without pixels."""
    kinds = {
        kind
        for each in judged
        for kind in (each.detection.outliers, *each.detection.training_outliers)
        if kind.startswith(DATA)
    }
    known = {f.name for f in fields(DataRecord)}
    records = (data_sets.of_fingerprint(run.store, kind.removeprefix(DATA)) for kind in sorted(kinds))
    return [
        {name: value for name, value in asdict(record).items() if name in DATA_FIELDS and name in known}
        for record in records
        if record is not None
    ]


def _few(what: str, array: Array) -> Array:
    plain = what.rpartition(".")[2]  # outliers' have a prefix
    if plain in SAMPLED:
        return sample(array).astype(np.float32)
    return array[: ROWS[plain]] if plain in ROWS else array


def _trainings(run: Run) -> list[tuple[str, ...]]:
    """List what the learned detector may have been fine-tuned on: the default, and what the store records."""
    request, found = run.request, [Detection.training_outliers]
    for key in run.store.keys("detectors"):
        of = run.store.intact("detectors", key)
        if of is not None and (of["end"], of["data"], of["seed"]) == (request.end, request.data, request.seed):
            found.append(tuple(of["outliers"]))
    return list(dict.fromkeys(found))
