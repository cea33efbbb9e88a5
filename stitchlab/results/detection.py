"""Read the results of detectors on a run: whether stitched activations are in distribution, as far as it is computed.

Detectors are applied to the stitched activations of a cell (methods ``tlm`` and ``dm``). Two more sets decide whether a
detector is believed at an end layer: ``native`` compares evaluation images with training images that were held out of
the fit, ``outliers`` compares evaluation images with known outliers. Both have an empty front layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK, STATISTICS_VERSION
from stitchlab.errors import check_names
from stitchlab.request import MAX_DETECTOR_FIT_IMAGES, Detection, Method, Request
from stitchlab.results.interval import Interval
from stitchlab.results.keys import cell_key, native_key, verdict_key
from stitchlab.results.records import DetectionEntry, DetectionSettings
from stitchlab.results.run import Run
from stitchlab.store import Array, Store

ROOM = "ood"
STATISTICS = "statistics"  # computed beside the detectors' scores, for the page of a cell
SETTINGS = "settings"  # the room of an opened file for the settings of its detectors; no other store has it
NATIVE: Literal["native"] = "native"
OUTLIERS: Literal["outliers"] = "outliers"

# A detector is believed where evaluation images look like other native images to it, and known outliers do not.
MAX_NATIVE_AUROC_DEVIATION = 0.05  # the AUROC of native images may differ from 0.5 by at most this
MIN_OUTLIERS_AUROC = 0.8  # the AUROC of known outliers is at least this
MAX_NATIVE_RATIO = 0.1  # the Fréchet ratio of native images is at most this
MIN_OUTLIERS_RATIO_FACTOR = 5.0  # the Fréchet ratio of known outliers is at least so many times that of native images

MethodCell = tuple[Method, str, str]  #: (method, front layer, end layer)
SetName = Literal[Method, "native", "outliers"]  #: a set of activations: a method's, `NATIVE` or `OUTLIERS`
Lacking = tuple[list[str], list[MethodCell]]  #: detectors (or `STATISTICS`), and the cells of a column they lack


class OodRow(NamedTuple):
    """Hold a row of `ood`'s table; value, low and high are None if undefined or not computed yet."""

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
    """Tell whether a detector is believed at an end layer, None if that is not computed yet, and ``why`` it is not."""

    holds: bool | None
    why: str = ""


class DetectionResults:
    """Read the results of detectors on a run. Make a new instance to see later results.

    Args:
        run: the run.
        detection: the settings of detectors; default: the first settings of an opened file, else the default ones.
    """

    def __init__(self, run: Run, detection: Detection | None = None) -> None:
        self.run, self.detection = run, detection or next(iter(opened_settings(run)), Detection())
        self._set_keys: dict[tuple[str, ...], str] = {}
        self._read: dict[tuple[str, ...], tuple[DetectionEntry, dict[str, Array]] | None] = {}

    def __repr__(self) -> str:
        """Say whose results they are: ``<DetectionResults of digits-a → digits-b on Digits>``."""
        return f"<DetectionResults of {self.run.title}>"

    @property
    def cells(self) -> list[MethodCell]:
        """List the stitched cells that are computed, column by column."""
        request = self.run.request
        return [(m, i, j) for i, j in request.cells for m in request.methods if (m, i, j) in self.run.cells]

    def key(self, name: str, method: SetName, front_layer: str, end_layer: str) -> str:
        """Return the key of a detector's result; `NATIVE` and `OUTLIERS` share an entry.

        Args:
            name: a detector, or `STATISTICS`.
            method: tlm, dm, `NATIVE` or `OUTLIERS`.
            front_layer, end_layer: of the cell; the front layer is empty for `NATIVE` and `OUTLIERS`.
        """
        learns = name != STATISTICS and DETECTORS[name].learns
        settings: list[Any] = [self.detection.training_outliers if learns else None]
        is_native_side = method in (NATIVE, OUTLIERS)
        activations = (NATIVE if is_native_side else method, front_layer, end_layer)
        if activations not in self._set_keys:  # one key for all detectors
            self._set_keys[activations] = (
                native_key(self.run.request, end_layer)
                if method in (NATIVE, OUTLIERS)
                else cell_key(self.run.request, method, front_layer, end_layer)
            )
        settings += [self.detection.outliers] if is_native_side else []
        version = STATISTICS_VERSION if name == STATISTICS else DETECTORS[name].version
        return verdict_key(self._set_keys[activations], name, version, settings)

    def entry(self, name: str, method: SetName, front_layer: str, end_layer: str) -> DetectionEntry | None:
        """Read a detector's result: ``metrics`` (of `NATIVE` and `OUTLIERS` by set), and a ``reason`` if undefined.

        None if it is not computed yet, or if its tensors are lost or damaged: then all of it is computed again.

        Args:
            name, method, front_layer, end_layer: as in `key`.
        """
        result = self._result(name, method, front_layer, end_layer)
        return result and result[0]

    def arrays(self, name: str, method: SetName, front_layer: str, end_layer: str) -> dict[str, Array]:
        """Read the scores of images, or the statistics of images and channels; empty if there are none.

        Args:
            name, method, front_layer, end_layer: as in `key`.
        """
        result = self._result(name, method, front_layer, end_layer)
        return result[1] if result else {}

    def _result(
        self, name: str, method: SetName, front_layer: str, end_layer: str
    ) -> tuple[DetectionEntry, dict[str, Array]] | None:
        place = (name, method, front_layer, end_layer)
        if place not in self._read:
            stored = read(self.run.store, self.key(*place))
            self._read[place] = stored and (cast("DetectionEntry", stored[0]), stored[1])
        return self._read[place]

    def interval(self, detector: str, method: SetName, metric: str, front_layer: str, end_layer: str) -> Interval:
        """Return a number with its interval.

        Args:
            detector, method, front_layer, end_layer: as in `key`.
            metric: one that the detector has.

        Returns:
            all None if it is undefined or not computed yet.
        """
        entry = self.entry(detector, method, front_layer, end_layer)
        metrics: dict[str, Any] = entry.get("metrics", {}) if entry else {}
        if method in (NATIVE, OUTLIERS):
            metrics = metrics.get(method, {})
        return Interval(*metrics.get(metric, ()))

    def reason(self, detector: str, method: SetName, front_layer: str, end_layer: str) -> str:
        """Return the reason why a computed number is undefined; empty if it is defined or not computed yet.

        Args:
            detector, method, front_layer, end_layer: as in `key`.
        """
        entry = self.entry(detector, method, front_layer, end_layer)
        return entry.get("reason", "") if entry else ""

    def reliability(self, detector: str, end_layer: str) -> Reliability:
        """Tell whether a detector passes both tests at an end layer: that of native images, and that of outliers."""
        metric = DETECTORS[detector].metrics[0]
        native = self.interval(detector, NATIVE, metric, "", end_layer)
        outliers = self.interval(detector, OUTLIERS, metric, "", end_layer)
        if native.value is None or outliers.value is None:
            reason = self.reason(detector, NATIVE, "", end_layer)
            return Reliability(False if reason else None, reason)
        if metric == "ratio":
            if native.value > MAX_NATIVE_RATIO:
                return Reliability(False, f"other native images already have ratio {native.value:.2f}")
            near = outliers.value < MIN_OUTLIERS_RATIO_FACTOR * native.value
            return Reliability(not near, f"known outliers have no more than {outliers.value:.2f}" if near else "")
        if abs(native.value - 0.5) > MAX_NATIVE_AUROC_DEVIATION and not native.contains(0.5):
            return Reliability(
                False, f"evaluation images against held-out training images give AUROC {native.value:.2f}, not 0.5"
            )
        if outliers.value < MIN_OUTLIERS_AUROC:
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
            UnknownName: no detector or metric has this name, or the run does not have the method.
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

    def lacking(self, names: Iterable[str], cells: Sequence[MethodCell]) -> dict[str, Lacking]:
        """Return what the store lacks, by end layer: detectors (or `STATISTICS`), and cells of that column."""
        by_end_layer: dict[str, Lacking] = {}
        names = list(names)
        for j in dict.fromkeys(j for _, _, j in cells):
            column = [cell for cell in cells if cell[2] == j]
            absent = [
                n
                for n in names
                if self.entry(n, NATIVE, "", j) is None or any(self.entry(n, *cell) is None for cell in column)
            ]
            if absent:
                by_end_layer[j] = absent, [c for c in column if any(self.entry(n, *c) is None for n in absent)]
        return by_end_layer

    def columns(
        self, names: Iterable[str], cells: Sequence[MethodCell]
    ) -> list[tuple[list[str], str, list[MethodCell]]]:
        """List the results that the store lacks of these detectors and of `STATISTICS`, trained detectors last.

        Each item is one piece of work: detectors, an end layer, and cells of its column.
        """
        names = list(names)
        parts = [STATISTICS, *(name for name in names if name in QUICK)], [name for name in names if name in LEARNING]
        return [(lacking, j, column) for part in parts for j, (lacking, column) in self.lacking(part, cells).items()]

    def rows(
        self, detectors: Iterable[str] = tuple(DETECTORS), cells: Sequence[MethodCell] | None = None
    ) -> Iterator[OodRow]:
        """Yield all rows of `ood`'s table, by end layer; first those of the sets that decide whether it is believed."""
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


def learned_detector_description(
    request: Request, end_layer: str, detector: str, training_outliers: Sequence[str]
) -> dict[str, Any]:
    """Describe what a learned detector was trained for: an end network and layer, whatever is stitched to it.

    The detector is kept in the room ``detectors``, under the `content_id` of this description, which lies beside its
    tensors.

    Args:
        request: of the run.
        end_layer: the layer whose native activations it was trained on.
        detector: name of the detector.
        training_outliers: kinds of outliers that it is fine-tuned on.
    """
    return {
        "end": request.end,
        "end_layer": end_layer,
        "data": request.data,
        "seed": request.seed,
        "images": MAX_DETECTOR_FIT_IMAGES,
        "input": request.definitions.get("input", 1),
        "outliers": list(training_outliers),
        "detector": [detector, DETECTORS[detector].version],
    }


def opened_settings(run: Run) -> list[Detection]:
    """List the settings of the detectors in an opened file, those with the most results first; none for other runs."""
    stored = run.store.intact(SETTINGS, run.id) if run.source else None
    all_settings: list[DetectionSettings] = stored["settings"] if stored else []
    return [
        Detection(outliers=each["outliers"], training_outliers=tuple(each["training_outliers"]))
        for each in all_settings
    ]


def known_detectors(names: Sequence[str] | None) -> list[str]:
    """List these detectors, or all of them for None, in the catalog's order. Raises UnknownName."""
    check_names("detector", names or (), DETECTORS)
    return [name for name in DETECTORS if names is None or name in names]
