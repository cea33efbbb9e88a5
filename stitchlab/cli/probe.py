"""Probe the layers of networks (command ``probe``); code that computes is imported only if results are missing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stitchlab.cli import Command, bar, names
from stitchlab.export.files import write_whole
from stitchlab.export.options import SIZES, Options
from stitchlab.export.probes import MEDIA_TYPES, caption, maker, probes_csv
from stitchlab.results import cut_points, networks
from stitchlab.results.probes import TRAIN_IMAGES, Probes, find
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the command to a parser."""
    say = command(
        "probe",
        _probe,
        "How well a linear classifier predicts the classes from each layer of a network "
        "(linear probes). Writes CSV: network,layer,accuracy,train_accuracy,reason.",
    ).add_argument
    say("networks", nargs="+", metavar="NETWORK", help="name or id of a network; several become one table, one figure")
    say("--data", help="a data set's name, or folder:PATH (default: each network's own)")
    say("--layers", type=names, metavar="L,L", help="default: all blocks; `layers NETWORK` lists what there is")
    say(
        "--train-images",
        type=int,
        metavar="N",
        help=f"the first N of the training split's permutation (default: all, at most {TRAIN_IMAGES:,})",
    )
    say("--eval-images", type=int, metavar="M", help="test images of the evaluation (default: all)")
    say(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"the suffix sets the format: {', '.join('.' + s for s in MEDIA_TYPES)} (default: CSV on stdout)",
    )
    say("--size", choices=tuple(SIZES), default=Options.size, help=f"of a figure (default: {Options.size})")
    say("--dark", action="store_true", help="light letters on a dark ground")
    say("--download", action="store_true", help="download the data set if it is missing")


def _probe(options: argparse.Namespace, store: Store) -> None:
    suffix = "csv" if options.out is None else options.out.suffix.removeprefix(".").lower()
    make = maker(suffix)  # refused before anything is computed
    looks = Options(size=options.size, dark=options.dark)
    chosen = dict.fromkeys(networks.find(store, name).id for name in options.networks)
    data = _data(options, store)
    shown = [_probed(options, store, network, data) for network in chosen]
    if options.out is None:
        print(probes_csv(shown), end="")
        return
    print(write_whole(options.out.expanduser(), lambda: make(shown, looks)))
    if suffix not in ("csv", "json"):
        print(caption(shown), file=sys.stderr)


def _data(options: argparse.Namespace, store: Store) -> str | None:
    """Load the data that is named and return its fingerprint; None if each network's own is meant."""
    if options.data is None:
        return None
    from stitchlab.data import registry as datasets

    return datasets.load(options.data, store, report=bar(), download=options.download).fingerprint


def _probed(options: argparse.Namespace, store: Store, network: str, data: str | None) -> Probes:
    """Return the probes of one network, after computing what is missing."""
    if cut_points.kept(store, network) is None:
        from stitchlab.models.cut_points import outline

        outline(store, networks.find(store, network))
    found = find(
        store,
        network,
        data=data,
        layers=options.layers,
        train_images=options.train_images,
        eval_images=options.eval_images,
        seed=options.seed,
    )
    if not found.complete:
        from stitchlab.models.device import pick_device
        from stitchlab.probes.compute import compute

        found = compute(found, pick_device(options.device), bar())
    for layer, why in ((row.layer, row.reason) for row in found.rows() if row.reason):
        print(f"{found.network.name}, {layer}: {why}", file=sys.stderr)
    return found
