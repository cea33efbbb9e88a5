"""With which settings a run's cells were judged: those of which most is kept.

Keys say nothing of settings, so the ones that could have been used are tried: the kinds of known outliers that are
made from images, and data of the same shape that the store knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab.catalog.detectors import LEARNING, QUICK
from stitchlab.catalog.outliers import DATA, OUTLIERS
from stitchlab.request import Detection
from stitchlab.results import data_sets
from stitchlab.results.detection import NATIVE, ROOM, Distribution
from stitchlab.results.run import Run

DETECTORS_ROOM = "detectors"  # beside its tensors, each learned detector says what it was fine-tuned on


def judged_with(run: Run) -> Detection:
    """Find the settings of which most is kept; the usual ones where nothing is, or as much."""
    usual = Detection()
    kinds = dict.fromkeys([usual.outliers, *OUTLIERS, *_other_data(run)])
    outliers = max(kinds, key=lambda kind: _kept(run, Detection(outliers=kind), QUICK))
    lessons = dict.fromkeys([usual.training_outliers, *_lessons(run)])
    learnt = max(lessons, key=lambda lesson: _kept(run, Detection(outliers=outliers, training_outliers=lesson),
                                                   LEARNING))
    return Detection(outliers=outliers, training_outliers=learnt)


def _kept(run: Run, detection: Detection, detectors: Sequence[str]) -> int:
    """Count the end layers at which detectors have their believing rows by these settings; no file is read."""
    found = Distribution(run, detection)
    return sum(run.store.has(ROOM, found.key(name, NATIVE, "", j)) for name in detectors
               for j in run.request.end_layers)


def _other_data(run: Run) -> list[str]:
    return [DATA + record.fingerprint for record in data_sets.known(run.store)
            if list(record.shape) == list(run.record["data"]["shape"]) and record.fingerprint != run.request.data]


def _lessons(run: Run) -> list[tuple[str, ...]]:
    """What learned detectors of this run's end network were fine-tuned on."""
    kept = (run.store.intact(DETECTORS_ROOM, key) for key in run.store.keys(DETECTORS_ROOM))
    return [tuple(value["outliers"]) for value in kept if value and value.get("end") == run.request.end]
