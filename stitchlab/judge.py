"""Judging cells: are their activations in or out of the end network's distribution? A column of the grid at a time.

The native side of an end layer (fitted detectors, native activations, held-out training images, known outliers) is
made once and serves all cells of the column. Activations stream through in small batches; kept are scores and
statistics, an entry an image or a channel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stitchlab import data as datasets
from stitchlab.data import draw
from stitchlab.distribution import NATIVE, OUTLIERS, ROOM, STATISTICS, Cell, Distribution, known_detectors
from stitchlab.errors import StitchLabError
from stitchlab.grid import pick_device
from stitchlab.ood import REGISTRY
from stitchlab.ood.frechet import frechet
from stitchlab.ood.gather import Gathered, Plane
from stitchlab.ood.numbers import Interval, apart
from stitchlab.ood.outliers import DATA, outliers
from stitchlab.ood.seen import Batch, CannotFit, Native, Score, features
from stitchlab.run import Run
from stitchlab.spec import (
    FIT_IMAGES,
    OUTLIER_IMAGES,
    Detection,
    Report,
    Request,
    content_id,
    derived_seed,
    no_report,
    portion,
)
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.pair import Pair
from stitchlab.store import Store
from stitchlab.units import fp32, load_pair, maps

BATCH = 100  # images: a 64×32×32 layer is 26 MB of them, its rows in float64 52 MB
KEEP = 3  # native sides that stay in this process
NOT_FINITE = "stitched activations are infinite or not numbers: training diverged"


def judge(
    run: Run, *, detectors: Sequence[str] | None = None, cells: Sequence[Cell] | None = None,
    detection: Detection | None = None, device: str = "auto", report: Report = no_report,
) -> Distribution:
    """What detectors say about computed cells of a run: computes what the store lacks of it.

    Args:
        detectors: names in `stitchlab.ood.REGISTRY`; default is all.
        cells: (method, front layer, end layer) each; default is all that are computed.
        detection: settings; default is `Detection()`.
        device: auto, cpu, cuda or mps.
        report: told what is being done; if it raises Cancelled, finished columns are kept.

    Raises StitchLabError: unknown names, cells that are not computed, outliers that do not fit.
    """
    names = known_detectors(detectors)
    found = Distribution(run, detection)
    wanted = found.cells if cells is None else list(cells)
    computed = set(found.cells)
    for method, i, j in wanted:
        if (method, i, j) not in computed:
            raise StitchLabError(f"{method} of {i} → {j} is not computed yet; `compare` computes it")
    columns = found.lacking([*names, STATISTICS], wanted)
    for k, (j, (lacking, column)) in enumerate(columns.items()):
        judge_column(run, found.detection, lacking, j, column, pick_device(device),
                     portion(report, k / len(columns), 1 / len(columns)))
    report("done", 1.0)
    return Distribution(run, detection)


def judge_column(
    run: Run, detection: Detection, names: Sequence[str], end_layer: str, cells: Sequence[Cell],
    device: torch.device, report: Report = no_report,
) -> None:
    """Computes and keeps what these detectors (or `STATISTICS`) say about cells of one end layer."""
    found = Distribution(run, detection)
    pair = load_pair(run.store, run.request, device)
    with fp32(), torch.no_grad():
        side = _side(found, pair, tuple(names), end_layer, portion(report, 0.0, 0.5 if cells else 1.0))
        for name, kept in side.verdicts().items():
            _keep(found, name, (NATIVE, "", end_layer), *kept)
        if not cells:
            return
        for cell, gathered in _stitched(side, found, pair, cells, portion(report, 0.5, 0.5)).items():
            for name, kept in side.of(gathered).items():
                _keep(found, name, cell, *kept)


def _keep(found: Distribution, name: str, cell: Cell, value: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Tensors first: an entry that is there is whole."""
    key = found.key(name, *cell)
    if tensors:
        found.run.store.put_tensors(ROOM, key, {k: v.float() if v.is_floating_point() else v
                                                for k, v in tensors.items()})
    found.run.store.put(ROOM, key, value)


class Side:
    """The native side of one end layer: detectors fitted, and what they say about native images and outliers."""

    def __init__(self, found: Distribution, pair: Pair, names: Sequence[str], end_layer: str, report: Report) -> None:
        request, data = found.run.request, pair.data
        self.pair, self.end_layer, self.names = pair, end_layer, names
        self.form, self.tail = pair.target(end_layer), pair.end_cuts.after(end_layer)
        self._run = pair.run_end([end_layer])
        self.images = draw(data.test, request.seed, request.eval_images, "evaluation images (M)")
        order = data.train.order(request.seed)
        held = order[len(order) - len(order) // 5:][:FIT_IMAGES]
        fitted = order[:len(order) - len(order) // 5][:FIT_IMAGES]
        few = len(self.images[:OUTLIER_IMAGES])
        strange = _outlier_images(found, pair, self.images[:few])  # first: a kind that does not fit is refused at once
        native = self._native(found, fitted, portion(report, 0.0, 0.2))
        self.scores, self.reasons = _fit(names, native)
        self.plane = Plane(native.features) if STATISTICS in names else None
        with_moments = "frechet" in names
        self.moments = with_moments
        self.own = self.gather(_split(pair, data.test, self.images), len(self.images), portion(report, 0.7, 0.2))
        self.held = self.gather(_split(pair, data.train, held), len(held), no_report)
        self.outliers = self.gather(strange, few, no_report)

    def new(self, images: int) -> Gathered:
        """For one set of activations of this layer."""
        return Gathered(self.form, images, self.scores, self.plane, self.moments)

    def gather(self, batches: Iterator[Tensor], images: int, report: Report) -> Gathered:
        """What the end network itself makes of these images (n, C, H, W) uint8."""
        made, seen = self.new(images), 0
        for batch in batches:
            report(f"native activations of {self.end_layer}", seen / images)
            made.add(Batch(self._run(batch)[self.end_layer], self.form, self.tail))
            seen += len(batch)
        return made

    def of(self, stitched: Gathered) -> dict[str, tuple[dict[str, Any], dict[str, Tensor]]]:
        """What each detector says about a set of stitched activations of the same images."""
        return self._against(stitched, paired=True)

    def verdicts(self) -> dict[str, tuple[dict[str, Any], dict[str, Tensor]]]:
        """The same for the two sets that tell whether to believe the detector."""
        native, strange = self._against(self.held, paired=False), self._against(self.outliers, paired=False)
        own = self._against(self.own, paired=True)
        return {
            name: (
                {"metrics": {NATIVE: value.get("metrics", {}), OUTLIERS: strange[name][0].get("metrics", {})},
                 "reason": value["reason"]},
                {**own[name][1], **{f"{OUTLIERS}.{k}": v for k, v in strange[name][1].items()}},
            )
            for name, (value, _) in native.items()
        }

    def _against(self, other: Gathered, *, paired: bool) -> dict[str, tuple[dict[str, Any], dict[str, Tensor]]]:
        made: dict[str, tuple[dict[str, Any], dict[str, Tensor]]] = {}
        for name in self.names:
            found: Mapping[str, Interval] = {}
            tensors: dict[str, Tensor] = {}
            reason = self.reasons.get(name, "")
            if name == STATISTICS:
                tensors = other.statistics()
            elif name == "frechet":
                assert self.own.moments is not None
                assert other.moments is not None
                found = {"ratio": frechet(self.own.moments, other.moments, paired=paired)}
            elif name in self.scores:
                found = apart(self.own.scores[name], other.scores[name], paired=paired)
                tensors = {"scores": torch.from_numpy(other.scores[name])}
            if not reason and any(value.value is None for value in found.values()):
                reason = _why(self.own, other, name)
            made[name] = {"metrics": {k: list(v) for k, v in found.items()}, "reason": reason}, tensors
        return made

    def _native(self, found: Distribution, fitted: Tensor, report: Report) -> Native:
        pair, request, detection = self.pair, found.run.request, found.detection
        seen: list[Tensor] = []
        labels: list[Tensor] = []
        for batch, of in pair.batches(pair.data.train, fitted, BATCH):
            report(f"fitting detectors on {self.end_layer}", len(seen) * BATCH / len(fitted))
            seen.append(torch.from_numpy(features(self._run(batch)[self.end_layer], self.form)))
            labels.append(of.cpu())
        generator = torch.Generator().manual_seed(derived_seed("detectors", request.seed))

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            order = fitted[torch.randperm(len(fitted), generator=generator)]
            for batch, of in pair.batches(pair.data.train, order[:max(1, len(order) // BATCH) * BATCH], BATCH):
                yield self._run(batch)[self.end_layer], of

        return Native(
            features=torch.cat(seen).numpy(), labels=torch.cat(labels).numpy(), classes=len(pair.data.classes),
            form=self.form, batches=batches, outliers=lambda: self._auxiliary(detection, fitted, request.seed),
            seed=request.seed, device=pair.device, report=portion(report, 1.0, 2.5),
            **_memory(found, self.end_layer),
        )

    def _auxiliary(self, detection: Detection, fitted: Tensor, seed: int) -> Iterator[Tensor]:
        """Activations of outliers made from training images, one kind a batch, for ever."""
        k = 0
        generator = torch.Generator().manual_seed(derived_seed("auxiliary outliers", seed))
        while True:
            chosen = fitted[torch.randperm(len(fitted), generator=generator)[:BATCH]]
            kind = detection.training_outliers[k % len(detection.training_outliers)]
            made = outliers(kind, self.pair.data.train.take(chosen)[0], seed + k)
            yield self._run(made.to(self.pair.device))[self.end_layer]
            k += 1


_sides: dict[tuple[Any, ...], Side] = {}


def _side(found: Distribution, pair: Pair, names: tuple[str, ...], end_layer: str, report: Report) -> Side:
    """Kept in this process: the next cell of the column comes at once."""
    which = (str(found.run.store.root), found.key(STATISTICS, NATIVE, "", end_layer), found.detection, names,
             str(pair.device))
    if which not in _sides:
        made = Side(found, pair, names, end_layer, report)
        while len(_sides) >= KEEP:
            _sides.pop(next(iter(_sides)))
        _sides[which] = made
    return _sides[which]


def _fit(names: Sequence[str], native: Native) -> tuple[dict[str, Score], dict[str, str]]:
    """Scores by detector, and why others cannot be fitted."""
    scores, reasons = {}, {}
    for name in names:
        if name != STATISTICS and (fit := REGISTRY[name].fit) is not None:
            try:
                with torch.enable_grad():
                    scores[name] = fit(native)
            except CannotFit as error:
                reasons[name] = str(error)
    return scores, reasons


def _memory(found: Distribution, end_layer: str) -> dict[str, Callable[..., Any]]:
    """Where what detectors learn is kept: for an end network and layer, whatever is stitched to it."""
    request: Request = found.run.request
    key = content_id({
        "end": request.end, "end_layer": end_layer, "data": request.data, "seed": request.seed, "images": FIT_IMAGES,
        "outliers": found.detection.training_outliers, "version": REGISTRY["energy"].version,
    })
    store: Store = found.run.store
    return {"recall": lambda: store.get_tensors("detectors", key),
            "remember": lambda state: store.put_tensors("detectors", key, state)}


def _stitched(
    side: Side, found: Distribution, pair: Pair, cells: Sequence[Cell], report: Report
) -> dict[Cell, Gathered]:
    fronts = list(dict.fromkeys(i for _, i, _ in cells))
    stitches: dict[Cell, Stitch] = {}
    for method in dict.fromkeys(m for m, _, _ in cells):
        column = [(i, j) for m, i, j in cells if m == method]
        made = maps(found.run.store, pair, found.run.request, method, column)
        stitches |= {(method, *cell): stitch for cell, stitch in made.items()}
    gathered = {cell: side.new(len(side.images)) for cell in cells}
    front, seen = pair.run_front(fronts), 0
    for batch, _ in pair.batches(pair.data.test, side.images, BATCH):
        report(f"stitched activations of {side.end_layer}", seen / len(side.images))
        ours = front(batch)
        for cell in cells:
            gathered[cell].add(Batch(stitches[cell](ours[cell[1]]), side.form, side.tail))
        seen += len(batch)
    return gathered


def _split(pair: Pair, split: datasets.Split, order: Tensor) -> Iterator[Tensor]:
    return (images for images, _ in pair.batches(split, order, BATCH))


def _outlier_images(found: Distribution, pair: Pair, images: Tensor) -> Iterator[Tensor]:
    """Known outliers, as many as images: made from them, or another data set's test images. Raises StitchLabError."""
    kind, seed = found.detection.outliers, found.run.request.seed
    if not kind.startswith(DATA):
        return iter(outliers(kind, pair.data.test.take(images)[0], seed).to(pair.device).split(BATCH))
    other = datasets.load_by_fingerprint(kind.removeprefix(DATA), found.run.store)
    if other.shape != pair.data.shape:
        expected, came = ("×".join(map(str, shape)) for shape in (pair.data.shape, other.shape))
        raise StitchLabError(
            f"outliers from {other.label} are images of {came}, and these networks are compared on {expected}: choose "
            "outliers that are made from the images, or another data set"
        )
    return _split(pair, other.test, other.test.order(seed)[:len(images)])


def _why(own: Gathered, other: Gathered, name: str) -> str:
    with contextlib.suppress(KeyError):
        if not torch.from_numpy(other.scores[name]).isfinite().all():
            return NOT_FINITE
        return "native scores have an interquartile range of 0"
    assert other.moments is not None
    return "native activations are constant" if other.moments.finite else NOT_FINITE


