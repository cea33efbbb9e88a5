"""Describe a run as run.json, so that others can get the same numbers again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stitchlab.results import definitions
from stitchlab.results.keys import accuracy_key
from stitchlab.results.networks import ROOM as NETWORKS
from stitchlab.results.version import VERSION

if TYPE_CHECKING:
    from stitchlab.results.run import Run


def described(run: Run) -> dict[str, Any]:
    """Describe a run: its request, both networks, how its results were computed, and why some are undefined."""
    request, made = run.request, [*run.cells.values(), *run.functional.values()]
    return {
        "id": run.id,
        "stitchlab": VERSION,
        **run.record,
        "request": asdict(request),
        "weights": {
            side: run.store.checksum(NETWORKS, network)
            for side, network in (("front", request.front), ("end", request.end))
            if network
        },
        "own_accuracy": run.own_accuracy,
        "front_accuracy": _front_accuracy(run),
        "complete": run.complete,
        "undefined": run.undefined(),
        "earlier_definitions": {
            name: {"version": was, "today": now} for name, (was, now) in definitions.changed(request).items()
        },
        "devices": sorted({cell["device"] for cell in made}),
        "threads": sorted({cell["threads"] for cell in made if "threads" in cell}),
        "versions": [dict(pairs) for pairs in sorted({tuple(sorted(cell["versions"].items())) for cell in made})],
        "seconds": {
            method: round(
                sum(
                    cell["seconds"]
                    for of in (run.cells, run.functional)
                    for (name, _, _), cell in of.items()
                    if name == method
                ),
                3,
            )
            for method in request.results
        },
    }


def _front_accuracy(run: Run) -> float | str | None:
    """Return the front network's own accuracy, or the reason why it has none."""
    if not run.front_scored:
        return "not defined: it was trained on other classes"
    kept = run.store.intact("accuracies", accuracy_key(run.request, run.request.front))
    return (
        "not defined: its logits are not finite"
        if run.front_accuracy is None and kept is not None
        else (run.front_accuracy)
    )
