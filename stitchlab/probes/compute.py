"""Compute the missing linear probes of a network: its features in one pass, a classifier for each layer, evaluation."""

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
from stitchlab.models.cut_points import cut_points_of_any
from stitchlab.models.device import pick_device
from stitchlab.models.provenance import provenance
from stitchlab.models.store import load
from stitchlab.probes.classifier import Probe, fit
from stitchlab.probes.features import batches, gather_features, pool
from stitchlab.request import Report, no_report, portion
from stitchlab.results import data_sets, networks
from stitchlab.results.networks import PROBED
from stitchlab.results.probes import ProbeRequest, Probes, baselines_key, find, key
from stitchlab.stitch.numerics import fp32
from stitchlab.stitch.pair import Pair
from stitchlab.stitch.undefined import finite
from stitchlab.store import Store, store_or_default

MEMORY = 2**30  # bytes of features that are in memory at a time; a layer that needs more is computed alone
FEATURES_SHARE = 0.3  # of the progress, for computing the features of training images
TRAINING_SHARE = 0.5  # of the progress; evaluation is the rest

ProbesByLayer = Mapping[str, Probe | str]  # the probe of each layer, or the reason why it is undefined
Accuracy = tuple[float | None, str]  # 0..1, or None with the reason why it is undefined


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
        data: name of a data set, or fingerprint of one that was used with this store; default is the network's own data
            set. Probes predict its classes, even if the network predicts others.
        layers: names of cut points; default is all blocks.
        train_images: N, the number of training images; default is all, but at most 10,000.
        eval_images: M, the number of evaluation images; default is all.
        seed: decides which images are drawn.
        device: where to compute: auto, cpu, cuda, mps, or a device of PyTorch.
        report: receives what is being done; if it raises Cancelled, the layers in progress are not kept.

    Raises StitchLabError.
    """
    torch_device, store = pick_device(device), store_or_default(store)
    record = networks.find(store, network)
    if data is not None and not data_sets.is_fingerprint(data):
        data = datasets.load(data, store, report=report).fingerprint
    cut_points_of_any(store, record)
    probes = find(
        store, record.id, data=data, layers=layers, train_images=train_images, eval_images=eval_images, seed=seed
    )
    return compute(probes, torch_device, report)


def compute(probes: Probes, device: torch.device, report: Report = no_report) -> Probes:
    """Compute the missing ones of a network's probes.

    Args:
        probes: the probes, with the results that the store has.
        device: where to compute.
        report: receives what is being done; if it raises Cancelled, the layers in progress are not kept.

    Returns:
        the probes with all results.

    Raises:
        StitchLabError: the store no longer has the network or the data.
    """
    if probes.complete:
        return probes
    request, store = probes.request, probes.store
    network = load(request.network, store, device=device)
    pair = Pair(network, network, datasets.load_by_fingerprint(request.data, store), device)
    layers = _layers_with_features(probes, pair, device)
    groups = _groups({layer: 4 * pair.target(layer).channels * request.train_images for layer in layers}) or [[]]
    with fp32(), torch.no_grad(), threadpool_limits(1, user_api="blas"):  # its threads would compete with PyTorch's
        for k, group in enumerate(groups):
            _compute_group(
                probes,
                pair,
                group,
                with_baselines=k == 0 and probes.baselines is None,
                report=portion(report, k / len(groups), 1 / len(groups)),
            )
    return Probes(store, request, probes.network, probes.data, probes.layers)


def _layers_with_features(probes: Probes, pair: Pair, device: torch.device) -> list[str]:
    """Return the missing layers that have features; for each of the others, keep the reason why it has none."""
    layers = []
    for layer in probes.lacking:
        try:
            pair.target(layer)
            layers.append(layer)
        except StitchLabError as error:
            entry = _entry(str(error), None, "") | provenance(device, 0.0)
            probes.store.put(PROBED, key(probes.request, layer), entry)
    return layers


def _groups(feature_bytes: Mapping[str, int]) -> list[list[str]]:
    """Group layers, in order, so that the features of a group (bytes, by layer) fit into memory together.

    >>> _groups({"a": 2**29, "b": 2**29, "c": 2**31, "d": 1})
    [['a', 'b'], ['c'], ['d']]
    """
    groups: list[list[str]] = []
    free_bytes = -1
    for layer, layer_bytes in feature_bytes.items():
        if layer_bytes > free_bytes:
            groups.append([])
            free_bytes = MEMORY
        groups[-1].append(layer)
        free_bytes -= layer_bytes
    return groups


def _compute_group(probes: Probes, pair: Pair, layers: Sequence[str], with_baselines: bool, report: Report) -> None:
    """Train, evaluate and keep the probes of some layers; optionally also the baselines to compare them with."""
    request, seconds = probes.request, {}
    started = time.monotonic()
    features, labels = (
        gather_features(
            pair,
            layers,
            pair.data.train,
            draw(pair.data.train, request.seed, request.train_images, "training images"),
            portion(report, 0.0, FEATURES_SHARE),
        )
        if layers
        else ({}, np.zeros(0, np.int64))
    )
    shared_seconds, fitted = time.monotonic() - started, {}
    for k, layer in enumerate(layers):
        report(f"training the probe of {layer}", FEATURES_SHARE + TRAINING_SHARE * k / len(layers))
        started = time.monotonic()
        fitted[layer] = fit(features.pop(layer), labels)
        seconds[layer] = time.monotonic() - started
    started = time.monotonic()
    report_evaluation = portion(report, FEATURES_SHARE + TRAINING_SHARE, 0.2)
    accuracies, baselines = _evaluated(request, pair, fitted, with_baselines, report_evaluation)
    shared_seconds += time.monotonic() - started
    if with_baselines:
        probes.store.put(PROBED, baselines_key(request), baselines | provenance(pair.device, shared_seconds))
    for layer, trained in fitted.items():
        remarks = provenance(pair.device, seconds[layer] + shared_seconds / len(layers))
        probes.store.put(PROBED, key(request, layer), _entry(trained, *accuracies[layer]) | remarks)
    report("linear probes", 1.0)


def _evaluated(
    request: ProbeRequest, pair: Pair, fitted: ProbesByLayer, with_baselines: bool, report: Report
) -> tuple[dict[str, Accuracy], dict[str, Any]]:
    """Return the probes' accuracies on the evaluation images, by layer, and the baselines to compare them with."""
    order = draw(pair.data.test, request.seed, request.eval_images, "evaluation images")
    probes = {layer: probe for layer, probe in fitted.items() if isinstance(probe, Probe)}
    layouts = {layer: pair.target(layer) for layer in probes}
    right: dict[str, float] = dict.fromkeys(probes, 0.0)
    network_right = 0.0 if with_baselines and pair.end.classes == pair.data.classes else None
    last = next(reversed(probes), "")
    tail = pair.tail(last) if last else None  # so that the last layer's activations need not be computed again
    for activations, images, labels in batches(pair, list(probes), pair.data.test, order, report):
        for layer, x in activations.items():
            features = pool(x, layouts[layer])
            # NaN in one batch makes the sum of all batches NaN
            is_finite = bool(np.isfinite(features).all())
            right[layer] += float((probes[layer].predict(features) == labels).sum()) if is_finite else np.nan
        if network_right is not None:
            logits = tail(activations[last]) if tail else pair.logits(images)
            network_right += float((logits.argmax(1).cpu().numpy() == labels).sum()) if finite(logits) else np.nan
    accuracies = {
        layer: _accuracy(count, len(order), "the activations of some evaluation images are not finite")
        for layer, count in right.items()
    }
    return {layer: accuracies.get(layer, (None, "")) for layer in fitted}, _baselines(pair, order, network_right)


def _baselines(pair: Pair, order: torch.Tensor, network_right: float | None) -> dict[str, Any]:
    """Return the network's own accuracy, and that of always predicting the largest class.

    ``network_right`` is the network's number of right predictions; None where it predicts other classes.
    """
    labels = pair.data.test.labels[order.numpy()]
    accuracy, reason = (
        (None, f"{pair.end.name} predicts other classes than {pair.data.label} has")
        if network_right is None
        else _accuracy(network_right, len(order), "the network's own logits are not finite on some evaluation images")
    )
    return {"accuracy": accuracy, "reason": reason, "chance": float(np.bincount(labels).max() / len(labels))}


def _accuracy(right: float, images: int, reason: str) -> Accuracy:
    return (None, reason) if np.isnan(right) else (right / images, "")


def _entry(trained: Probe | str, accuracy: float | None, reason: str) -> dict[str, Any]:
    """Return what the store keeps of a layer: numbers, and the reason why one is undefined or not converged."""
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
