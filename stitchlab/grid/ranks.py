"""Compute the ranks of a run (`stitchlab.results.ranks`), layer by layer; each layer is kept as soon as it is done.

The work is not claimed: two processes that compute the same ranks keep the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from stitchlab.data.splits import draw, evaluation_indices
from stitchlab.indices.statistics import IndexRequest, indices
from stitchlab.models import malloc as memory
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.provenance import provenance
from stitchlab.probes.classifier import fit
from stitchlab.probes.features import Features, Labels, gather_features
from stitchlab.request import Cell, Report, no_report, portion
from stitchlab.results import definitions, networks
from stitchlab.results.ranks import PROBE, ROOM, Ranks, metrics
from stitchlab.results.run import Run
from stitchlab.stitch.affine import Stitch
from stitchlab.stitch.evaluate import evaluate
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair, load_pair
from stitchlab.stitch.task import initial, task_loss_matching
from stitchlab.stitch.truncation import Basis, TruncatedPair, bases, cut_name, direct_matching_at, truncated

RankWork = Literal["dm", "indices", "probe", "tlm"]  # in the order in which they are computed, the quickest first
WORKS: tuple[RankWork, ...] = get_args(RankWork)
#: How much of the progress each kind of work of a layer is, in proportion to the others.
PROGRESS_WEIGHTS: dict[RankWork, float] = {"dm": 1.0, "indices": 3.0, "probe": 2.0, "tlm": 20.0}
NOT_FINITE = "the front network's activations at {} are not finite on some training images of the basis"

Number = tuple[float | None, str]  # a value, and a remark on it: why it is undefined, or that training did not converge
NumbersByRank = list[dict[str, Number]]  # rank by rank, a measure's numbers by metric


def compute(run: Run, device: torch.device, report: Report = no_report) -> Ranks:
    """Compute and keep the missing ranks of a run, and return all its ranks.

    Args:
        run: a run whose front and end layers are the same. Its own cells are not computed here.
        device: where to compute.
        report: receives what is being done; if it raises Cancelled, finished kinds of work of a layer are kept.

    Raises StitchLabError for any other run, and where a definition has changed since the run was made.
    """
    run.check_own()
    cut_points_of_any(run.store, networks.find(run.store, run.request.front))
    ranks = Ranks(run)
    if not (units := _units(ranks)):
        return ranks
    definitions.check(run.request)
    pair = load_pair(run.store, run.request, device)
    with fp32(), memory.freed_memory_reused():
        layers = list(dict.fromkeys(layer for layer, _, _ in units))
        count = min(run.request.dm.images, len(pair.data.train))  # K may be too large in a run without DM
        images = draw(pair.data.train, run.request.seed, count, "training images of the basis (K)")
        layer_bases = bases(pair, layers, images)
        total, done = sum(PROGRESS_WEIGHTS[work] for _, work, _ in units), 0.0
        for layer, work, names in units:
            report_unit = portion(report, done / total, PROGRESS_WEIGHTS[work] / total)
            started = time.monotonic()
            if (layer_basis := layer_bases[layer]) is None:
                results = _undefined(ranks, layer, names)
            else:
                results = COMPUTE[work](_Layer(ranks, pair, layer, layer_basis, images), names, report_unit)
            seconds = time.monotonic() - started
            for name, numbers in results.items():
                _keep(ranks, name, layer, numbers, provenance(device, seconds / len(results)))
            done += PROGRESS_WEIGHTS[work]
    report("done", 1.0)
    return Ranks(run)


def _units(ranks: Ranks) -> list[tuple[str, RankWork, list[str]]]:
    """Group the missing measures that are computed together: by layer and kind of work, the quickest work first."""
    names_by_unit: dict[tuple[str, RankWork], list[str]] = {}
    for name, layer in ranks.lacking:
        names_by_unit.setdefault((layer, _work(name)), []).append(name)
    units = [(layer, work, names) for (layer, work), names in names_by_unit.items()]
    return sorted(units, key=lambda unit: WORKS.index(unit[1]))


def _work(name: str) -> RankWork:
    """Return the kind of work that computes a measure."""
    if name in WORKS:
        return name
    return "indices"


@dataclass(frozen=True)
class _Layer:
    """Describe a layer whose ranks are computed, its basis, and the training images (indices) of the basis."""

    ranks: Ranks
    pair: Pair
    name: str
    basis: Basis
    images: Tensor

    @property
    def cells(self) -> list[Cell]:
        """List the cut cells, by ascending rank."""
        return [(cut_name(self.name, rank), self.name) for rank in self.ranks.cut(self.name)]

    def truncated(self, float64: bool = False) -> TruncatedPair:
        """Make the pair whose front network has this layer cut to all ranks."""
        return truncated(self.pair, {self.name: self.basis}, {self.name: self.ranks.cut(self.name)}, float64)

    @property
    def evaluation(self) -> Tensor:
        """Return the indices of the evaluation images in the test split."""
        return evaluation_indices(self.pair.data, self.ranks.run.request)

    def uncut_reason(self, reason: str) -> str:
        """Replace the names of cut layers in a reason by the name of the layer."""
        for name, _ in self.cells[::-1]:  # longer names first: "relu@1" is the beginning of "relu@16"
            reason = reason.replace(name, self.name)
        return reason


def _direct(layer: _Layer, names: Sequence[str], report: Report) -> dict[str, NumbersByRank]:
    """Fit direct matching at all ranks, and evaluate it."""
    return {"dm": _evaluated(layer, _matched(layer, portion(report, 0.0, 0.2)), portion(report, 0.2, 0.8))}


def _matched(layer: _Layer, report: Report) -> dict[Cell, Stitch]:
    """Fit direct matching at all ranks."""
    ranks = {layer.name: layer.ranks.cut(layer.name)}
    return direct_matching_at(layer.pair, {layer.name: layer.basis}, ranks, layer.images, report)


def _trained(layer: _Layer, names: Sequence[str], report: Report) -> dict[str, NumbersByRank]:
    """Train all ranks side by side, initialised like the uncut cell, so that they differ by the cut alone."""
    request = layer.ranks.run.request
    if request.tlm.init == "dm":
        start = _matched(layer, no_report)
    else:
        start = dict.fromkeys(layer.cells, initial(layer.pair, (layer.name, layer.name), request.seed, None))
    stitches = task_loss_matching(
        layer.truncated(), layer.cells, request.tlm, request.seed, start, portion(report, 0.0, 0.95)
    )
    return {"tlm": _evaluated(layer, stitches, portion(report, 0.95, 0.05))}


def _evaluated(layer: _Layer, stitches: Mapping[Cell, Stitch], report: Report) -> NumbersByRank:
    """Evaluate the stitches of all ranks."""
    evaluations = evaluate(layer.truncated(), stitches, layer.evaluation, report)
    by_rank = []
    for cell in layer.cells:
        result = evaluations[cell]
        numbers = {**asdict(result), **asdict(result.functional)}
        reasons = result.functional.reasons | result.reasons
        by_rank.append(
            {metric: (numbers[metric], layer.uncut_reason(reasons.get(metric, ""))) for metric in metrics("dm")}
        )
    return by_rank


def _compared(layer: _Layer, names: Sequence[str], report: Report) -> dict[str, NumbersByRank]:
    """Compute indices of cut activations, in float64, so that rounding noise does not count as a direction."""
    values = indices(layer.truncated(float64=True), IndexRequest(names), layer.cells, layer.evaluation, report).values
    return {
        name: [{metric: _number(values[name, cell]) for metric in metrics(name)} for cell in layer.cells]
        for name in names
    }


def _probed(layer: _Layer, names: Sequence[str], report: Report) -> dict[str, NumbersByRank]:
    """Train probes on cut features; pooling is linear, so features are pooled once, and then cut to each rank."""
    front, data, request = layer.pair.front, layer.pair.data, layer.ranks.run.request
    own = Pair(front, front, data, layer.pair.device)
    order = draw(data.train, request.seed, layer.ranks.train_images, "training images of the probes (N)")
    features, labels = gather_features(own, [layer.name], data.train, order, portion(report, 0.0, 0.2))
    test_features, test_labels = gather_features(
        own, [layer.name], data.test, layer.evaluation, portion(report, 0.2, 0.1)
    )
    accuracies, ranks = [], layer.ranks.ranks(layer.name)
    with threadpool_limits(1, user_api="blas"):  # its threads would spin against torch's
        for k, rank in enumerate(ranks):
            report(f"training the probe of {layer.name} at rank {rank}", 0.3 + 0.7 * k / len(ranks))
            cut = _cutter(layer.basis, None if rank == ranks[-1] else rank)
            number = _probe_accuracy(cut(features[layer.name]), labels, cut(test_features[layer.name]), test_labels)
            accuracies.append({"accuracy": number})
    return {PROBE: accuracies}


def _cutter(basis: Basis, rank: int | None) -> Callable[[Features], Features]:
    """Return a function that cuts features (N, C) to a rank, in float64; None: it leaves them as they are."""
    if rank is None:
        return lambda features: features
    weight, bias = (tensor.cpu().numpy() for tensor in basis.cut(rank))
    return lambda features: features @ weight + bias


def _probe_accuracy(features: Features, labels: Labels, test_features: Features, test_labels: Labels) -> Number:
    """Train a probe, and return its test accuracy 0..1, with the reason if it is undefined or did not converge."""
    if isinstance(probe := fit(features, labels), str):
        return None, probe
    if not np.isfinite(test_features).all():
        return None, "the activations of some evaluation images are not finite"
    remark = "" if probe.converged else f"training did not converge in {probe.iterations:,} steps"
    return float((probe.predict(test_features) == test_labels).mean()), remark


def _number(value: float | str) -> Number:
    return (None, value) if isinstance(value, str) else (value, "")


def _undefined(ranks: Ranks, layer: str, names: Sequence[str]) -> dict[str, NumbersByRank]:
    """Return undefined numbers for measures at a layer that has no basis."""
    reason = NOT_FINITE.format(layer)
    return {name: [dict.fromkeys(metrics(name), (None, reason)) for _ in ranks.computed(name, layer)] for name in names}


def _keep(ranks: Ranks, name: str, layer: str, numbers: NumbersByRank, remarks: dict[str, Any]) -> None:
    """Keep a measure at a layer: for each metric its values and its reasons, rank by rank."""
    values = {metric: [at_rank[metric][0] for at_rank in numbers] for metric in metrics(name)}
    reasons = {metric: [at_rank[metric][1] for at_rank in numbers] for metric in metrics(name)}
    ranks.run.store.put(
        ROOM,
        ranks.key(name, layer),
        {"ranks": list(ranks.computed(name, layer)), **values, "reasons": reasons, **remarks},
    )


#: Computes some measures of a layer at all ranks, by name.
RankComputation = Callable[[_Layer, Sequence[str], Report], dict[str, NumbersByRank]]
COMPUTE: dict[RankWork, RankComputation] = {
    "dm": _direct,
    "indices": _compared,
    "probe": _probed,
    "tlm": _trained,
}
