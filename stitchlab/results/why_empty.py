"""Why a number of a run is empty: undefined, as whoever computed it said, or older than its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stitchlab.catalog.indices import INDICES
from stitchlab.request import accuracy_key
from stitchlab.results import chance

if TYPE_CHECKING:
    from stitchlab.results.run import Run

BEFORE = "computed before these were"  # said of the functional metrics of a cell that is older than they are


def why_empty(run: Run, method: str, metric: str, front_layer: str, end_layer: str) -> str:
    """Give the reason of a number that was computed; nothing where it has a value, or its cell is not there yet."""
    there = (method, front_layer, end_layer) in run.cells
    if not there or run.value(method, metric, front_layer, end_layer) is not None:
        return ""
    kept = run.entry(method, metric, front_layer, end_layer)
    if kept is None:
        return BEFORE
    if metric in chance.NUMBERS and kept[INDICES[method].metric] is not None:
        return chance.why_none(run, method, front_layer, end_layer)
    of = INDICES[method].metric if metric in chance.NUMBERS else metric
    if of in kept and kept[of] is None:
        return str(kept.get("reasons", {}).get(of) or kept["reason"])
    if kept["accuracy"] is None:
        return str(kept.get("reasons", {}).get("accuracy") or kept["reason"])
    if run.own_accuracy == 0:
        return "the end network's own accuracy is 0"
    known = run.store.intact("accuracies", accuracy_key(run.request, run.request.end)) is not None
    return "the end network's own logits are not finite" if known else (
        "the end network's own accuracy is not computed yet")
