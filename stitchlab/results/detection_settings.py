"""Find the settings with which detectors were applied to a run: a file or a figure of it shows the fullest ones."""

from __future__ import annotations

from stitchlab.catalog.detectors import DETECTORS, LEARNING
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.request import Detection
from stitchlab.results import data_sets
from stitchlab.results.detection import NATIVE, ROOM, STATISTICS, DetectionResults, opened_settings
from stitchlab.results.run import Run

RESULT_NAMES = [*DETECTORS, STATISTICS]  #: what has entries in a store: each detector, and the statistics


def fullest_settings(run: Run) -> Detection:
    """Return the settings with the most results of detectors for a run; the default ones if there are none."""
    return next(iter(settings(run)), Detection())


def settings(run: Run) -> list[Detection]:
    """List the settings with which detectors were applied to a run, those with the most results first.

    A store has results by key, and settings cannot be read from a key. So all settings that this store can have
    results of are tried. Settings whose results are all among those of others are left out.
    """
    if run.source:
        return opened_settings(run)
    stored = set(run.store.keys(ROOM))
    keys_of: dict[Detection, set[str]] = {}
    for kind in (*OUTLIERS, *(DATA + record.fingerprint for record in data_sets.known(run.store))):
        for training_outliers in _training_outliers(run):
            results = DetectionResults(run, Detection(outliers=kind, training_outliers=training_outliers))
            keys = {
                name: {results.key(name, NATIVE, "", j) for j in run.request.end_layers} & stored
                for name in RESULT_NAMES
            }
            if training_outliers == Detection.training_outliers or any(keys[name] for name in LEARNING):
                keys_of[results.detection] = set().union(*keys.values())
    fullest = [each for each, keys in keys_of.items() if keys and not any(keys < more for more in keys_of.values())]
    return sorted(fullest, key=lambda each: -len(keys_of[each]))


def _training_outliers(run: Run) -> list[tuple[str, ...]]:
    """List the outliers that the learned detector was fine-tuned on, by the store's records, after the default ones."""
    request, kinds = run.request, [Detection.training_outliers]
    for key in run.store.keys("detectors"):
        trained = run.store.intact("detectors", key)
        if trained is not None and (trained["end"], trained["data"], trained["seed"]) == (
            request.end,
            request.data,
            request.seed,
        ):
            kinds.append(tuple(trained["outliers"]))
    return list(dict.fromkeys(kinds))
