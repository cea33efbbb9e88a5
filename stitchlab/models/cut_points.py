"""What is known of a network without running it: its cut points, found once on a graph without any numbers, and kept.

Only where a graph cannot be traced is the network itself loaded, and tried by hooks.
"""

from __future__ import annotations

import contextlib
from importlib import metadata

import torchvision

from stitchlab.cutting.fx_graph import Graph
from stitchlab.cutting.layered import Layered
from stitchlab.cutting.points import Cuts
from stitchlab.cutting.tracing import Untraceable
from stitchlab.errors import StitchLabError
from stitchlab.models import store as networks
from stitchlab.models import zoo
from stitchlab.models.store import Network
from stitchlab.models.zoo import Architecture, timm_models
from stitchlab.request import content_id
from stitchlab.store import Store

ROOM = "layers"
VERSION = 2  # of how cut points are found and named
SIZES = (8, 16, 28, 32, 48, 64, 75, 96, 112, 128, 160, 192, 224, 256, 299, 384, 448, 512)  # that are tried for advice


def outline(store: Store, network: Network) -> Cuts:
    """The cut points of a network, at the size of its input.

    Raises StitchLabError where images of that size do not fit (sizes that do are named), or it can be cut nowhere.
    """
    # Kept by architecture, or, where weights had to be tried, by network: others of its architecture differ.
    for whose in ("", network.id):
        if (kept := store.intact(ROOM, _key(network, whose))) is not None:
            return Cuts.from_record(kept)
    cuts = of_architecture(networks.architecture(network), network, store)
    store.put(ROOM, _key(network, "" if cuts.traced else network.id), cuts.record())
    return cuts


def _key(network: Network, whose: str) -> str:
    by_timm = network.architecture.startswith(timm_models.PREFIX)
    return content_id({
        "architecture": network.architecture, "options": network.options, "classes": len(network.classes),
        "input": network.input, "code": network.code and network.code.sha256, "version": VERSION, "network": whose,
        "torchvision": torchvision.__version__, "timm": metadata.version("timm") if by_timm else None,
    })


def of_architecture(found: Architecture, network: Network, store: Store | None = None) -> Cuts:
    """The cut points of what this architecture builds for a network; its weights count only where it must be run."""
    what = networks.arguments(network)
    try:
        graph = Graph(zoo.sketch(found, **what), network.input)
        return Cuts(graph.points, graph.flops, graph.nodes, traced=True)
    except Untraceable:
        kept = store is not None and network.id
        module = networks.load(store, network.id).module if store and kept else networks.build(network, found).eval()
        assert module is not None
        return Layered(module, network.input)
    except StitchLabError as error:
        fit = [size for size in SIZES if size != network.size and _fits(found, network, size)]
        if not fit:
            raise
        near = sorted(sorted(fit, key=lambda size: abs(size - network.size))[:3])
        raise StitchLabError(
            f"{found.name} does not take images of {network.size}×{network.size} pixels ({error}); sizes that it "
            f"takes: {', '.join(map(str, near))}"
        ) from error


def _fits(found: Architecture, network: Network, size: int) -> bool:
    with contextlib.suppress(StitchLabError):
        Graph(zoo.sketch(found, **(networks.arguments(network) | {"size": size})), (network.channels, size, size))
        return True
    return False
