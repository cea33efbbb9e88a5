"""Find the number of channels of a network's layers, in its cut points or in the statistics of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stitchlab.results import cut_points
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.detection import NATIVE, STATISTICS, DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.run import Run


def channels(run: Run, network: str, layers: Sequence[str], others: Iterable[Run] = ()) -> dict[str, int]:
    """Return the number of channels (or features) of layers of a run's front or end network.

    It comes from the network's cut points, if the store has them. A .stitch file has no cut points: there it comes from
    the statistics of native activations, in a run with this network as the end.

    Args:
        run: the run.
        network: the id of its front or end network.
        layers: names of the network's layers.
        others: more runs to search: their end network may be this run's front network.

    Returns:
        by layer; layers without a known number are left out.
    """
    if (cuts := cut_points.kept(run.store, network)) is not None:
        return {layer: layout_of(cuts.find(layer).shape).channels for layer in layers}
    counts: dict[str, int] = {}
    for each in (run, *others):
        if each.request.end != network:
            continue
        results = DetectionResults(each, fullest_settings(each))
        for layer in layers:
            mean = results.arrays(STATISTICS, NATIVE, "", layer).get("mean", ()) if layer not in counts else ()
            counts.update({layer: len(mean)} if len(mean) else {})
    return counts
