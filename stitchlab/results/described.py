"""Describe a run as run.json, with everything that others need to get the same numbers again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stitchlab.results import definitions
from stitchlab.results.networks import ROOM as NETWORKS
from stitchlab.results.version import VERSION

if TYPE_CHECKING:
    from stitchlab.results.run import Run


def described(run: Run) -> dict[str, Any]:
    """Describe a run: its request, both networks, how its results were computed, and why some are undefined."""
    request, entries = run.request, [*run.cells.values(), *run.functional.values()]
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
            name: {"version": before, "today": now} for name, (before, now) in definitions.changed(request).items()
        },
        "devices": sorted({entry["device"] for entry in entries}),
        "threads": sorted({entry["threads"] for entry in entries if "threads" in entry}),
        "versions": [dict(pairs) for pairs in sorted({tuple(sorted(entry["versions"].items())) for entry in entries})],
        "seconds": {method: round(_seconds(run, method), 3) for method in request.results},
    }


def _seconds(run: Run, result: str) -> float:
    """Sum the seconds that one kind of result took in all cells, with its functional metrics."""
    return sum(
        entry["seconds"]
        for entries in (run.cells, run.functional)
        for (name, _, _), entry in entries.items()
        if name == result
    )


def _front_accuracy(run: Run) -> float | str | None:
    """Return the front network's own accuracy, or the reason why it has none; None if it is not measured yet."""
    if not run.front_scored:
        return "not defined: it was trained on other classes"
    measured = run.own_accuracy_entry(run.request.front) is not None
    return "not defined: its logits are not finite" if run.front_accuracy is None and measured else run.front_accuracy
