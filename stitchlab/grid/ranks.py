"""Computes the ranks of a run (`stitchlab.results.ranks`): layer by layer, each kept as soon as it is there.

Nobody claims them: where two processes compute the same, both keep the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from stitchlab.data.splits import draw, evaluation
from stitchlab.indices.statistics import Wanted, indices
from stitchlab.models import malloc as memory
from stitchlab.models.cut_points import outline
from stitchlab.models.provenance import provenance
from stitchlab.probes.classifier import fit
from stitchlab.probes.features import Features, Labels, gathered
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

#: What a layer's kinds of work take, in proportion: of the progress, and of nothing else.
SHARES = {"dm": 1.0, "indices": 3.0, PROBE: 2.0, "tlm": 20.0}
NOT_FINITE = "the front network's activations at {} are not finite on some training images of the basis"

Number = tuple[float | None, str]  # a value, or why it is empty
AtRanks = list[dict[str, Number]]  # rank by rank, a measure's numbers by metric


def compute(run: Run, device: torch.device, report: Report = no_report) -> Ranks:
    """Compute what the store lacks of a run's ranks; return them with it.

    Args:
        run: whose front and end layers are the same. Its own cells are not computed here.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, layers and kinds that are finished are kept.

    Raises StitchLabError for another run, and where a definition has changed since it was asked for.
    """
    run.check_own()
    outline(run.store, networks.find(run.store, run.request.front))
    ranks = Ranks(run)
    if not (work := _units(ranks)):
        return ranks
    definitions.check(run.request)
    pair = load_pair(run.store, run.request, device)
    with fp32(), memory.kept():
        layers = list(dict.fromkeys(layer for layer, _, _ in work))
        count = min(run.request.dm.images, len(pair.data.train))  # K is not checked where nothing asked for DM
        images = draw(pair.data.train, run.request.seed, count, "training images of the basis (K)")
        found = bases(pair, layers, images)
        total, done = sum(SHARES[kind] for _, kind, _ in work), 0.0
        for layer, kind, names in work:
            part = portion(report, done / total, SHARES[kind] / total)
            started = time.monotonic()
            if (known := found[layer]) is None:
                made = _undefined(ranks, layer, names)
            else:
                made = COMPUTE[kind](_Layer(ranks, pair, layer, known, images), names, part)
            seconds = time.monotonic() - started
            for name, numbers in made.items():
                _keep(ranks, name, layer, numbers, provenance(device, seconds / len(made)))
            done += SHARES[kind]
    report("done", 1.0)
    return Ranks(run)


def _units(ranks: Ranks) -> list[tuple[str, str, list[str]]]:
    """Group what is computed together: a layer, a kind of work, and the names that it lacks there."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, layer in ranks.lacking:
        kind = name if name in SHARES else "indices"
        found.setdefault((layer, kind), []).append(name)
    order = list(SHARES)
    return [
        (layer, kind, names) for (layer, kind), names in sorted(found.items(), key=lambda unit: order.index(unit[0][1]))
    ]  # what is there soon first


@dataclass(frozen=True)
class _Layer:
    """Describes a layer whose ranks are computed, its basis, and the training images (their places) that it is of."""

    ranks: Ranks
    pair: Pair
    name: str
    basis: Basis
    images: Tensor

    @property
    def cells(self) -> list[Cell]:
        """List the cut cells, by ascending rank."""
        return [(cut_name(self.name, rank), self.name) for rank in self.ranks.cut(self.name)]

    def truncated(self, wide: bool = False) -> TruncatedPair:
        """Make the pair with this layer cut."""
        return truncated(self.pair, {self.name: self.basis}, {self.name: self.ranks.cut(self.name)}, wide)

    @property
    def evaluation(self) -> Tensor:
        """Give the places of the evaluation images in the test split."""
        return evaluation(self.pair.data, self.ranks.run.request)

    def said(self, reason: str) -> str:
        """Word a reason so that it is about the layer, and not about one that is cut."""
        for name, _ in self.cells[::-1]:  # a name may begin as another does
            reason = reason.replace(name, self.name)
        return reason


def _direct(at: _Layer, names: Sequence[str], report: Report) -> dict[str, AtRanks]:
    return {"dm": _evaluated(at, _matched(at, portion(report, 0.0, 0.2)), portion(report, 0.2, 0.8))}


def _matched(at: _Layer, report: Report) -> dict[Cell, Stitch]:
    cut = {at.name: at.ranks.cut(at.name)}
    return direct_matching_at(at.pair, {at.name: at.basis}, cut, at.images, report)


def _trained(at: _Layer, names: Sequence[str], report: Report) -> dict[str, AtRanks]:
    """Train all ranks side by side, each from where the uncut cell begins: they differ by the cut alone."""
    request = at.ranks.run.request
    if request.tlm.init == "dm":
        start = _matched(at, no_report)
    else:
        start = dict.fromkeys(at.cells, initial(at.pair, (at.name, at.name), request.seed, None))
    stitches = task_loss_matching(
        at.truncated(), at.cells, request.tlm, request.seed, start, portion(report, 0.0, 0.95)
    )
    return {"tlm": _evaluated(at, stitches, portion(report, 0.95, 0.05))}


def _evaluated(at: _Layer, stitches: Mapping[Cell, Stitch], report: Report) -> AtRanks:
    found = evaluate(at.truncated(), stitches, at.evaluation, report)
    made = []
    for cell in at.cells:
        result = found[cell]
        numbers, why = {**asdict(result), **asdict(result.functional)}, result.functional.reasons | result.reasons
        made.append({metric: (numbers[metric], at.said(why.get(metric, ""))) for metric in metrics("dm")})
    return made


def _compared(at: _Layer, names: Sequence[str], report: Report) -> dict[str, AtRanks]:
    """Compute indices of cut activations in float64: rounding noise is no direction."""
    values = indices(at.truncated(wide=True), Wanted(names), at.cells, at.evaluation, report).values
    return {
        name: [{metric: _number(values[name, cell]) for metric in metrics(name)} for cell in at.cells] for name in names
    }


def _probed(at: _Layer, names: Sequence[str], report: Report) -> dict[str, AtRanks]:
    """Train probes on cut features: pooling is linear, so that features are pooled once, and cut themselves."""
    front, data, request = at.pair.front, at.pair.data, at.ranks.run.request
    own = Pair(front, front, data, at.pair.device)
    order = draw(data.train, request.seed, at.ranks.train_images, "training images of the probes (N)")
    features, labels = gathered(own, [at.name], data.train, order, portion(report, 0.0, 0.2))
    test, wanted = gathered(own, [at.name], data.test, at.evaluation, portion(report, 0.2, 0.1))
    made, ranks = [], at.ranks.ranks(at.name)
    with threadpool_limits(1, user_api="blas"):  # its threads would spin against torch's
        for k, rank in enumerate(ranks):
            report(f"training the probe of {at.name} at rank {rank}", 0.3 + 0.7 * k / len(ranks))
            cut = _cutting(at.basis, None if rank == ranks[-1] else rank)
            made.append({"accuracy": _probe(cut(features[at.name]), labels, cut(test[at.name]), wanted)})
    return {PROBE: made}


def _cutting(basis: Basis, rank: int | None) -> Callable[[Features], Features]:
    """Make what cuts features (N, C) to a rank, float64; None: nothing."""
    if rank is None:
        return lambda features: features
    weight, bias = (part.cpu().numpy() for part in basis.cut(rank))
    return lambda features: features @ weight + bias


def _probe(features: Features, labels: Labels, test: Features, wanted: Labels) -> Number:
    """Give a probe's accuracy, 0..1, on test features, or why there is none; also that it did not converge."""
    if isinstance(probe := fit(features, labels), str):
        return None, probe
    if not np.isfinite(test).all():
        return None, "the activations of some evaluation images are not finite"
    remark = "" if probe.converged else f"training did not converge in {probe.iterations:,} steps"
    return float((probe.predict(test) == wanted).mean()), remark


def _number(value: float | str) -> Number:
    return (None, value) if isinstance(value, str) else (value, "")


def _undefined(at: Ranks, layer: str, names: Sequence[str]) -> dict[str, AtRanks]:
    why = NOT_FINITE.format(layer)
    return {name: [dict.fromkeys(metrics(name), (None, why)) for _ in at.computed(name, layer)] for name in names}


def _keep(ranks: Ranks, name: str, layer: str, numbers: AtRanks, how: dict[str, Any]) -> None:
    """Keep what a measure is at a layer: for each metric its values, rank by rank, and its reasons."""
    values, reasons = (
        {metric: [at_rank[metric][k] for at_rank in numbers] for metric in metrics(name)} for k in range(2)
    )
    ranks.run.store.put(
        ROOM, ranks.key(name, layer), {"ranks": list(ranks.computed(name, layer)), **values, "reasons": reasons, **how}
    )


COMPUTE: dict[str, Callable[[_Layer, Sequence[str], Report], dict[str, AtRanks]]] = {
    "dm": _direct,
    "indices": _compared,
    PROBE: _probed,
    "tlm": _trained,
}
