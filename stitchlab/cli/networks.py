"""Commands that make, list and change networks and data: train, import, networks, data, layers.

What computes is imported where it is needed: listing, renaming and deleting run where there is no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from stitchlab.catalog import architectures
from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Attack
from stitchlab.cli import Command, Parser, bar, fraction, names, numbers, pairs, table, whole
from stitchlab.errors import UnknownName
from stitchlab.results import cut_points, data_sets, networks
from stitchlab.results.cut_points import Cuts
from stitchlab.store import Store

ARCH = f"one of {', '.join(ARCHITECTURES)}; torchvision/NAME; timm/NAME; or your own code, FILE.py:CALLABLE or " \
       "MODULE:CALLABLE, which is run"


def add(command: Command) -> None:
    """Add the commands to a parser."""
    train = command("train", _train, "Train a network and keep it.")
    train.add_argument("arch", metavar="ARCH", help=ARCH)
    train.add_argument("--name", help="what to call it; with several seeds, -sSEED is put behind")
    _training_arguments(train)
    bring = command("import", _import, "Bring somebody's weights: safetensors or a torch state dict.")
    bring.add_argument("weights", metavar="WEIGHTS", help="a file; for torchvision/NAME also DEFAULT, IMAGENET1K_V1, …")
    bring.add_argument("--arch", required=True, metavar="ARCH", help=ARCH)
    bring.add_argument("--name", required=True, help="what to call it")
    bring.add_argument("--mean", type=numbers, metavar="R,G,B",
                       help="mean that it was trained with, of pixels in 0..1 (default: that of the training images)")
    bring.add_argument("--std", type=numbers, metavar="R,G,B",
                       help="deviation likewise")
    bring.add_argument("--replace", action="store_true",
                       help="in place of the network that has this name; results computed with that stay")
    bring.add_argument("--classes", type=int, metavar="N",
                       help="number of outputs; where the data has others, accuracy is not defined")
    for made in (train, bring):
        made.add_argument("--data", required=True, help="a data set's name, or folder:PATH, or folder:PATH@SIZE")
        made.add_argument("--options", type=pairs, default={}, metavar="NAME=VALUE,…",
                          help="of the architecture: of resnet18 width, widths=equal, maps=equal; of mlp width, depth")
        made.add_argument("--size", type=int, metavar="S", help="pixels a side of its input (default: the images')")
    known = command("networks", _networks, "List the networks in the store.")
    change = known.add_mutually_exclusive_group()
    change.add_argument("--rename", nargs=2, metavar=("NETWORK", "NAME"), help="call one otherwise")
    change.add_argument("--delete", metavar="NETWORK", help="delete one; results computed with it stay")
    data = command("data", _data, "List the data sets, or bring one in.")
    data.add_argument("data", nargs="?", metavar="DATA", help="load this one: a name, folder:PATH or folder:PATH@SIZE")
    for made in (train, bring, data):
        made.add_argument("--download", action="store_true", help="fetch what is not here: the data set, the weights")
    layers = command("layers", _layers, "List where a network can be cut.")
    layers.add_argument("network", metavar="NETWORK|ARCH")
    layers.add_argument("--size", type=int, metavar="S", help="pixels a side of the images")
    layers.add_argument("--json", action="store_true", help="a list of {name, shape, default}")


def _training_arguments(train: Parser) -> None:
    add = train.add_argument
    add("--epochs", type=int, metavar="E", help="passes over the training images")
    add("--seeds", type=whole, metavar="S,S", help="several networks in one go, one for each seed")
    add("--untrained", action="store_true", help="keep it with the weights that it is built with")
    add("--augment", type=names, metavar="A,A",
        help=f"of {', '.join(AUGMENTATION_STEPS)}, or nothing: '' (default: all for natural images, else nothing)")
    add("--label-noise", type=float, default=0.0, metavar="P", help="share 0..1 of labels replaced by another class's")
    add("--adversarial", type=fraction, metavar="EPS",
        help="train against PGD in an ℓ∞ ball of this radius, for pixels in 0..1: 8/255")
    add("--pgd-steps", type=int, default=Attack.steps, metavar="N", help=f"its steps (default: {Attack.steps})")


def _train(options: argparse.Namespace, store: Store) -> None:
    from stitchlab.data import registry as datasets
    from stitchlab.models import create
    from stitchlab.models.device import pick_device

    images = datasets.load(options.data, store, report=bar(), download=options.download)
    what: dict[str, Any] = {"options": options.options, "size": options.size, "device": pick_device(options.device)}
    attack = None if options.adversarial is None else Attack(options.adversarial, options.pgd_steps)
    seeds = options.seeds or [options.seed]
    called = {seed: options.name if options.seeds is None or options.name is None else f"{options.name}-s{seed}"
              for seed in seeds}
    for name in filter(None, called.values()):
        networks.free_name(store, name)  # of all of them, before any is trained
    made = []
    for seed, name in called.items():
        if options.untrained:
            made.append(create.untrained(options.arch, images, store, name=name, seed=seed, **what))
        else:
            made.append(create.train(
                options.arch, images, store, name=name, seed=seed, epochs=options.epochs, augment=options.augment,
                label_noise=options.label_noise, attack=attack, report=bar(), **what))
    _table(made)


def _import(options: argparse.Namespace, store: Store) -> None:
    from stitchlab.models import importing
    from stitchlab.models.device import pick_device

    made = importing.import_weights(
        options.weights, store, arch=options.arch, data=options.data, name=options.name, mean=options.mean,
        std=options.std, classes=options.classes, options=options.options, size=options.size, replace=options.replace,
        download=options.download, device=pick_device(options.device), report=bar(),
    )
    _table([made])
    if remark := made.origin.get("remark"):
        print(f"{made.name}: {remark}", file=sys.stderr)


def _networks(options: argparse.Namespace, store: Store) -> None:
    if options.delete:
        print(f"deleted {networks.delete(store, options.delete).name}; results computed with it are kept")
    elif options.rename:
        _table([networks.rename(store, *options.rename)])
    else:
        _table(networks.list_networks(store))


def _table(made: Iterable[networks.Network]) -> None:
    table(("name", "architecture", "data", "accuracy", "parameters", "seed", "how", "id"), (
        (n.name, n.architecture, n.data, n.unmeasured if n.accuracy is None else f"{n.accuracy:.4f}",
         n.parameters or "", n.seed, n.origin.get("how"), n.short) for n in made
    ))


def _data(options: argparse.Namespace, store: Store) -> None:
    if options.data:
        from stitchlab.data import registry as datasets

        datasets.load(options.data, store, report=bar(), download=options.download)
    used = {record.name: record for record in data_sets.known(store)}
    table(("name", "training images", "test images", "shape", "what"), (
        (name, *((used[name].train, used[name].test, "×".join(map(str, used[name].shape)))
                 if name in used else ("", "", "")),
         DATA_SETS[name].description if name in DATA_SETS else used[name].label)
        for name in (*DATA_SETS, *(name for name in used if name not in DATA_SETS))
    ))


def _layers(options: argparse.Namespace, store: Store) -> None:
    cuts = _cuts(options.network, options.size, store)
    if options.json:
        print(json.dumps([{"name": p.name, "shape": p.shape, "default": p.default} for p in cuts.points]))
        return
    table(("layer", "shape", "default", "parameters", "share of arithmetic", "same output"), (
        (p.name, "×".join(map(str, p.shape)), "default" if p.default else "", p.parameters,
         f"{p.flops / max(1, cuts.flops):.3f}", " ".join(p.aliases)) for p in cuts.points
    ))


def _cuts(name: str, size: int | None, store: Store) -> Cuts:
    """Find the cut points of a network in the store, or of an architecture for ten classes of colour images."""
    known = networks.list_networks(store)
    if name not in {n.name for n in known} and (name in ARCHITECTURES or "/" in name or ":" in name):
        return _of_architecture(name, size)
    try:
        network = networks.find(store, name)
    except UnknownName as error:
        there = [*(n.name for n in known), *architectures.known()]
        raise UnknownName("network or architecture", name, there) from error
    if size is None or size == network.size:
        return cut_points.kept(store, network.id) or _found(store, network)
    return _at_another_size(store, network, size)


def _of_architecture(name: str, size: int | None) -> Cuts:
    from stitchlab.models import zoo
    from stitchlab.models.cut_points import of_architecture

    found = zoo.architecture(name)
    size = found.size if size is None else size
    found.check_size(size)
    return of_architecture(found, networks.Network(
        name="", architecture=found.name, options=found.resolve(), classes=tuple("0123456789"), channels=3, size=size,
        mean=(), std=(), data="", data_fingerprint="", origin={}, code=found.code))


def _found(store: Store, network: networks.Network) -> Cuts:
    from stitchlab.models.cut_points import outline

    return outline(store, network)


def _at_another_size(store: Store, network: networks.Network, size: int) -> Cuts:
    from stitchlab.cutting.layered import Layered
    from stitchlab.models import store as model_store

    module = model_store.load(network.id, store, device="cpu").module
    return Layered(module, (network.channels, size, size))
