"""Why a number of a cell that was computed is empty: read off what is kept with the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.request import accuracy_key
from stitchlab.results import chance

if TYPE_CHECKING:
    from stitchlab.results.run import Run

DERIVED = ("relative_accuracy", "penalty")  # numbers that follow from the accuracies
CHANCE = (*chance.IN_TABLES, "calibrated")  # numbers of an index where a null was asked for
BEFORE = "computed before these were"  # said of the functional metrics of a cell that is older than they are


def why(run: Run, method: str, metric: str, front_layer: str, end_layer: str) -> str:
    """Say why a run's number is empty where its cell is there; nothing where that is not so."""
    cell = method, front_layer, end_layer
    if cell not in run.cells or run.value(method, metric, front_layer, end_layer) is not None:
        return ""
    kept = (run.functional if metric in FUNCTIONAL else run.cells).get(cell)
    if kept is None:
        return BEFORE
    if metric in CHANCE and kept[INDICES[method].metric] is not None:
        return chance.why_none(run, method, front_layer, end_layer)
    of = "accuracy" if metric in DERIVED else INDICES[method].metric if metric in CHANCE else metric
    if kept[of] is None:
        return str(kept.get("reasons", {}).get(of) or kept["reason"])
    if run.own_accuracy == 0:
        return "the end network's own accuracy is 0"
    known = run.store.intact("accuracies", accuracy_key(run.request, run.request.end)) is not None
    return "the end network's own logits are not finite" if known else (
        "the end network's own accuracy is not computed yet")
