"""Runs whose numbers are made up, all of them: cells, what every detector says, TLM's epochs. For tests of files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

from stitchlab.catalog.detectors import DETECTORS, QUICK
from stitchlab.grid.ask import ask
from stitchlab.ood.keep import keep
from stitchlab.request import METHODS
from stitchlab.results import trajectory
from stitchlab.results.detection import NATIVE, OUTLIERS, DetectionResults
from stitchlab.results.keys import accuracy_key, functional_key, result_key
from stitchlab.results.run import Run
from stitchlab.store import Store

BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)]
EIGHT = ["relu", *BLOCKS, "flatten"]
HOW = {
    "seconds": 1.25,
    "device": "cpu on nowhere",
    "threads": 1,
    "computed": "2026-01-01T00:00:00+00:00",
    "versions": {"stitchlab": "0", "torch": "0"},
}
OWN = 0.9629629629629629
NO_DISTANCE = "the native activations are all 0"
IMAGES = 540


def made_up(
    store: Store,
    layers: Sequence[str] = EIGHT,
    *,
    lacking: int = 0,
    judged: bool = True,
    walked: bool = True,
    undefined: bool = False,
    numbers: int = 0,
    **change: Any,
) -> Run:
    """A run of two digits networks on these layers, with numbers of full length in every cell.

    Args:
        lacking: so many of the last columns are not computed.
        judged: whether every detector has said something of every cell that is.
        walked: whether the first cell has a walk through TLM's epochs.
        undefined: whether the last cell that is computed has no distance to native, and its reason.
        numbers: which ones are drawn.
    """
    random, answers = np.random.default_rng(numbers), np.random.default_rng([numbers, 1])
    run = ask("digits-a", "digits-b", store, **{"front_layers": layers, "end_layers": layers} | change)
    request = run.request
    for network in (request.front, request.end):
        store.put("accuracies", accuracy_key(request, network), {"accuracy": OWN})
    columns = request.end_layers[: len(request.end_layers) - lacking]
    for name in (*request.methods, *request.indices):
        for i, j in product(request.front_layers, columns):
            no_distance = undefined and name in METHODS and (i, j) == (request.front_layers[-1], columns[-1])
            store.put("cells", result_key(request, name, i, j), HOW | _similarity(random, no_distance))
            if name in METHODS:
                store.put("cells", functional_key(request, name, i, j), HOW | _answers(answers))
    run = Run(store, run.record)
    if judged and request.methods:
        _judge(run, random)
    if walked and "tlm" in request.methods:
        _walk(run, random)
    return run


def _similarity(random: np.random.Generator, no_distance: bool) -> dict[str, Any]:
    number = float(random.uniform(0.02, 0.98))
    return {
        "accuracy": number,
        "distance": None if no_distance else 1.7 * number,
        "similarity": number,
        "reason": NO_DISTANCE if no_distance else "",
    }


def _answers(random: np.random.Generator) -> dict[str, Any]:
    """How a stitched network's answers compare with those of its end network."""
    return {
        "agreement": float(random.random()),
        "jsd": float(random.random()),
        "error_consistency": float(random.uniform(-1, 1)),
        "reasons": {},
        "seconds": 0.0,
    }


def _judge(run: Run, random: np.random.Generator) -> None:
    found = DetectionResults(run)
    for name in DETECTORS:
        natives = [(NATIVE, "", j) for j in dict.fromkeys(j for _, _, j in found.cells)]
        for method, i, j in [*natives, *found.cells]:
            metrics: Any = (
                {who: _numbers(random, name, who) for who in (NATIVE, OUTLIERS)}
                if method == NATIVE
                else (_numbers(random, name, method))
            )
            tensors = {} if DETECTORS[name].compares else _scores(random, method)
            keep(run.store, found.key(name, method, i, j), {"metrics": metrics, "reason": ""}, tensors, HOW)


def _numbers(random: np.random.Generator, detector: str, who: str) -> dict[str, list[float]]:
    """Each metric with the ends of its interval; those that are believed, but of one detector that is not."""
    middle = {NATIVE: 0.5, OUTLIERS: 0.7 if detector == "pca-residual" else 0.95, "tlm": 0.97, "dm": 0.55}[who]
    ratio = {NATIVE: 0.01, OUTLIERS: 0.4, "tlm": 1.3, "dm": 0.05}[who]
    made = {}
    for metric in DETECTORS[detector].metrics:
        number = (ratio if metric == "ratio" else middle) * float(random.uniform(0.97, 1.03))
        made[metric] = [number, number - 0.01 * float(random.random()), number + 0.01 * float(random.random())]
    return made


def _scores(random: np.random.Generator, method: str) -> dict[str, torch.Tensor]:
    def drawn(middle: float, spread: float) -> torch.Tensor:
        return torch.from_numpy(random.normal(middle, spread, IMAGES))

    if method == NATIVE:
        return {"scores": drawn(0, 1), "outliers.scores": drawn(-4, 2)}
    return {"scores": drawn(-9, 3) if method == "tlm" else drawn(-0.5, 1.2)}


def _walk(run: Run, random: np.random.Generator) -> None:
    cell = run.request.front_layers[0], run.request.end_layers[0]
    epochs = [0, 1, 2, 4, 7, 11, 16, 22, 30]
    series = [float(number) for number in random.uniform(0, 1, len(epochs))]
    told = {name: {metric: series for metric in DETECTORS[name].metrics} for name in QUICK}
    keep(
        run.store,
        trajectory.key(run, *cell),
        {"epochs": epochs, "accuracy": series, "detectors": told, "images": 9},
        {"plane": torch.zeros(len(epochs), 4, 2)},
        HOW,
    )
