"""Finds the cut points of a network without running it: on a graph without any numbers, once; they are kept.

Only where a graph cannot be traced is the network itself loaded, and tried by hooks.
"""

from __future__ import annotations

import contextlib
from itertools import islice

from stitchlab.cutting.fx_graph import Graph
from stitchlab.cutting.layered import Layered
from stitchlab.cutting.tracing import Untraceable
from stitchlab.errors import StitchLabError
from stitchlab.models import store as model_store
from stitchlab.models import zoo
from stitchlab.models.zoo import Architecture
from stitchlab.results.cut_points import Cuts, keep, kept
from stitchlab.results.networks import Network
from stitchlab.store import Store

SIZES = (8, 16, 28, 32, 48, 64, 75, 96, 112, 128, 160, 192, 224, 256, 299, 384, 448, 512)  # that are tried for advice


def outline(store: Store, network: Network) -> Cuts:
    """Find the cut points of a network of the store, at the size of its input, or read those that are kept.

    Raises StitchLabError where images of that size do not fit (sizes that do are named), or it can be cut nowhere.
    """
    if (known := kept(store, network.id)) is None:
        known = of_architecture(model_store.architecture(network), network, store)
        keep(store, network.id, known)
    return known


def of_architecture(found: Architecture, network: Network, store: Store | None = None) -> Cuts:
    """Find the cut points of what this architecture builds for a network.

    Args:
        found: the architecture.
        network: the record, with the classes, channels and size that it is built for.
        store: where its weights are, which count only where it cannot be traced and must be run; None: fresh ones do.

    Raises:
        StitchLabError: images of that size do not fit (sizes that do are named), or it can be cut nowhere.
    """
    what = model_store.arguments(network)
    try:
        graph = Graph(zoo.sketch(found, **what), network.input)
        return Cuts(graph.points, graph.flops, graph.nodes, traced=True)
    except Untraceable:
        there = store is not None and network.id
        module = (
            model_store.load(network.id, store, device="cpu").module if there else model_store.build(network, found)
        )
        return Layered(module.eval(), network.input)
    except StitchLabError as error:
        near = _nearest(found, network)
        if not near:
            raise
        raise StitchLabError(
            f"{found.name} does not take images of {network.size}×{network.size} pixels ({error}); sizes that it "
            f"takes: {', '.join(map(str, near))}"
        ) from error


def _nearest(found: Architecture, network: Network) -> list[int]:
    """The three sizes nearest to a network's that its architecture takes; no further one is tried, since that costs."""
    by_distance = sorted(set(SIZES) - {network.size}, key=lambda size: (abs(size - network.size), size))
    return sorted(islice((size for size in by_distance if _fits(found, network, size)), 3))


def _fits(found: Architecture, network: Network, size: int) -> bool:
    with contextlib.suppress(StitchLabError):
        Graph(zoo.sketch(found, **(model_store.arguments(network) | {"size": size})), (network.channels, size, size))
        return True
    return False
