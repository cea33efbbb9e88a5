"""Judges the native side of an end layer: detectors fitted on it, and whether they deserve belief there.

It is made once and serves all cells of the column, whatever is stitched to the layer. Activations stream through in
small batches; kept are scores and statistics, an entry an image or a channel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.outliers import DATA, check_kind
from stitchlab.data import registry as datasets
from stitchlab.data.splits import DataSet, Split, evaluation
from stitchlab.errors import StitchLabError
from stitchlab.models.tensors import get_tensors, put_tensors
from stitchlab.ood.accumulate import Gathered, Plane
from stitchlab.ood.detectors import detector_function
from stitchlab.ood.inputs import Batch, CannotFit, Native, Score, features
from stitchlab.ood.metrics import ood_metrics
from stitchlab.ood.outliers import outliers
from stitchlab.request import FIT_IMAGES, Detection, Report, content_id, derived_seed, no_report, portion
from stitchlab.results.detection import NATIVE, OUTLIERS, STATISTICS, DetectionResults, learned
from stitchlab.results.interval import Interval
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.undefined import OWN, cause, finite
from stitchlab.store import Store

OUTLIER_IMAGES = 1000  # known outliers are made from the first min(1000, M) evaluation images
BATCH = 250  # images: a 64×32×32 layer is 66 MB of them, its rows in float64 131 MB
LESSON = 100  # images of a batch that a detector learns from
KEEP = 3  # native sides that stay in this process

Verdict = tuple[dict[str, Any], dict[str, Tensor]]  # metrics and a reason; scores or statistics


@contextlib.contextmanager
def numerics() -> Iterator[None]:
    """Compute in full fp32, without gradients, and with one thread of NumPy's BLAS: they spin against torch's."""
    with fp32(), torch.no_grad(), threadpool_limits(1, user_api="blas"):
        yield  # with more, a grid of small activations took twice as long


class NativeReference:
    """Holds the native side of one end layer: fitted detectors, and what they say of native images and outliers."""

    def __init__(
        self, found: DetectionResults, pair: Pair, names: Sequence[str], end_layer: str, report: Report
    ) -> None:
        request, data = found.run.request, pair.data
        self.pair, self.end_layer, self.names = pair, end_layer, names
        self.form, self.tail = pair.target(end_layer), pair.end_cuts.after(end_layer)
        self._run = pair.run_end([end_layer])
        self.images = evaluation(data, request)
        order = data.train.order(request.seed)
        held = order[len(order) - len(order) // 5 :][:FIT_IMAGES]
        fitted = order[: len(order) - len(order) // 5][:FIT_IMAGES]
        if not len(held):
            raise StitchLabError(
                f"expected 5 training images or more, since detectors hold out a fifth; got {len(order)}"
            )
        few = len(self.images[:OUTLIER_IMAGES])
        strange = _outlier_images(found, pair, self.images[:few])  # first: a kind that does not fit is refused at once
        self._others = {
            kind: _other(kind, found, pair) for kind in found.detection.training_outliers if kind.startswith(DATA)
        }
        native = self._native(found, fitted, portion(report, 0.0, 0.2))
        self.scores, self.reasons = _fit(found, end_layer, names, native)
        self.plane = Plane(native.features if native else None) if STATISTICS in names else None
        self.moments = any(name != STATISTICS and DETECTORS[name].compares for name in names)
        self.own = self.gather(_split(pair, data.test, self.images), len(self.images), portion(report, 0.7, 0.2))
        self.held = self.gather(_split(pair, data.train, held), len(held), no_report)
        self.outliers = self.gather(strange, few, no_report)

    def new(self, images: int) -> Gathered:
        """Make what gathers one set of activations of this layer."""
        return Gathered(self.form, images, self.scores, self.plane, self.moments)

    def gather(self, batches: Iterator[Tensor], images: int, report: Report) -> Gathered:
        """Gather what the end network itself makes of images.

        Args:
            batches, images, report: uint8 (n, C, H, W) each; how many come in all; told the share that is done.
        """
        made, seen = self.new(images), 0
        for batch in batches:
            report(f"native activations of {self.end_layer}", seen / images)
            made.add(Batch(self._run(batch)[self.end_layer], self.form, self.tail, lambda: OWN.format(self.end_layer)))
            seen += len(batch)
        return made

    def stitched(self, front_layer: str, front: Tensor, stitch: Stitch, images: Tensor) -> Batch:
        """Make a batch of what a stitch makes of front activations.

        Args:
            front_layer, front, stitch, images: its name; activations (n, ...); the map; uint8 (n, C, H, W) of these.
        """

        def why() -> str:
            return cause((front_layer, self.end_layer), front, stitch, self._run(images)[self.end_layer], self.tail)

        return Batch(stitch(front), self.form, self.tail, why)

    def of(self, stitched: Gathered) -> dict[str, Verdict]:
        """Give what each detector says about a set of stitched activations of the same images."""
        return {name: (self.numbers(stitched, name, paired=True), _kept(stitched, name)) for name in self.names}

    def verdicts(self) -> dict[str, Verdict]:
        """Give the same for the two sets that tell whether to believe a detector: held-out images, and outliers."""
        made: dict[str, Verdict] = {}
        for name in self.names:
            native, strange = (self.numbers(other, name, paired=False) for other in (self.held, self.outliers))
            metrics = {NATIVE: native["metrics"], OUTLIERS: strange["metrics"]}
            outside = {f"{OUTLIERS}.{what}": kept for what, kept in _kept(self.outliers, name).items()}
            value = {"metrics": metrics, "reason": native["reason"] or strange["reason"]}
            made[name] = value, {**_kept(self.own, name), **outside}
        if STATISTICS in made:  # pages name images by them
            made[STATISTICS][1]["labels"] = self.pair.data.test.take(self.images)[1]
        return made

    def numbers(self, other: Gathered, name: str, *, paired: bool, bounds: bool = True) -> dict[str, Any]:
        """Give what a detector says: metrics (value, low, high by name), and the reason where one is undefined.

        Args:
            other, name: a set of activations; the detector.
            paired, bounds: whether other is of the same (first) images; whether intervals are wanted.
        """
        found: Mapping[str, Interval] = {}
        reason = self.reasons.get(name, "")
        if name in self.scores:
            theirs = other.scores[name]
            ours = self.own.scores[name][: len(theirs)] if paired else self.own.scores[name]
            found = ood_metrics(ours, theirs, paired=paired, bounds=bounds)
        elif name != STATISTICS and DETECTORS[name].compares and self.own.moments and other.moments:
            number = detector_function(name)(self.own.moments, other.moments, paired=paired, bounds=bounds)
            found = {DETECTORS[name].metrics[0]: number}
        if not reason and any(number.value is None for number in found.values()):
            reason = self.own.strange or other.strange or _unscored(self.own, other, name)
        return {"metrics": {metric: list(number) for metric, number in found.items()}, "reason": reason}

    def _native(self, found: DetectionResults, fitted: Tensor, report: Report) -> Native | None:
        """Gather what detectors are fitted on; None where it is not finite."""
        pair, request, detection = self.pair, found.run.request, found.detection
        seen: list[Tensor] = []
        labels: list[Tensor] = []
        for batch, of in pair.batches(pair.data.train, fitted, BATCH):
            report(f"fitting detectors on {self.end_layer}", sum(map(len, labels)) / len(fitted))
            seen.append(torch.from_numpy(features(self._run(batch)[self.end_layer], self.form)))
            labels.append(of.cpu())
        generator = torch.Generator().manual_seed(derived_seed("detectors", request.seed))

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            order = fitted[torch.randperm(len(fitted), generator=generator)]
            for batch, of in pair.batches(pair.data.train, order[: max(1, len(order) // LESSON) * LESSON], LESSON):
                yield self._run(batch)[self.end_layer], of

        if not finite(*seen):
            return None
        return Native(
            features=torch.cat(seen).numpy(),
            labels=torch.cat(labels).numpy(),
            classes=len(pair.data.classes),
            form=self.form,
            batches=batches,
            outliers=lambda: self._auxiliary(detection, fitted, request.seed),
            seed=request.seed,
            device=pair.device,
            report=portion(report, 1.0, 2.5),
        )

    def _auxiliary(self, detection: Detection, fitted: Tensor, seed: int) -> Iterator[Tensor]:
        """Yield activations of outliers made from training images, or of other data, one kind a batch, for ever."""
        k = 0
        generator = torch.Generator().manual_seed(derived_seed("auxiliary outliers", seed))
        while True:
            kind = detection.training_outliers[k % len(detection.training_outliers)]
            split = self._others[kind].train if kind in self._others else self.pair.data.train
            places = torch.arange(len(split)) if kind in self._others else fitted
            made = split.take(places[torch.randperm(len(places), generator=generator)[:LESSON]])[0]
            made = made if kind in self._others else outliers(kind, made, seed + k)
            yield self._run(made.to(self.pair.device))[self.end_layer]
            k += 1


_sides: dict[tuple[Any, ...], NativeReference] = {}


def side_of(
    found: DetectionResults, pair: Pair, names: tuple[str, ...], end_layer: str, report: Report
) -> NativeReference:
    """Get the native side of an end layer, kept in this process for the next cell. Raises StitchLabError.

    Args:
        found, pair, report: whose run and detection; its networks, loaded; told how far it is.
        names, end_layer: of detectors, or `STATISTICS`; of the column.
    """
    which = (
        str(found.run.store.root),
        found.key(STATISTICS, NATIVE, "", end_layer),
        found.detection,
        names,
        str(pair.device),
    )
    if which not in _sides:
        made = NativeReference(found, pair, names, end_layer, report)
        while len(_sides) >= KEEP:
            _sides.pop(next(iter(_sides)))
        _sides[which] = made
    return _sides[which]


def resolve_outliers(name: str, store: Store) -> str:
    """Name outliers as `Detection` takes them: ``data:NAME`` becomes ``data:FINGERPRINT``. Raises StitchLabError."""
    if name.startswith(DATA):
        return DATA + datasets.load(name.removeprefix(DATA), store).fingerprint
    check_kind(name)
    return name


def _fit(
    found: DetectionResults, end_layer: str, names: Sequence[str], native: Native | None
) -> tuple[dict[str, Score], dict[str, str]]:
    """Fit detectors: scores by name, and why others cannot be fitted."""
    scores, reasons = {}, {}
    for name in names:
        if name != STATISTICS and not DETECTORS[name].compares:
            try:
                if native is None:
                    raise CannotFit(OWN.format(end_layer))
                with torch.enable_grad():
                    scores[name] = detector_function(name)(_remembering(native, found, end_layer, name))
            except CannotFit as error:
                reasons[name] = str(error)
    return scores, reasons


def _remembering(native: Native, found: DetectionResults, end_layer: str, detector: str) -> Native:
    """Let a detector keep what it learns: of an end network and layer, whatever is stitched to it."""
    store = found.run.store
    of = learned(found.run.request, end_layer, detector, found.detection.training_outliers)
    key = content_id(of)

    def remember(state: dict[str, Tensor]) -> None:
        put_tensors(store, "detectors", key, state)
        store.put("detectors", key, of)

    return replace(native, recall=lambda: get_tensors(store, "detectors", key), remember=remember)


def _split(pair: Pair, split: Split, order: Tensor) -> Iterator[Tensor]:
    return (images for images, _ in pair.batches(split, order, BATCH))


def _outlier_images(found: DetectionResults, pair: Pair, images: Tensor) -> Iterator[Tensor]:
    """Get known outliers, as many as images: made from them, or another set's test images. Raises StitchLabError."""
    kind, seed = found.detection.outliers, found.run.request.seed
    if not kind.startswith(DATA):
        return iter(outliers(kind, pair.data.test.take(images)[0], seed).to(pair.device).split(pair.at_once(BATCH)))
    other = _other(kind, found, pair)
    return _split(pair, other.test, other.test.order(seed)[: len(images)])


def _other(kind: str, found: DetectionResults, pair: Pair) -> DataSet:
    """Load the data set that serves as outliers. Raises StitchLabError where its images have another shape."""
    other = datasets.load_by_fingerprint(kind.removeprefix(DATA), found.run.store)
    if other.shape != pair.data.shape:
        expected, came = ("×".join(map(str, shape)) for shape in (pair.data.shape, other.shape))
        raise StitchLabError(
            f"expected outliers of {expected}, like the images that the networks are compared on; {other.label} has "
            f"{came}: choose outliers that are made from the images, or another data set"
        )
    return other


def _unscored(native: Gathered, other: Gathered, name: str) -> str:
    """Say why finite activations have no number."""
    scores = [gathered.scores[name] for gathered in (native, other) if name in gathered.scores]
    if all(np.isfinite(part).all() for part in scores):
        return "activations or scores are constant, or too few"
    return f"scores of {DETECTORS[name].label} are not finite, though activations are"


def _kept(gathered: Gathered, name: str) -> dict[str, Tensor]:
    if name == STATISTICS:
        return gathered.statistics()
    return {"scores": torch.from_numpy(gathered.scores[name])} if name in gathered.scores else {}
