"""Collect the results of detectors on a run for a .stitch file, under names instead of the store's keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from stitchlab.catalog.detectors import DETECTORS, LEARNING, STATISTICS_VERSION
from stitchlab.catalog.outliers import DATA
from stitchlab.request import Detection
from stitchlab.results import data_sets, samples, trajectory
from stitchlab.results.bundle.arrays import sample
from stitchlab.results.bundle.layout import MAX_CHANNEL_BYTES, PLANE_IMAGES, PREDICTED_IMAGES
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults, SetName
from stitchlab.results.detection_settings import RESULT_NAMES
from stitchlab.results.run import Run
from stitchlab.store import Array

#: Arrays of which a file holds the first rows, and how many.
ROWS = {"predictions": PREDICTED_IMAGES, "labels": PREDICTED_IMAGES, "plane": PLANE_IMAGES}
SAMPLED = ("scores", "norms")  # arrays of which a file holds order statistics
CHANNELS = ("mean", "deviation", "negative", "zero", "spectrum")
DATA_FIELDS = ("name", "label", "fingerprint", "shape", "classes", "train", "test")

Entry = tuple[dict[str, Any], dict[str, Array]]  #: an entry of the file, and its arrays


def version(name: str) -> int:
    """Return the version of a detector's definition, or of `STATISTICS`."""
    return STATISTICS_VERSION if name == STATISTICS else DETECTORS[name].version


def names(name: str, detection: Detection, method: SetName, front_layer: str, end_layer: str) -> dict[str, Any]:
    """Name an entry by everything that it depends on.

    Args:
        name: a detector, or `STATISTICS`.
        detection: the settings of detectors; only those that the entry depends on are part of its names.
        method: tlm, dm, or `NATIVE` for both tests by which a detector is believed.
        front_layer, end_layer: of the cell; the front layer of `NATIVE` is empty.
    """
    named: dict[str, Any] = {
        "detector": name,
        "version": version(name),
        "method": method,
        "front_layer": front_layer,
        "end_layer": end_layer,
    }
    named |= {"outliers": detection.outliers} if method == NATIVE else {}
    learns = name in LEARNING
    return named | ({"training_outliers": list(detection.training_outliers)} if learns else {})


def entries(all_results: list[DetectionResults]) -> Iterator[Entry]:
    """Yield all results of detectors on a run under several settings, each once, with samples of large arrays."""
    seen: set[str] = set()
    bytes_left = MAX_CHANNEL_BYTES
    for results in all_results:
        run = results.run
        first = [(method, *cell) for cell in samples.cells(results) for method in run.request.methods]
        natives: list[tuple[SetName, str, str]] = [(NATIVE, "", j) for j in run.request.end_layers]
        for cell in dict.fromkeys([*natives, *first, *results.cells]):
            for name in RESULT_NAMES:
                if (key := results.key(name, *cell)) in seen or (entry := results.entry(name, *cell)) is None:
                    continue
                seen.add(key)
                arrays = {what: _reduced(what, array) for what, array in results.arrays(name, *cell).items()}
                size = sum(a.nbytes for what, a in arrays.items() if what.rpartition(".")[2] in CHANNELS)
                if size <= bytes_left:
                    bytes_left -= size
                    yield {**names(name, results.detection, *cell), **entry}, arrays


def trajectories(run: Run) -> Iterator[Entry]:
    """Yield the computed trajectories of a run."""
    for i, j in run.request.cells if "tlm" in run.request.methods else ():
        if (kept := trajectory.kept(run, i, j)) is not None:
            entry, plane = kept
            named = {
                "front_layer": i,
                "end_layer": j,
                "version": trajectory.VERSION,
                "detectors_versions": trajectory.versions(),
            }
            yield {**named, **entry}, {"plane": plane}


def data(run: Run, all_results: list[DetectionResults]) -> list[dict[str, Any]]:
    """List the records of other data sets that served as outliers, without pixels."""
    kinds = {
        kind
        for results in all_results
        for kind in (results.detection.outliers, *results.detection.training_outliers)
        if kind.startswith(DATA)
    }
    records = (data_sets.of_fingerprint(run.store, kind.removeprefix(DATA)) for kind in sorted(kinds))
    return [
        {name: value for name, value in asdict(record).items() if name in DATA_FIELDS}
        for record in records
        if record is not None
    ]


def _reduced(name: str, array: Array) -> Array:
    """Return the part of an array that a file holds: order statistics, its first rows, or all of it."""
    plain = name.rpartition(".")[2]  # the arrays of outliers have a prefix
    if plain in SAMPLED:
        return sample(array).astype(np.float32)
    return array[: ROWS[plain]] if plain in ROWS else array
