"""Probe the layers of networks (command ``probe``); code that computes is imported only if results are missing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stitchlab.cli import Command, bar, names
from stitchlab.export.files import write_whole
from stitchlab.export.options import WIDTHS_IN, Options
from stitchlab.export.probes import MEDIA_TYPES, caption, maker, probes_csv
from stitchlab.results import cut_points, networks
from stitchlab.results.probes import TRAIN_IMAGES, Probes, find
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the command to a parser."""
    arg = command(
        "probe",
        _probe,
        "How well a linear classifier predicts the classes from each layer of a network "
        "(linear probes). Writes CSV: network,layer,accuracy,train_accuracy,reason.",
    ).add_argument
    arg("networks", nargs="+", metavar="NETWORK", help="name or id of a network; several become one table, one figure")
    arg("--data", help="a data set's name, or folder:PATH (default: each network's own)")
    arg("--layers", type=names, metavar="L,L", help="default: all blocks; `layers NETWORK` lists what there is")
    arg(
        "--train-images",
        type=int,
        metavar="N",
        help=f"the first N of the training split's permutation (default: all, at most {TRAIN_IMAGES:,})",
    )
    arg("--eval-images", type=int, metavar="M", help="test images of the evaluation (default: all)")
    arg(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"the suffix sets the format: {', '.join('.' + s for s in MEDIA_TYPES)} (default: CSV on stdout)",
    )
    arg("--size", choices=tuple(WIDTHS_IN), default=Options.size, help=f"of a figure (default: {Options.size})")
    arg("--dark", action="store_true", help="light letters on a dark ground")
    arg("--download", action="store_true", help="download the data set if it is missing")


def _probe(options: argparse.Namespace, store: Store) -> None:
    suffix = "csv" if options.out is None else options.out.suffix.removeprefix(".").lower()
    make = maker(suffix)  # before anything is computed, since it refuses unknown suffixes
    figure_options = Options(size=options.size, dark=options.dark)
    network_ids = dict.fromkeys(networks.find(store, name).id for name in options.networks)
    data = _data(options, store)
    probes = [_probes(options, store, network, data) for network in network_ids]
    if options.out is None:
        print(probes_csv(probes), end="")
        return
    print(write_whole(options.out.expanduser(), lambda: make(probes, figure_options)))
    if suffix not in ("csv", "json"):
        print(caption(probes), file=sys.stderr)


def _data(options: argparse.Namespace, store: Store) -> str | None:
    """Load the data of --data and return its fingerprint; None without --data: each network then has its own."""
    if options.data is None:
        return None
    from stitchlab.data import registry as datasets

    return datasets.load(options.data, store, report=bar(), download=options.download).fingerprint


def _probes(options: argparse.Namespace, store: Store, network: str, data: str | None) -> Probes:
    """Return the probes of one network, after computing what is missing."""
    if cut_points.kept(store, network) is None:
        from stitchlab.models.cut_points import cut_points_of_any

        cut_points_of_any(store, networks.find(store, network))
    probes = find(
        store,
        network,
        data=data,
        layers=options.layers,
        train_images=options.train_images,
        eval_images=options.eval_images,
        seed=options.seed,
    )
    if not probes.complete:
        from stitchlab.models.device import pick_device
        from stitchlab.probes.compute import compute

        probes = compute(probes, pick_device(options.device), bar())
    for row in probes.rows():
        if row.reason:
            print(f"{probes.network.name}, {row.layer}: {row.reason}", file=sys.stderr)
    return probes
