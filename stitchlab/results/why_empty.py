"""Say why a number of a run is empty: it is undefined for a kept reason, or its cell is older than the metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stitchlab.catalog.indices import INDICES
from stitchlab.results import chance
from stitchlab.results.records import number, reason

if TYPE_CHECKING:
    from stitchlab.results.run import Run

BEFORE = "computed before these existed"  # the reason where a cell was computed before there were functional metrics


def why_empty(run: Run, method: str, metric: str, front_layer: str, end_layer: str) -> str:
    """Say why a number of a computed cell is empty.

    Args:
        run, method, metric: the run, and which number.
        front_layer, end_layer: of the cell.

    Returns:
        an empty text if the number is not empty, or the cell is not computed yet.

    Raises:
        UnknownName: as `Run.value`.
    """
    computed = (method, front_layer, end_layer) in run.cells
    if not computed or run.value(method, metric, front_layer, end_layer) is not None:
        return ""
    entry = run.entry(method, metric, front_layer, end_layer)
    if entry is None:
        return BEFORE
    if metric in chance.NUMBERS and number(entry, INDICES[method].metric) is not None:
        return chance.why_none(run, method, front_layer, end_layer)
    own_metric = INDICES[method].metric if metric in chance.NUMBERS else metric
    if own_metric in entry and number(entry, own_metric) is None:
        return reason(entry, own_metric)
    if entry["accuracy"] is None:
        return reason(entry, "accuracy")
    if run.own_accuracy == 0:
        return "the end network's own accuracy is 0"
    if run.own_accuracy_entry(run.request.end) is not None:
        return "the end network's own logits are not finite"
    return "the end network's own accuracy is not computed yet"
