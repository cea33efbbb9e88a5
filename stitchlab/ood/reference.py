"""Fit detectors on native activations of an end layer, and test whether to believe them there.

This reference is computed once, and serves all cells of the column. Activations are processed in small batches; only
scores and statistics are kept, a number for each image or channel.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.outliers import DATA, check_kind
from stitchlab.data import registry as datasets
from stitchlab.data.splits import Split, evaluation_indices
from stitchlab.errors import StitchLabError
from stitchlab.ood.accumulate import GatheredSet, Plane
from stitchlab.ood.detectors import comparing_detector
from stitchlab.ood.fitting import fit_detectors
from stitchlab.ood.inputs import Batch, Native, features
from stitchlab.ood.keep import Entry, Numbers, reliability_record
from stitchlab.ood.metrics import ood_metrics
from stitchlab.ood.outlier_images import known_outlier_images, outlier_data_set
from stitchlab.ood.outliers import outliers
from stitchlab.request import MAX_DETECTOR_FIT_IMAGES, Detection, Report, derived_seed, no_report, portion
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults
from stitchlab.results.interval import Interval
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.undefined import NATIVE_NOT_FINITE, cause, finite
from stitchlab.store import Store

MAX_OUTLIER_IMAGES = 1000  # known outliers are made from so many of the first evaluation images
BATCH = 250  # images; activations of a 64×32×32 layer then take 66 MB, their rows in float64 131 MB
TRAINING_BATCH = 100  # images, for detectors that learn
MAX_REFERENCES = 3  # that stay in this process


@contextlib.contextmanager
def numerics() -> Iterator[None]:
    """Compute in full fp32, without gradients, and with one thread of NumPy's BLAS."""
    # More threads of NumPy's BLAS wait actively, and slow torch's down: small activations took twice as long.
    with fp32(), torch.no_grad(), threadpool_limits(1, user_api="blas"):
        yield


class NativeReference:
    """Hold detectors that are fitted on native activations of an end layer, and the sets by which they are believed.

    Args:
        results: name the run, and the kinds of outliers.
        pair: its networks, loaded.
        names: of detectors, or `STATISTICS`.
        end_layer: of the column.
        report: gets the step and the share that is done.

    Attributes:
        images: places of the evaluation images.
        scores: functions of the fitted detectors that score images, by name.
        reasons: why other detectors could not be fitted, by name.
        native: native activations of the evaluation images.
        held_out: native activations of training images on which no detector was fitted.
        outliers: activations of known outliers.
    """

    def __init__(
        self, results: DetectionResults, pair: Pair, names: Sequence[str], end_layer: str, report: Report
    ) -> None:
        request, data = results.run.request, pair.data
        self.pair, self.end_layer, self.names = pair, end_layer, names
        self.layout, self.tail = pair.target(end_layer), pair.end_cuts.after(end_layer)
        self._run_end = pair.run_end([end_layer])
        self.images = evaluation_indices(data, request)
        order = data.train.order(request.seed)
        held_out = order[len(order) - len(order) // 5 :][:MAX_DETECTOR_FIT_IMAGES]
        fitted = order[: len(order) - len(order) // 5][:MAX_DETECTOR_FIT_IMAGES]
        if not len(held_out):
            raise StitchLabError(
                f"expected 5 training images or more, since detectors hold out a fifth; got {len(order)}"
            )
        outlier_places = self.images[:MAX_OUTLIER_IMAGES]
        # This comes first, so that a kind of outliers that does not fit is refused at once.
        outlier_images = known_outlier_images(results, pair, outlier_places, BATCH)
        self._training_outlier_data = {
            kind: outlier_data_set(kind, results, pair)
            for kind in results.detection.training_outliers
            if kind.startswith(DATA)
        }
        native = self._fitting_set(results, fitted, portion(report, 0.0, 0.2))
        self.scores, self.reasons = fit_detectors(results, end_layer, names, native)
        self.plane = Plane(native.features if native else None) if STATISTICS in names else None
        self.moments = any(name != STATISTICS and DETECTORS[name].compares for name in names)
        self.native = self._gather(_images(pair, data.test, self.images), len(self.images), portion(report, 0.7, 0.2))
        self.held_out = self._gather(_images(pair, data.train, held_out), len(held_out), no_report)
        self.outliers = self._gather(outlier_images, len(outlier_places), no_report)

    def __repr__(self) -> str:
        """Say what it is: ``<NativeReference of layer1.0: knn, statistics>``."""
        return f"<NativeReference of {self.end_layer}: {', '.join(self.names)}>"

    def new_set(self, images: int) -> GatheredSet:
        """Make an empty set of activations of this layer, to which batches with so many images in all are added."""
        return GatheredSet(self.layout, images, self.scores, self.plane, self.moments)

    def _gather(self, batches: Iterator[Tensor], images: int, report: Report) -> GatheredSet:
        """Gather the end network's own activations of images.

        Args:
            batches: uint8 (n, C, H, W) each.
            images: how many come in all.
            report: gets the share that is done.
        """
        gathered, seen = self.new_set(images), 0
        for batch in batches:
            report(f"native activations of {self.end_layer}", seen / images)
            activation = self._run_end(batch)[self.end_layer]
            gathered.add(Batch(activation, self.layout, self.tail, lambda: NATIVE_NOT_FINITE.format(self.end_layer)))
            seen += len(batch)
        return gathered

    def stitched_batch(self, front_layer: str, front: Tensor, stitch: Stitch, images: Tensor) -> Batch:
        """Make a batch of stitched activations.

        Args:
            front_layer: of the cell.
            front: its activations (n, ...).
            stitch: of the cell.
            images: uint8 (n, C, H, W), whose activations these are.
        """

        def why_not_finite() -> str:
            native = self._run_end(images)[self.end_layer]
            return cause((front_layer, self.end_layer), front, stitch, native, self.tail)

        return Batch(stitch(front), self.layout, self.tail, why_not_finite)

    def entries(self, stitched: GatheredSet) -> dict[str, Entry]:
        """Make what is kept of each detector for a set of stitched activations of the evaluation images."""
        return {
            name: Entry(self.numbers(stitched, name, paired=True).record(), _tensors(stitched, name))
            for name in self.names
        }

    def entries_of_reference(self) -> dict[str, Entry]:
        """Make the same for the two sets by which a detector is believed: held-out images, and known outliers."""
        entries: dict[str, Entry] = {}
        for name in self.names:
            native, outliers = (self.numbers(other, name, paired=False) for other in (self.held_out, self.outliers))
            of_outliers = {f"{OUTLIERS}.{key}": tensor for key, tensor in _tensors(self.outliers, name).items()}
            entries[name] = Entry(reliability_record(native, outliers), {**_tensors(self.native, name), **of_outliers})
        if STATISTICS in entries:  # pages name images by their labels
            entries[STATISTICS].tensors["labels"] = self.pair.data.test.take(self.images)[1]
        return entries

    def numbers(self, other: GatheredSet, name: str, *, paired: bool, bounds: bool = True) -> Numbers:
        """Compute what a detector says of a set, compared with native activations.

        Args:
            other: the set.
            name: of the detector.
            paired: whether the set has activations of the same (first) images.
            bounds: whether intervals are wanted.
        """
        metrics: dict[str, Interval] = {}
        reason = self.reasons.get(name, "")
        if name in self.scores:
            other_scores = other.scores[name]
            native_scores = self.native.scores[name][: len(other_scores)] if paired else self.native.scores[name]
            metrics = ood_metrics(native_scores, other_scores, paired=paired, bounds=bounds)
        elif name != STATISTICS and DETECTORS[name].compares and self.native.moments and other.moments:
            compare = comparing_detector(name)
            number = compare(self.native.moments, other.moments, paired=paired, bounds=bounds)
            metrics = {DETECTORS[name].metrics[0]: number}
        if not reason and any(number.value is None for number in metrics.values()):
            reason = self.native.why_not_finite or other.why_not_finite or _why_undefined(self.native, other, name)
        return Numbers(metrics, reason)

    def _fitting_set(self, results: DetectionResults, fitted: Tensor, report: Report) -> Native | None:
        """Gather the native activations on which detectors are fitted; None where these are not finite."""
        pair, request, detection = self.pair, results.run.request, results.detection
        features_of_batches: list[Tensor] = []
        labels: list[Tensor] = []
        for batch, batch_labels in pair.batches(pair.data.train, fitted, BATCH):
            report(f"fitting detectors on {self.end_layer}", sum(map(len, labels)) / len(fitted))
            activation = self._run_end(batch)[self.end_layer]
            features_of_batches.append(torch.from_numpy(features(activation, self.layout)))
            labels.append(batch_labels.cpu())
        generator = torch.Generator().manual_seed(derived_seed("detectors", request.seed))

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            order = fitted[torch.randperm(len(fitted), generator=generator)]
            order = order[: max(1, len(order) // TRAINING_BATCH) * TRAINING_BATCH]
            for batch, batch_labels in pair.batches(pair.data.train, order, TRAINING_BATCH):
                yield self._run_end(batch)[self.end_layer], batch_labels

        if not finite(*features_of_batches):
            return None
        return Native(
            features=torch.cat(features_of_batches).numpy(),
            labels=torch.cat(labels).numpy(),
            classes=len(pair.data.classes),
            layout=self.layout,
            batches=batches,
            outliers=lambda: self._training_outliers(detection, fitted, request.seed),
            seed=request.seed,
            device=pair.device,
            report=portion(report, 1.0, 2.5),
        )

    def _training_outliers(self, detection: Detection, fitted: Tensor, seed: int) -> Iterator[Tensor]:
        """Yield activations of outliers from training images, or from other data, without end; each batch has one kind.

        Args:
            detection: names the kinds, which take turns.
            fitted: places of the training images.
            seed: decides what is drawn.
        """
        generator = torch.Generator().manual_seed(derived_seed("auxiliary outliers", seed))
        for k in itertools.count():
            kind = detection.training_outliers[k % len(detection.training_outliers)]
            other_data = self._training_outlier_data.get(kind)
            split = self.pair.data.train if other_data is None else other_data.train
            places = fitted if other_data is None else torch.arange(len(split))
            images = split.take(places[torch.randperm(len(places), generator=generator)[:TRAINING_BATCH]])[0]
            images = outliers(kind, images, seed + k) if other_data is None else images
            yield self._run_end(images.to(self.pair.device))[self.end_layer]


class _ReferenceKey(NamedTuple):
    """Name a reference within this process."""

    store: str
    native_key: str
    detection: Detection
    names: tuple[str, ...]
    device: str


_references: dict[_ReferenceKey, NativeReference] = {}


def native_reference(
    results: DetectionResults, pair: Pair, names: tuple[str, ...], end_layer: str, report: Report
) -> NativeReference:
    """Return the reference of an end layer; it stays in this process for the next cells. Raises StitchLabError.

    Args:
        results, pair, names, end_layer, report: as in `NativeReference`.
    """
    key = _ReferenceKey(
        str(results.run.store.root),
        results.key(STATISTICS, NATIVE, "", end_layer),
        results.detection,
        names,
        str(pair.device),
    )
    if key not in _references:
        reference = NativeReference(results, pair, names, end_layer, report)
        while len(_references) >= MAX_REFERENCES:
            _references.pop(next(iter(_references)))
        _references[key] = reference
    return _references[key]


def resolve_outliers(name: str, store: Store) -> str:
    """Name outliers as `Detection` expects: ``data:NAME`` becomes ``data:FINGERPRINT``. Raises StitchLabError."""
    if name.startswith(DATA):
        return DATA + datasets.load(name.removeprefix(DATA), store).fingerprint
    check_kind(name)
    return name


def _images(pair: Pair, split: Split, order: Tensor) -> Iterator[Tensor]:
    """Yield the images of a split in this order, batch by batch."""
    return (images for images, _ in pair.batches(split, order, BATCH))


def _why_undefined(native: GatheredSet, other: GatheredSet, name: str) -> str:
    """Say why a detector has no number although activations are finite."""
    scores = [gathered.scores[name] for gathered in (native, other) if name in gathered.scores]
    if all(np.isfinite(part).all() for part in scores):
        return "activations or scores are constant, or too few"
    return f"scores of {DETECTORS[name].label} are not finite, though activations are"


def _tensors(gathered: GatheredSet, name: str) -> dict[str, Tensor]:
    """Return the tensors that are kept of a detector's scores, or of statistics."""
    if name == STATISTICS:
        return gathered.statistics()
    return {"scores": torch.from_numpy(gathered.scores[name])} if name in gathered.scores else {}
