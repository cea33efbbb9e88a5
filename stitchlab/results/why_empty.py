"""Say why a number of a run is empty: undefined, as whoever computed it said, or older than its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stitchlab.catalog.indices import INDICES
from stitchlab.results import chance
from stitchlab.results.keys import accuracy_key

if TYPE_CHECKING:
    from stitchlab.results.run import Run

BEFORE = "computed before these existed"  # said of the functional metrics of a cell that is older than they are


def why_empty(run: Run, method: str, metric: str, front_layer: str, end_layer: str) -> str:
    """Say why a number of a computed cell is empty.

    Args:
        run, method, metric: the run, and which number.
        front_layer, end_layer: of the cell.

    Returns:
        an empty text if it is not empty, or the cell is not computed yet.

    Raises:
        UnknownName: as `Run.value`.
    """
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
    return (
        "the end network's own logits are not finite"
        if known
        else ("the end network's own accuracy is not computed yet")
    )
