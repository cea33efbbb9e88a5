"""In or out of distribution: what detectors say about a run's cells, as much as is in the store. It reads only.

Beside the stitched sets (methods ``tlm`` and ``dm``) stand two that tell whether to believe a detector at an end layer:
``native``, evaluation images against training images that were held out of the fit, and ``outliers``, evaluation
images against known outliers. Both have an empty front layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.detectors import DETECTORS, STATISTICS_VERSION
from stitchlab.errors import check_names
from stitchlab.request import FIT_IMAGES, Detection, Request, cell_key, native_key, verdict_key
from stitchlab.results.interval import Interval
from stitchlab.results.run import Run
from stitchlab.store import Array, Store

ROOM = "ood"
STATISTICS = "statistics"  # kept beside the detectors' scores: what a cell's page shows
SETTINGS = "settings"  # the room in which an opened file says what its run was judged with; the store has none
NATIVE, OUTLIERS = "native", "outliers"

# When a detector is believed: evaluation images look like other native ones, and known outliers do not.
NATIVE_WITHIN, OUTLIERS_LEAST = 0.05, 0.8  # AUROC from 0.5, AUROC
NATIVE_RATIO, TIMES = 0.1, 5.0  # Fréchet: native at most, known outliers at least so many times as much

Cell = tuple[str, str, str]  # method, front layer, end layer


class OodRow(NamedTuple):
    """A line of `ood`'s table; value, low and high are None where undefined or not there yet."""

    front_layer: str
    end_layer: str
    method: str
    detector: str
    metric: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Belief:
    """Whether a detector deserves belief at an end layer; None while its rows are not there. ``why`` says why not."""

    holds: bool | None
    why: str = ""


class Distribution:
    """What detectors say about a run, with these settings. Make a new one to see what has come since.

    Without settings: the default ones, or those that the run of an opened file was judged with.
    """

    def __init__(self, run: Run, detection: Detection | None = None) -> None:
        self.run, self.detection = run, detection or next(iter(opened_settings(run)), Detection())
        self._subjects: dict[tuple[str, ...], str] = {}
        self._read: dict[tuple[str, ...], tuple[dict[str, Any], dict[str, Array]] | None] = {}

    @property
    def cells(self) -> list[Cell]:
        """The stitched cells that are computed, so that their activations can be looked at; column by column."""
        request = self.run.request
        return [(m, i, j) for i, j in request.cells for m in request.methods if (m, i, j) in self.run.cells]

    def key(self, name: str, method: str, front_layer: str, end_layer: str) -> str:
        """Where the store keeps what a detector (or `STATISTICS`) says; `NATIVE` and `OUTLIERS` share an entry."""
        learns = name != STATISTICS and DETECTORS[name].learns
        settings: list[Any] = [self.detection.training_outliers if learns else None]
        believing = method in (NATIVE, OUTLIERS)
        of = (NATIVE if believing else method, front_layer, end_layer)
        if of not in self._subjects:  # one for all detectors
            self._subjects[of] = native_key(self.run.request, end_layer) if believing else cell_key(
                self.run.request, *of)
        settings += [self.detection.outliers] if believing else []
        version = STATISTICS_VERSION if name == STATISTICS else DETECTORS[name].version
        return verdict_key(self._subjects[of], name, version, settings)

    def entry(self, name: str, method: str, front_layer: str, end_layer: str) -> dict[str, Any] | None:
        """What is kept: ``metrics`` by set (or of the cell), and a ``reason`` where something is undefined.

        None also where its tensors are lost or damaged: then it is computed again, as a whole.
        """
        kept = self._kept(name, method, front_layer, end_layer)
        return kept and kept[0]

    def arrays(self, name: str, method: str, front_layer: str, end_layer: str) -> dict[str, Array]:
        """Scores or statistics of the images and channels; empty where there are none."""
        kept = self._kept(name, method, front_layer, end_layer)
        return kept[1] if kept else {}

    def _kept(self, *asked: str) -> tuple[dict[str, Any], dict[str, Array]] | None:
        if asked not in self._read:
            self._read[asked] = read(self.run.store, self.key(*asked))
        return self._read[asked]

    def interval(self, detector: str, method: str, metric: str, front_layer: str, end_layer: str) -> Interval:
        """A number with its interval; all None where it is undefined or not there yet."""
        kept = self.entry(detector, method, front_layer, end_layer)
        found = (kept or {}).get("metrics", {})
        if method in (NATIVE, OUTLIERS):
            found = found.get(method, {})
        return Interval(*found.get(metric, ()))

    def reason(self, detector: str, method: str, front_layer: str, end_layer: str) -> str:
        """Why a number that was computed is undefined; empty where it is not."""
        return str((self.entry(detector, method, front_layer, end_layer) or {}).get("reason", ""))

    def belief(self, detector: str, end_layer: str) -> Belief:
        """Whether both believing rows of a detector are in order at an end layer."""
        metric = DETECTORS[detector].metrics[0]
        native, outliers = (self.interval(detector, who, metric, "", end_layer) for who in (NATIVE, OUTLIERS))
        if native.value is None or outliers.value is None:
            reason = self.reason(detector, NATIVE, "", end_layer)
            return Belief(False if reason else None, reason)
        if metric == "ratio":
            if native.value > NATIVE_RATIO:
                return Belief(False, f"other native images have ratio {native.value:.2f} already")
            near = outliers.value < TIMES * native.value
            return Belief(not near, f"known outliers have no more than {outliers.value:.2f}" if near else "")
        if abs(native.value - 0.5) > NATIVE_WITHIN and not native.holds(0.5):
            return Belief(False, f"evaluation images against held-out training images give AUROC {native.value:.2f}, "
                                 "not 0.5")
        if outliers.value < OUTLIERS_LEAST:
            return Belief(False, f"known outliers give AUROC {outliers.value:.2f} only")
        return Belief(True)

    def matrix(self, detector: str, method: str, metric: str) -> npt.NDArray[np.float64]:
        """(front layers, end layers) of one number; NaN where it is undefined or not there yet.

        Raises UnknownName for a detector, a method of this run, or a metric that there is not.
        """
        request = self.run.request
        check_names("detector", [detector], DETECTORS)
        check_names("method of this run", [method], request.methods)
        check_names(f"metric of {detector}", [metric], DETECTORS[detector].metrics)
        values = [[self.interval(detector, method, metric, i, j).value for j in request.end_layers]
                  for i in request.front_layers]
        return np.array(values, dtype=np.float64)

    def lacking(self, names: Iterable[str], cells: Sequence[Cell]) -> dict[str, tuple[list[str], list[Cell]]]:
        """What the store lacks, by end layer: detectors (or `STATISTICS`) and computed cells of that column."""
        found: dict[str, tuple[list[str], list[Cell]]] = {}
        names = list(names)
        for j in dict.fromkeys(j for _, _, j in cells):
            column = [cell for cell in cells if cell[2] == j]
            absent = [n for n in names if self.entry(n, NATIVE, "", j) is None
                      or any(self.entry(n, *cell) is None for cell in column)]
            if absent:
                found[j] = absent, [c for c in column if any(self.entry(n, *c) is None for n in absent)]
        return found

    def rows(self, detectors: Iterable[str] = tuple(DETECTORS), cells: Sequence[Cell] | None = None
             ) -> Iterator[OodRow]:
        """All lines of `ood`'s table: end layer by end layer, the believing rows first."""
        detectors = list(detectors)
        cells = self.cells if cells is None else cells
        for j in dict.fromkeys(j for _, _, j in cells):
            sets = [(NATIVE, ""), (OUTLIERS, ""), *((m, i) for m, i, column in cells if column == j)]
            for method, i in sets:
                for name in detectors:
                    for metric in DETECTORS[name].metrics:
                        yield OodRow(i, j, method, name, metric, *self.interval(name, method, metric, i, j))


def read(store: Store, key: str) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """Read an entry and its arrays (`stitchlab.ood.keep`); None where any part of it is lost or damaged."""
    value = store.intact(ROOM, key)
    if value is None or not value["tensors"]:
        return None if value is None else (value, {})
    arrays = store.intact_arrays(ROOM, key)
    return None if arrays is None else (value, arrays)


def learned(request: Request, end_layer: str, detector: str, training_outliers: Sequence[str]) -> dict[str, Any]:
    """Say what a learned detector is of: an end network and layer, whatever is stitched to it.

    It is kept in the room ``detectors``, under the `content_id` of this, with this beside its tensors.
    """
    return {
        "end": request.end, "end_layer": end_layer, "data": request.data, "seed": request.seed, "images": FIT_IMAGES,
        "input": request.definitions.get("input", 1), "outliers": list(training_outliers),
        "detector": [detector, DETECTORS[detector].version],
    }


def opened_settings(run: Run) -> list[Detection]:
    """Give the settings with which the run of an opened file was judged, fullest first; none for a run of one's own."""
    kept = run.store.intact(SETTINGS, run.id) if run.source else None
    return [Detection(outliers=each["outliers"], training_outliers=tuple(each["training_outliers"]))
            for each in (kept or {}).get("settings", ())]


def known_detectors(names: Sequence[str] | None) -> list[str]:
    """These detectors, or all, in the catalog's order. Raises UnknownName."""
    check_names("detector", names or (), DETECTORS)
    return [name for name in DETECTORS if names is None or name in names]
