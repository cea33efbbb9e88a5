"""Read what detectors found about a run's cells, in or out of distribution, as far as the store has it.

Beside the stitched sets (methods ``tlm`` and ``dm``) stand two that tell whether to believe a detector at an end layer:
``native``, evaluation images against training images that were held out of the fit, and ``outliers``, evaluation
images against known outliers. Both have an empty front layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK, STATISTICS_VERSION
from stitchlab.errors import check_names
from stitchlab.request import FIT_IMAGES, Detection, Method, Request
from stitchlab.results.interval import Interval
from stitchlab.results.keys import cell_key, native_key, verdict_key
from stitchlab.results.run import Run
from stitchlab.store import Array, Store

ROOM = "ood"
STATISTICS = "statistics"  # kept beside the detectors' scores: what a cell's page shows
SETTINGS = "settings"  # the room in which an opened file says what its run was judged with; the store has none
NATIVE: Literal["native"] = "native"
OUTLIERS: Literal["outliers"] = "outliers"

# When a detector is believed: evaluation images look like other native ones, and known outliers do not.
NATIVE_WITHIN, OUTLIERS_LEAST = 0.05, 0.8  # AUROC from 0.5, AUROC
NATIVE_RATIO, TIMES = 0.1, 5.0  # Fréchet: native at most, known outliers at least so many times as much

MethodCell = tuple[Method, str, str]  #: (method, front layer, end layer)
SetName = Literal[Method, "native", "outliers"]  #: what detectors judge: a method's activations, `NATIVE` or `OUTLIERS`


class OodRow(NamedTuple):
    """Hold a line of `ood`'s table; value, low and high are None if undefined or not computed yet."""

    front_layer: str
    end_layer: str
    method: SetName
    detector: str
    metric: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Reliability:
    """Tell whether a detector can be trusted at an end layer, None if that is not computed yet, and ``why`` not."""

    holds: bool | None
    why: str = ""


class DetectionResults:
    """Read what detectors found about a run, with these settings. Make a new one to see what has come since.

    Without settings: the default ones, or those that the run of an opened file was judged with.
    """

    def __init__(self, run: Run, detection: Detection | None = None) -> None:
        self.run, self.detection = run, detection or next(iter(opened_settings(run)), Detection())
        self._subjects: dict[tuple[str, ...], str] = {}
        self._read: dict[tuple[str, ...], tuple[dict[str, Any], dict[str, Array]] | None] = {}

    @property
    def cells(self) -> list[MethodCell]:
        """List the stitched cells that are computed, column by column."""
        request = self.run.request
        return [(m, i, j) for i, j in request.cells for m in request.methods if (m, i, j) in self.run.cells]

    def key(self, name: str, method: SetName, front_layer: str, end_layer: str) -> str:
        """Return the key of what a detector found; `NATIVE` and `OUTLIERS` share an entry.

        Args:
            name: a detector, or `STATISTICS`.
            method: tlm, dm, `NATIVE` or `OUTLIERS`.
            front_layer, end_layer: of the cell; no front layer for the latter two.
        """
        learns = name != STATISTICS and DETECTORS[name].learns
        settings: list[Any] = [self.detection.training_outliers if learns else None]
        believing = method in (NATIVE, OUTLIERS)
        of = (NATIVE if believing else method, front_layer, end_layer)
        if of not in self._subjects:  # one for all detectors
            self._subjects[of] = (
                native_key(self.run.request, end_layer)
                if method in (NATIVE, OUTLIERS)
                else cell_key(self.run.request, method, front_layer, end_layer)
            )
        settings += [self.detection.outliers] if believing else []
        version = STATISTICS_VERSION if name == STATISTICS else DETECTORS[name].version
        return verdict_key(self._subjects[of], name, version, settings)

    def entry(self, name: str, method: SetName, front_layer: str, end_layer: str) -> dict[str, Any] | None:
        """Read what is kept: ``metrics`` by set (or of the cell), and a ``reason`` if something is undefined.

        None also where its tensors are lost or damaged: then it is computed again, as a whole.

        Args:
            name, method, front_layer, end_layer: as in `key`.
        """
        kept = self._kept(name, method, front_layer, end_layer)
        return kept and kept[0]

    def arrays(self, name: str, method: SetName, front_layer: str, end_layer: str) -> dict[str, Array]:
        """Read the scores of images, or the statistics of images and channels; empty if there are none.

        Args:
            name, method, front_layer, end_layer: as in `key`.
        """
        kept = self._kept(name, method, front_layer, end_layer)
        return kept[1] if kept else {}

    def _kept(
        self, name: str, method: SetName, front_layer: str, end_layer: str
    ) -> tuple[dict[str, Any], dict[str, Array]] | None:
        asked = (name, method, front_layer, end_layer)
        if asked not in self._read:
            self._read[asked] = read(self.run.store, self.key(*asked))
        return self._read[asked]

    def interval(self, detector: str, method: SetName, metric: str, front_layer: str, end_layer: str) -> Interval:
        """Return a number with its interval.

        Args:
            detector, method, front_layer, end_layer: as in `key`.
            metric: one that the detector has.

        Returns:
            all None if it is undefined or not computed yet.
        """
        kept = self.entry(detector, method, front_layer, end_layer)
        found = (kept or {}).get("metrics", {})
        if method in (NATIVE, OUTLIERS):
            found = found.get(method, {})
        return Interval(*found.get(metric, ()))

    def reason(self, detector: str, method: SetName, front_layer: str, end_layer: str) -> str:
        """Return the reason why a number that was computed is undefined; empty if it is not.

        Args:
            detector, method, front_layer, end_layer: as in `key`.
        """
        return str((self.entry(detector, method, front_layer, end_layer) or {}).get("reason", ""))

    def reliability(self, detector: str, end_layer: str) -> Reliability:
        """Tell whether a detector passes both tests at an end layer: of native images, and of known outliers."""
        metric = DETECTORS[detector].metrics[0]
        native, outliers = (self.interval(detector, who, metric, "", end_layer) for who in (NATIVE, OUTLIERS))
        if native.value is None or outliers.value is None:
            reason = self.reason(detector, NATIVE, "", end_layer)
            return Reliability(False if reason else None, reason)
        if metric == "ratio":
            if native.value > NATIVE_RATIO:
                return Reliability(False, f"other native images already have ratio {native.value:.2f}")
            near = outliers.value < TIMES * native.value
            return Reliability(not near, f"known outliers have no more than {outliers.value:.2f}" if near else "")
        if abs(native.value - 0.5) > NATIVE_WITHIN and not native.holds(0.5):
            return Reliability(
                False, f"evaluation images against held-out training images give AUROC {native.value:.2f}, not 0.5"
            )
        if outliers.value < OUTLIERS_LEAST:
            return Reliability(False, f"known outliers give only AUROC {outliers.value:.2f}")
        return Reliability(True)

    def matrix(self, detector: str, method: Method, metric: str) -> npt.NDArray[np.float64]:
        """Return one number of all cells of a method.

        Args:
            detector, metric: which number.
            method: tlm or dm.

        Returns:
            (front layers, end layers); NaN where it is undefined or not computed yet.

        Raises:
            UnknownName: there is no such detector or metric, or this run has no such method.
        """
        request = self.run.request
        check_names("detector", [detector], DETECTORS)
        check_names("method of this run", [method], request.methods)
        check_names(f"metric of {detector}", [metric], DETECTORS[detector].metrics)
        values = [
            [self.interval(detector, method, metric, i, j).value for j in request.end_layers]
            for i in request.front_layers
        ]
        return np.array(values, dtype=np.float64)

    def lacking(
        self, names: Iterable[str], cells: Sequence[MethodCell]
    ) -> dict[str, tuple[list[str], list[MethodCell]]]:
        """Return what the store lacks, by end layer: detectors (or `STATISTICS`), and cells of that column."""
        found: dict[str, tuple[list[str], list[MethodCell]]] = {}
        names = list(names)
        for j in dict.fromkeys(j for _, _, j in cells):
            column = [cell for cell in cells if cell[2] == j]
            absent = [
                n
                for n in names
                if self.entry(n, NATIVE, "", j) is None or any(self.entry(n, *cell) is None for cell in column)
            ]
            if absent:
                found[j] = absent, [c for c in column if any(self.entry(n, *c) is None for n in absent)]
        return found

    def columns(
        self, names: Iterable[str], cells: Sequence[MethodCell]
    ) -> list[tuple[list[str], str, list[MethodCell]]]:
        """List what the store lacks of these detectors and `STATISTICS`, by column; trained detectors come last.

        Each is detectors, an end layer, and cells of it: one piece of work.
        """
        names = list(names)
        parts = [STATISTICS, *(name for name in names if name in QUICK)], [name for name in names if name in LEARNING]
        return [(lacking, j, column) for part in parts for j, (lacking, column) in self.lacking(part, cells).items()]

    def rows(
        self, detectors: Iterable[str] = tuple(DETECTORS), cells: Sequence[MethodCell] | None = None
    ) -> Iterator[OodRow]:
        """Yield all lines of `ood`'s table: by end layer, the rows by which a detector is believed first."""
        detectors = list(detectors)
        cells = self.cells if cells is None else cells
        for j in dict.fromkeys(j for _, _, j in cells):
            sets: list[tuple[SetName, str]] = [
                (NATIVE, ""),
                (OUTLIERS, ""),
                *((m, i) for m, i, column in cells if column == j),
            ]
            for method, i in sets:
                for name in detectors:
                    for metric in DETECTORS[name].metrics:
                        yield OodRow(i, j, method, name, metric, *self.interval(name, method, metric, i, j))


def read(store: Store, key: str) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """Read an entry and its arrays (`stitchlab.ood.keep`); None if any part of it is lost or damaged."""
    value = store.intact(ROOM, key)
    if value is None or not value["tensors"]:
        return None if value is None else (value, {})
    arrays = store.intact_arrays(ROOM, key)
    return None if arrays is None else (value, arrays)


def learned(request: Request, end_layer: str, detector: str, training_outliers: Sequence[str]) -> dict[str, Any]:
    """Describe what a learned detector was trained for: an end network and layer, whatever is stitched to it.

    It is kept in the room ``detectors``, under the `content_id` of this, with this beside its tensors.

    Args:
        request: of the run.
        end_layer: its column.
        detector: name of the detector.
        training_outliers: kinds of outliers that it is fine-tuned on.
    """
    return {
        "end": request.end,
        "end_layer": end_layer,
        "data": request.data,
        "seed": request.seed,
        "images": FIT_IMAGES,
        "input": request.definitions.get("input", 1),
        "outliers": list(training_outliers),
        "detector": [detector, DETECTORS[detector].version],
    }


def opened_settings(run: Run) -> list[Detection]:
    """List the settings with which the run of an opened file was judged, fullest first; none for others."""
    kept = run.store.intact(SETTINGS, run.id) if run.source else None
    return [
        Detection(outliers=each["outliers"], training_outliers=tuple(each["training_outliers"]))
        for each in (kept or {}).get("settings", ())
    ]


def known_detectors(names: Sequence[str] | None) -> list[str]:
    """List these detectors, or all, in the catalog's order. Raises UnknownName."""
    check_names("detector", names or (), DETECTORS)
    return [name for name in DETECTORS if names is None or name in names]
