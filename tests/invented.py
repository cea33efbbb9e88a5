"""Runs with invented numbers, for tests of what reads them: any layers, any names, nothing is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import torch

from stitchlab.catalog.indices import INDICES
from stitchlab.ood.keep import keep
from stitchlab.request import METHODS, NULL, Request, TaskLoss
from stitchlab.results import trajectory
from stitchlab.results.definitions import todays
from stitchlab.results.detection import NATIVE, DetectionResults
from stitchlab.results.keys import accuracy_key, functional_key, result_key
from stitchlab.results.networks import Network
from stitchlab.results.run import Run
from stitchlab.store import Store

MADE = {"device": "cpu", "versions": {"torch": "2"}, "seconds": 0.1}
#: The data's record, but for its label.
DATA: dict[str, Any] = {
    "name": "digits",
    "fingerprint": "0" * 64,
    "shape": [1, 8, 8],
    "classes": ["0", "1"],
    "train": 1000,
    "test": 500,
}


def run(
    store: Store,
    front_layers: Sequence[str],
    end_layers: Sequence[str],
    *,
    front: str = "net-a",
    end: str = "net-b",
    data: str = "Digits",
    indices: Sequence[str] = ("cka",),
    lacking: int = 0,
    seed: int = 0,
    chance: Callable[[str, str, str], float] | None = None,
    **changes: Any,
) -> Run:
    """A run whose cells are in the store, but for the last ``lacking`` of each method and index.

    Args:
        chance: the middle of an index's null in a cell, whose values lie up to .5 around it, or all at 0; of no use
            where no null is asked for.
    """
    request = Request(
        front=front,
        end=end,
        data=DATA["fingerprint"],
        front_layers=tuple(front_layers),
        end_layers=tuple(end_layers),
        eval_images=500,
        indices=tuple(indices),
        seed=seed,
        **changes,
        definitions=todays(METHODS, indices, changes.get("tlm", TaskLoss())),
    )
    random = np.random.default_rng([seed, len(front)])
    for name, (i, j) in product((*request.methods, *indices), request.cells[: len(request.cells) - lacking]):
        _keep_cell(store, request, name, i, j, number=0.99 * float(random.random()))  # 1.0 looks like a tick
        if request.null and name in INDICES and chance is not None:
            _keep_null(store, request, name, i, j, chance(name, i, j))
    store.put("accuracies", accuracy_key(request, end), {"accuracy": 0.9})
    networks = {"front": _network(front), "end": _network(end)}
    known = {"created": "2026-01-01T00:00:00+00:00", "data": {**DATA, "label": data}}
    return Run(store, {"request": asdict(request), **networks, **known}).save()


def _keep_cell(store: Store, request: Request, name: str, i: str, j: str, number: float) -> None:
    """Put what a method or an index says of a cell into the store, all of it from one number."""
    kept: dict[str, float] = {INDICES[name].metric: number} if name in INDICES else {}
    if name in METHODS:
        kept = {"accuracy": number, "distance": 2 * number}
    store.put("cells", result_key(request, name, i, j), {**kept, **MADE})
    if name in METHODS:
        answers = {"agreement": number, "jsd": 1 - number, "error_consistency": 1.9 * number - 0.95}
        store.put("cells", functional_key(request, name, i, j), {**answers, **MADE, "seconds": 0.0})


def _keep_null(store: Store, request: Request, name: str, i: str, j: str, middle: float) -> None:
    """Put an index's null in a cell into the store, its values up to .5 around ``middle``, or all at 0."""
    null = (middle + (middle > 0) * np.linspace(-0.5, 0.5, request.null)).tolist()
    store.put("cells", result_key(request, NULL + name, i, j), {"null": null, "reason": "", **MADE})


def _network(name: str) -> dict[str, Any]:
    """The record of a network of this name."""
    return Network(
        id=name,
        name=name,
        architecture="resnet14",
        options={},
        classes=("0", "1"),
        channels=1,
        size=8,
        mean=(0.5,),
        std=(0.5,),
        data="digits",
        data_fingerprint=DATA["fingerprint"],
        origin={"how": "trained"},
    ).record()


def layers(count: int, name: str = "layer{}") -> list[str]:
    """So many names of layers."""
    return [name.format(k) for k in range(count)]


def judge(made: Run, detector: str = "knn", doubtful: Sequence[str] = ()) -> None:
    """Put into the store what a detector says of every cell, and Fréchet ratios; it is not believed at some layers."""
    found, random = DetectionResults(made), np.random.default_rng(0)
    how: dict[str, Any] = {"device": "cpu"}
    for j in made.request.end_layers:
        known = {
            "native": {"auroc": [0.5, 0.45, 0.55]},
            "outliers": {"auroc": [0.6 if j in doubtful else 0.95, None, None]},
        }
        keep(
            made.store,
            found.key(detector, NATIVE, "", j),
            {"metrics": known},
            {"scores": _normal(random, 0.0), "outliers.scores": _normal(random, -3.0)},
            how,
        )
        keep(
            made.store,
            found.key("frechet", NATIVE, "", j),
            {"metrics": {"native": {"ratio": [0.01]}, "outliers": {"ratio": [2.0]}}},
            {},
            how,
        )
        for i in made.request.front_layers:
            for method in made.request.methods:
                keep(
                    made.store,
                    found.key(detector, method, i, j),
                    {"metrics": {"auroc": [float(random.uniform(0.5, 1)), None, None]}},
                    {"scores": _normal(random, -1.0)},
                    how,
                )
                keep(
                    made.store,
                    found.key("frechet", method, i, j),
                    {"metrics": {"ratio": [float(random.uniform(0.05, 3))]}},
                    {},
                    how,
                )


def walk(made: Run, front_layer: str, end_layer: str) -> None:
    """Put TLM's walk in a cell into the store; after one epoch its accuracy was undefined."""
    told = {"knn": {"auroc": [0.9, 0.95, 1.0], "shift": [1.0, 2.0, 3.0]}, "frechet": {"ratio": [0.5, 1.0, 1.5]}}
    keep(
        made.store,
        trajectory.key(made, front_layer, end_layer),
        {"epochs": [0, 1, 4], "accuracy": [0.1, None, 0.9], "detectors": told, "images": 500},
        {"plane": torch.zeros(3, 5, 2)},
        {"device": "cpu"},
    )


def _normal(random: np.random.Generator, middle: float) -> torch.Tensor:
    return torch.from_numpy(random.normal(middle, 1.0, 200))
