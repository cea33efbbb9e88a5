"""Compute the linear probes that a network lacks: features in one pass, a classifier for each layer, evaluation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from stitchlab.data import registry as datasets
from stitchlab.data.splits import draw
from stitchlab.errors import StitchLabError
from stitchlab.models.cut_points import outline
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.models.store import load
from stitchlab.probes.classifier import Probe, fit
from stitchlab.probes.features import batches, gathered, pooled
from stitchlab.request import Report, no_report, portion
from stitchlab.results import data_sets, networks
from stitchlab.results.networks import PROBED
from stitchlab.results.probes import ProbeRequest, Probes, baselines_key, find, key
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.undefined import finite
from stitchlab.store import Store, given

MEMORY = 2**30  # bytes of features at a time; a layer that takes more is alone
RUNNING, TRAINING = 0.3, 0.5  # shares of the progress

Fitted = Mapping[str, Probe | str]  # by layer: its probe, or why there is none


def probe(
    network: str,
    store: Store | None = None,
    *,
    data: str | None = None,
    layers: Sequence[str] | None = None,
    train_images: int | None = None,
    eval_images: int | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    report: Report = no_report,
) -> Probes:
    """Train and evaluate a linear probe on each layer of a network, unless the store has them already.

    Args:
        network: name or id of a network in the store.
        store: default is `Store()`.
        data: name of a data set, or fingerprint of one that was used with this store; default is the network's. Its
            classes are told, whichever classes the network knows.
        layers: names of cut points; default is all blocks.
        train_images: N, the first of the training split's permutation; default is all, but at most 10,000.
        eval_images: M, the first of the test split's; default is all.
        seed: decides which images are drawn.
        device: where to compute: auto, cpu, cuda, mps, or PyTorch's own.
        report: told what is being done; if it raises Cancelled, nothing of the layers at work is kept.

    Raises StitchLabError.
    """
    where, store = pick_device(device), given(store)
    known = networks.find(store, network)
    if data is not None and not data_sets.is_fingerprint(data):
        data = datasets.load(data, store, report=report).fingerprint
    outline(store, known)
    found = find(
        store, known.id, data=data, layers=layers, train_images=train_images, eval_images=eval_images, seed=seed
    )
    return compute(found, where, report)


def compute(found: Probes, device: torch.device, report: Report = no_report) -> Probes:
    """Compute what these probes lack.

    Args:
        found: the probes, with what the store has of them.
        device: where to compute.
        report: told what is being done; if it raises Cancelled, nothing of the layers at work is kept.

    Returns:
        the same probes, with what was computed.

    Raises:
        StitchLabError: the network or the data is gone.
    """
    if found.complete:
        return found
    request, store = found.request, found.store
    network = load(request.network, store, device=device)
    pair = Pair(network, network, datasets.load_by_fingerprint(request.data, store), device)
    layers = _defined(found, pair, device)
    parts = _parts({layer: 4 * pair.target(layer).channels * request.train_images for layer in layers}) or [[]]
    with fp32(), torch.no_grad(), threadpool_limits(1, user_api="blas"):  # its threads would spin against torch's
        for k, part in enumerate(parts):
            _compute(
                found,
                pair,
                part,
                own=k == 0 and found.baselines is None,
                report=portion(report, k / len(parts), 1 / len(parts)),
            )
    return Probes(store, request, found.network, found.data, found.layers)


def _defined(found: Probes, pair: Pair, device: torch.device) -> list[str]:
    """Return the missing layers that have features; for the others, keep the reason why not."""
    layers = []
    for layer in found.lacking:
        try:
            pair.target(layer)
            layers.append(layer)
        except StitchLabError as error:
            found.store.put(PROBED, key(found.request, layer), _numbers(str(error), None, "") | provenance(device, 0.0))
    return layers


def _parts(sizes: Mapping[str, int]) -> list[list[str]]:
    """Group layers, in order, whose features (bytes, by layer) fit into memory together.

    >>> _parts({"a": 2**29, "b": 2**29, "c": 2**31, "d": 1})
    [['a', 'b'], ['c'], ['d']]
    """
    parts: list[list[str]] = []
    room = -1
    for layer, size in sizes.items():
        if size > room:
            parts.append([])
            room = MEMORY
        parts[-1].append(layer)
        room -= size
    return parts


def _compute(found: Probes, pair: Pair, layers: Sequence[str], own: bool, report: Report) -> None:
    """Train, evaluate and keep the probes of some layers; with ``own`` also the numbers to compare them with."""
    request, seconds = found.request, {}
    started = time.monotonic()
    features, labels = (
        gathered(
            pair,
            layers,
            pair.data.train,
            draw(pair.data.train, request.seed, request.train_images, "training images"),
            portion(report, 0.0, RUNNING),
        )
        if layers
        else ({}, np.zeros(0, np.int64))
    )
    shared, fitted = time.monotonic() - started, {}
    for k, layer in enumerate(layers):
        report(f"training the probe of {layer}", RUNNING + TRAINING * k / len(layers))
        started = time.monotonic()
        fitted[layer] = fit(features.pop(layer), labels)
        seconds[layer] = time.monotonic() - started
    started = time.monotonic()
    right, baselines = _evaluated(request, pair, fitted, own, portion(report, RUNNING + TRAINING, 0.2))
    shared += time.monotonic() - started
    if own:
        found.store.put(PROBED, baselines_key(request), baselines | provenance(pair.device, shared))
    for layer, trained in fitted.items():
        how = provenance(pair.device, seconds[layer] + shared / len(layers))
        found.store.put(PROBED, key(request, layer), _numbers(trained, *right[layer]) | how)
    report("linear probes", 1.0)


def _evaluated(
    request: ProbeRequest, pair: Pair, fitted: Fitted, own: bool, report: Report
) -> tuple[dict[str, tuple[float | None, str]], dict[str, Any]]:
    """Return accuracies on the evaluation images, or why there is none, and with ``own`` those to compare with."""
    order = draw(pair.data.test, request.seed, request.eval_images, "evaluation images")
    probes = {layer: probe for layer, probe in fitted.items() if isinstance(probe, Probe)}
    forms = {layer: pair.target(layer) for layer in probes}
    right: dict[str, float] = dict.fromkeys(probes, 0.0)
    alone = 0.0 if own and pair.end.classes == pair.data.classes else None
    last = next(reversed(probes), "")
    rest = pair.tail(last) if last else None
    for activations, images, labels in batches(pair, list(probes), pair.data.test, order, report):
        for layer, x in activations.items():
            features = pooled(x, forms[layer])
            ok = bool(np.isfinite(features).all())  # else NaN, whatever the other batches say
            right[layer] += float((probes[layer].predict(features) == labels).sum()) if ok else np.nan
        if alone is not None:
            logits = rest(activations[last]) if rest else pair.logits(images)
            alone += float((logits.argmax(1).cpu().numpy() == labels).sum()) if finite(logits) else np.nan
    scored = {
        layer: _share(count, len(order), "the activations of some evaluation images are not finite")
        for layer, count in right.items()
    }
    return {layer: scored.get(layer, (None, "")) for layer in fitted}, _baselines(pair, order, alone)


def _baselines(pair: Pair, order: torch.Tensor, alone: float | None) -> dict[str, Any]:
    """Return the network's own accuracy, from its number of right answers, and the share of the largest class."""
    labels = pair.data.test.labels[order.numpy()]
    own = (
        (None, f"{pair.end.name} predicts other classes than {pair.data.label} has")
        if alone is None
        else _share(alone, len(order), "the network's own logits are not finite on some evaluation images")
    )
    return {"accuracy": own[0], "reason": own[1], "chance": float(np.bincount(labels).max() / len(labels))}


def _share(right: float, images: int, reason: str) -> tuple[float | None, str]:
    return (None, reason) if np.isnan(right) else (right / images, "")


def _numbers(trained: Probe | str, accuracy: float | None, reason: str) -> dict[str, Any]:
    """Return what is kept of a layer: its numbers, and why one is empty or that training did not converge."""
    if isinstance(trained, str):
        return {"accuracy": None, "train_accuracy": None, "reason": trained}
    if not reason and not trained.converged:
        reason = f"training did not converge in {trained.iterations:,} steps"
    return {
        "accuracy": accuracy,
        "train_accuracy": trained.train_accuracy,
        "reason": reason,
        "iterations": trained.iterations,
        "converged": trained.converged,
        "channels": len(trained.mean),
    }
