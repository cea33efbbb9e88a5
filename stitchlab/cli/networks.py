"""Make, list and change networks and data (commands train, import, networks, data).

Code that computes is imported only where it is needed: listing, renaming and deleting work without PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from stitchlab.catalog.architectures import ARCHITECTURES
from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.catalog.training_recipes import AUGMENTATION_STEPS, Attack
from stitchlab.cli import Command, Parser, bar, fraction, integers, named_values, names, numbers, table
from stitchlab.results import data_sets, networks
from stitchlab.store import Store

ARCH = (
    f"one of {', '.join(ARCHITECTURES)}; torchvision/NAME; timm/NAME; or your own code, FILE.py:CALLABLE or "
    "MODULE:CALLABLE, which is run"
)


def add(command: Command) -> None:
    """Add the commands; ``command`` makes the parser of each."""
    train = command("train", _train, "Train a network and keep it.")
    train.add_argument("arch", metavar="ARCH", help=ARCH)
    train.add_argument("--name", help="the network's name; with --seeds, -sSEED is appended")
    _training_arguments(train)
    bring = command("import", _import, "Import weights: safetensors or a torch state dict.")
    _import_arguments(bring)
    for parser in (train, bring):
        parser.add_argument("--data", required=True, help="a data set's name, or folder:PATH, or folder:PATH@SIZE")
        parser.add_argument(
            "--options",
            type=named_values,
            default={},
            metavar="NAME=VALUE,…",
            help="options of the architecture; resnet18: width, widths=equal, maps=equal; mlp: width, depth",
        )
        parser.add_argument("--size", type=int, metavar="S", help="pixels a side of its input (default: as the images)")
    listing = command("networks", _networks, "List the networks in the store.")
    change = listing.add_mutually_exclusive_group()
    change.add_argument("--rename", nargs=2, metavar=("NETWORK", "NAME"), help="rename one")
    change.add_argument("--delete", metavar="NETWORK", help="delete one; results computed with it are kept")
    data = command("data", _data, "List the data sets, or load one.")
    data.add_argument("data", nargs="?", metavar="DATA", help="load this one: a name, folder:PATH or folder:PATH@SIZE")
    for parser in (train, bring, data):
        parser.add_argument(
            "--download", action="store_true", help="download what is missing: the data set, the weights"
        )


def _training_arguments(train: Parser) -> None:
    add = train.add_argument
    add("--epochs", type=int, metavar="E", help="passes over the training images")
    add("--seeds", type=integers, metavar="S,S", help="train several networks, one for each seed")
    add("--untrained", action="store_true", help="do not train: keep it with its initial weights")
    add(
        "--augment",
        type=names,
        metavar="A,A",
        help=f"any of {', '.join(AUGMENTATION_STEPS)}; '' for none (default: all for natural images, else none)",
    )
    add("--label-noise", type=float, default=0.0, metavar="P", help="share 0..1 of labels replaced by another class's")
    add(
        "--adversarial",
        type=fraction,
        metavar="EPS",
        help="train against PGD in an ℓ∞ ball of this radius, such as 8/255 (pixels are 0..1)",
    )
    add("--pgd-steps", type=int, default=Attack.steps, metavar="N", help=f"steps of PGD (default: {Attack.steps})")


def _import_arguments(bring: Parser) -> None:
    add = bring.add_argument
    add("weights", metavar="WEIGHTS", help="a file; for torchvision/NAME also DEFAULT, IMAGENET1K_V1, …")
    add("--arch", required=True, metavar="ARCH", help=ARCH)
    add("--name", required=True, help="the network's name")
    add(
        "--mean",
        type=numbers,
        metavar="R,G,B",
        help="mean by which its training inputs were normalised, pixels in 0..1 (default: that of the training images)",
    )
    add("--std", type=numbers, metavar="R,G,B", help="standard deviation likewise")
    add(
        "--replace",
        action="store_true",
        help="replace the network that has this name; results computed with that network are kept",
    )
    add(
        "--classes",
        type=int,
        metavar="N",
        help="number of outputs; if the data has another number of classes, accuracy is not defined",
    )


def _train(options: argparse.Namespace, store: Store) -> None:
    from stitchlab.data import registry as datasets
    from stitchlab.models import create
    from stitchlab.models.device import pick_device

    images = datasets.load(options.data, store, report=bar(), download=options.download)
    settings: dict[str, Any] = {"options": options.options, "size": options.size, "device": pick_device(options.device)}
    attack = None if options.adversarial is None else Attack(options.adversarial, options.pgd_steps)
    seeds = options.seeds or [options.seed]
    name_of_seed = {
        seed: options.name if options.seeds is None or options.name is None else f"{options.name}-s{seed}"
        for seed in seeds
    }
    for name in filter(None, name_of_seed.values()):
        networks.check_name_free(store, name)  # checked for all networks before any is trained
    trained = []
    for seed, name in name_of_seed.items():
        if options.untrained:
            trained.append(create.untrained(options.arch, images, store, name=name, seed=seed, **settings))
        else:
            trained.append(
                create.train(
                    options.arch,
                    images,
                    store,
                    name=name,
                    seed=seed,
                    epochs=options.epochs,
                    augment=options.augment,
                    label_noise=options.label_noise,
                    attack=attack,
                    report=bar(),
                    **settings,
                )
            )
    _table(trained)


def _import(options: argparse.Namespace, store: Store) -> None:
    from stitchlab.models import importing
    from stitchlab.models.device import pick_device

    network = importing.import_weights(
        options.weights,
        store,
        arch=options.arch,
        data=options.data,
        name=options.name,
        mean=options.mean,
        std=options.std,
        classes=options.classes,
        options=options.options,
        size=options.size,
        replace=options.replace,
        download=options.download,
        device=pick_device(options.device),
        report=bar(),
    )
    _table([network])
    if remark := network.origin.get("remark"):
        print(f"{network.name}: {remark}", file=sys.stderr)


def _networks(options: argparse.Namespace, store: Store) -> None:
    if options.delete:
        print(f"deleted {networks.delete(store, options.delete).name}; results computed with it are kept")
    elif options.rename:
        _table([networks.rename(store, *options.rename)])
    else:
        _table(networks.list_networks(store))


def _table(rows: Iterable[networks.Network]) -> None:
    table(
        ("name", "architecture", "data", "accuracy", "parameters", "seed", "how", "id"),
        (
            (
                n.name,
                n.architecture,
                n.data,
                n.unmeasured if n.accuracy is None else f"{n.accuracy:.4f}",
                n.parameters or "",
                n.seed,
                n.origin.get("how"),
                n.short,
            )
            for n in rows
        ),
    )


def _data(options: argparse.Namespace, store: Store) -> None:
    if options.data:
        from stitchlab.data import registry as datasets

        datasets.load(options.data, store, report=bar(), download=options.download)
    records = {record.name: record for record in data_sets.known(store)}
    table(
        ("name", "training images", "test images", "shape", "what"),
        (
            (
                name,
                *(
                    (records[name].train, records[name].test, "×".join(map(str, records[name].shape)))
                    if name in records
                    else ("", "", "")
                ),
                DATA_SETS[name].description if name in DATA_SETS else records[name].label,
            )
            for name in (*DATA_SETS, *(name for name in records if name not in DATA_SETS))
        ),
    )
