"""Finds the cut points of a network once, on a graph traced without numbers, and keeps them in the store.

Only a network that cannot be traced is loaded and run, with hooks.
"""

from __future__ import annotations

import contextlib
from itertools import islice

from stitchlab.cutting.fx_graph import TracedNetwork
from stitchlab.cutting.layered import Layered
from stitchlab.cutting.tracing import Untraceable
from stitchlab.errors import StitchLabError
from stitchlab.models import store as model_store
from stitchlab.models import zoo
from stitchlab.models.zoo import Architecture
from stitchlab.results.cut_points import Cuts, keep, kept
from stitchlab.results.networks import Network
from stitchlab.store import Store

SUGGESTED_SIZES = (8, 16, 28, 32, 48, 64, 75, 96, 112, 128, 160, 192, 224, 256, 299, 384, 448, 512)  # px


def cut_points_of_any(store: Store, network: Network) -> Cuts:
    """Read the cut points of a network of the store, or find them and keep them.

    Raises StitchLabError where images of the network's size do not fit (sizes that fit are named), or there is no cut
    point.
    """
    if (cuts := kept(store, network.id)) is None:
        cuts = cut_points_of_architecture(model_store.architecture(network), network, store)
        keep(store, network.id, cuts)
    return cuts


def cut_points_of_architecture(architecture: Architecture, network: Network, store: Store | None = None) -> Cuts:
    """Find the cut points of the module that an architecture builds for a network.

    Args:
        architecture: which builds the module.
        network: the record, with the classes, channels and size that it is built for.
        store: where the network's weights are, which are needed only where it cannot be traced; None: fresh weights.

    Raises:
        StitchLabError: images of the network's size do not fit (sizes that fit are named), or there is no cut point.
    """
    arguments = model_store.arguments(network)
    try:
        graph = TracedNetwork(zoo.sketch(architecture, **arguments), network.input)
        return Cuts(graph.points, graph.flops, graph.nodes, traced=True)
    except Untraceable:
        if store is not None and network.id:
            module = model_store.load(network.id, store, device="cpu").module
        else:
            module = model_store.build(network, architecture)
        return Layered(module.eval(), network.input)
    except StitchLabError as error:
        sizes = _nearest_sizes(architecture, network)
        if not sizes:
            raise
        raise StitchLabError(
            f"{architecture.name} does not take images of {network.size}×{network.size} pixels ({error}); sizes that "
            f"it takes: {', '.join(map(str, sizes))}"
        ) from error


def cut_points_at_size(architecture: Architecture, size: int) -> Cuts:
    """Find the cut points of an architecture for ten classes of colour images of ``size`` pixels a side.

    Raises StitchLabError where images of this size do not fit, or there is no cut point.
    """
    architecture.check_size(size)
    network = Network(
        name="",
        architecture=architecture.name,
        options=architecture.resolve(),
        classes=tuple("0123456789"),
        channels=3,
        size=size,
        mean=(),
        std=(),
        data="",
        data_fingerprint="",
        origin={},
        code=architecture.code,
    )
    return cut_points_of_architecture(architecture, network)


def _nearest_sizes(architecture: Architecture, network: Network) -> list[int]:
    """List the three sizes nearest to the network's that its architecture takes; no more are tried, to save time."""
    by_distance = sorted(set(SUGGESTED_SIZES) - {network.size}, key=lambda size: (abs(size - network.size), size))
    return sorted(islice((size for size in by_distance if _fits(architecture, network, size)), 3))


def _fits(architecture: Architecture, network: Network, size: int) -> bool:
    with contextlib.suppress(StitchLabError):
        arguments = model_store.arguments(network) | {"size": size}
        TracedNetwork(zoo.sketch(architecture, **arguments), (network.channels, size, size))
        return True
    return False
