"""Find how many channels a network's layers have, as far as the store or any run tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stitchlab.results import cut_points
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults
from stitchlab.results.judged_with import judged_with
from stitchlab.results.run import Run


def channels(run: Run, network: str, layers: Sequence[str], others: Iterable[Run] = ()) -> dict[str, int]:
    """Return the number of channels (or features) of layers of a run's front or end network.

    They stand in the network's cut points where those are kept, as of one's own networks, and else in the statistics
    of native activations of a run into it: a file has only those.

    Args:
        run: the run.
        network: the id of its front or end network.
        layers: their names.
        others: runs that are looked at where this one does not tell: its front network may be their end network.

    Returns:
        by layer, those that are known.
    """
    if (cuts := cut_points.kept(run.store, network)) is not None:
        return {layer: layout_of(cuts.find(layer).shape).channels for layer in layers}
    found: dict[str, int] = {}
    for told in (run, *others):
        if told.request.end != network:
            continue
        statistics = DetectionResults(told, judged_with(told))
        for layer in layers:
            mean = statistics.arrays(STATISTICS, NATIVE, "", layer).get("mean", ()) if layer not in found else ()
            found.update({layer: len(mean)} if len(mean) else {})
    return found
