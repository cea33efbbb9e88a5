"""List where a network can be cut (command ``layers``); code that computes is imported only if it is needed."""

from __future__ import annotations

import argparse
import json

from stitchlab.catalog import architectures
from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.cli import Command, table
from stitchlab.errors import UnknownName
from stitchlab.results import cut_points, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the command to a parser."""
    layers = command("layers", _layers, "List where a network can be cut.")
    layers.add_argument("network", metavar="NETWORK|ARCH")
    layers.add_argument("--size", type=int, metavar="S", help="pixels a side of the images")
    layers.add_argument("--json", action="store_true", help="a list of {name, shape, default}")


def _layers(options: argparse.Namespace, store: Store) -> None:
    cuts = _cuts(options.network, options.size, store)
    if options.json:
        print(json.dumps([{"name": p.name, "shape": p.shape, "default": p.default} for p in cuts.points]))
        return
    table(
        ("layer", "shape", "default", "parameters", "share of arithmetic", "same output"),
        (
            (
                p.name,
                "×".join(map(str, p.shape)),
                "default" if p.default else "",
                p.parameters,
                f"{p.flops / max(1, cuts.flops):.3f}",
                " ".join(p.aliases),
            )
            for p in cuts.points
        ),
    )


def _cuts(name: str, size: int | None, store: Store) -> Cuts:
    """Find the cut points of a network in the store, or of an architecture for ten classes of colour images."""
    stored = networks.list_networks(store)
    if name not in {n.name for n in stored} and (name in ARCHITECTURES or "/" in name or ":" in name):
        return _of_architecture(name, size)
    try:
        network = networks.find(store, name)
    except UnknownName as error:
        known_names = [*(n.name for n in stored), *architectures.offered_names()]
        raise UnknownName("network or architecture", name, known_names) from error
    if size is None or size == network.size:
        return cut_points.kept(store, network.id) or _computed(store, network)
    return _at_another_size(store, network, size)


def _of_architecture(name: str, size: int | None) -> Cuts:
    from stitchlab.models import zoo
    from stitchlab.models.cut_points import cut_points_at_size

    architecture = zoo.architecture(name)
    return cut_points_at_size(architecture, architecture.size if size is None else size)


def _computed(store: Store, network: networks.Network) -> Cuts:
    from stitchlab.models.cut_points import cut_points_of_any

    return cut_points_of_any(store, network)


def _at_another_size(store: Store, network: networks.Network, size: int) -> Cuts:
    from stitchlab.cutting.layered import Layered
    from stitchlab.models import store as model_store

    module = model_store.load(network.id, store, device="cpu").module
    return Layered(module, (network.channels, size, size))
