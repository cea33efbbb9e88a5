"""Runs with invented numbers, for tests of what reads them: any layers, any names, nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stitchlab.catalog.indices import INDICES
from stitchlab.request import METHODS, Request, TaskLoss, accuracy_key
from stitchlab.results.definitions import todays
from stitchlab.results.keys import result_key
from stitchlab.results.run import Run
from stitchlab.store import Store

MADE = {"device": "cpu", "versions": {"torch": "2"}, "seconds": 0.1}


def run(
    store: Store, front_layers: Sequence[str], end_layers: Sequence[str], *, front: str = "net-a", end: str = "net-b",
    data: str = "Digits", indices: Sequence[str] = ("cka",), lacking: int = 0, seed: int = 0, **changes: Any,
) -> Run:
    """A run whose cells are in the store, but for the last ``lacking`` of each method and index."""
    request = Request(front=front, end=end, data="0" * 64, front_layers=tuple(front_layers),
                      end_layers=tuple(end_layers), eval_images=500, indices=tuple(indices), seed=seed, **changes,
                      definitions=todays(METHODS, indices, changes.get("tlm", TaskLoss())))
    random = np.random.default_rng([seed, len(front)])
    for name in (*request.methods, *indices):
        for i, j in request.cells[:len(request.cells) - lacking]:
            number = 0.99 * float(random.random())  # what is written as 1.0 looks like a tick
            kept = {"accuracy": number, "distance": 2 * number} if name in METHODS else {INDICES[name].metric: number}
            store.put("cells", result_key(request, name, i, j), {**kept, **MADE})
    store.put("accuracies", accuracy_key(request, end), {"accuracy": 0.9})
    networks = {side: {"name": name, "id": name, "architecture": "resnet14", "classes": ["0", "1"]}
                for side, name in (("front", front), ("end", end))}
    return Run(store, {
        "request": asdict(request), **networks, "created": "2026-01-01T00:00:00+00:00",
        "data": {"name": "digits", "label": data, "fingerprint": "0" * 64, "shape": [1, 8, 8], "classes": ["0", "1"],
                 "train": 1000, "test": 500}}).save()


def layers(count: int, name: str = "layer{}") -> list[str]:
    """So many names of layers."""
    return [name.format(k) for k in range(count)]
