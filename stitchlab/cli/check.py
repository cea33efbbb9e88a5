"""Check similarity measures (command ``check``); code that computes is imported only if results are missing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.presets import PRESETS, preset
from stitchlab.cli import Command, bar, names
from stitchlab.errors import check_names
from stitchlab.export.files import write_whole
from stitchlab.request import METHODS
from stitchlab.results import cut_points, networks
from stitchlab.results.checks import suite, table
from stitchlab.results.checks.answers import Answers
from stitchlab.results.checks.plan import steps
from stitchlab.results.demo import DATA, SEEDS, untrained
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the command to a parser."""
    arg = command(
        "check",
        _check,
        "Which measures of similarity deserve trust, on these networks? Writes CSV: "
        f"{','.join(table.CheckRow._fields)}.",
    ).add_argument
    arg("checks", nargs="*", metavar="NAME", help=f"which checks (default: all): {', '.join(CHECKS)}")
    arg(
        "--networks",
        type=names,
        metavar="N,N",
        help="names or ids; networks with the same layers, such as seeds of "
        f"one architecture, can be checked fully (default: {','.join(SEEDS)}, which are trained if need be)",
    )
    arg("--data", help="a data set's name, or folder:PATH (default: the first network's)")
    arg("--methods", type=names, default=list(METHODS), metavar="M,M", help="tlm, dm (default: both)")
    arg("--indices", type=names, default=list(INDICES), metavar="I,I", help="default: all")
    arg(
        "--tlm-preset",
        choices=tuple(PRESETS),
        default=suite.RECIPE,
        help=f"the recipe of task loss matching (default: {suite.RECIPE})",
    )
    arg(
        "--train-images",
        type=int,
        metavar="N",
        help="training images of task loss matching and of probes (default: all; probes at most 10,000)",
    )
    arg("--eval-images", type=int, metavar="M", help="test images (default: all)")
    arg("--dm-images", type=int, default=100, metavar="K", help="training images of direct matching (default: 100)")
    arg("--null", type=int, metavar="PERMUTATIONS", help="of images, for the check of chance (default: enough for it)")
    arg(
        "--out",
        type=Path,
        metavar="FILE",
        help="the suffix sets the format: .csv, .json, .tex, .svg, .pdf, .png (default: CSV on stdout)",
    )
    arg("--download", action="store_true", help="download the data set if it is missing")


def _check(options: argparse.Namespace, store: Store) -> None:
    from stitchlab.export.checks import (  # here, because it loads Plotly, which --help does not need
        MEDIA_TYPES,
        checks_csv,
        make,
    )

    check_names("check", options.checks, CHECKS)
    checks = tuple(options.checks) or tuple(CHECKS)
    suffix = "csv" if options.out is None else options.out.suffix.removeprefix(".").lower()
    check_names("kind of file of checks", [suffix], MEDIA_TYPES)  # before anything is computed
    answers = _answers(options, store, checks)
    if options.out is None:
        print(checks_csv(answers, checks), end="")
    elif suffix == "csv":
        print(write_whole(options.out.expanduser(), checks_csv(answers, checks).encode))
    else:
        print(write_whole(options.out.expanduser(), lambda: make(answers, suffix)))


def _answers(options: argparse.Namespace, store: Store, checks: tuple[str, ...]) -> Answers:
    """Return the answers to the checks, after computing what is missing."""
    recipe = preset(options.tlm_preset, images=options.train_images)
    settings: dict[str, Any] = {
        "data": options.data,
        "methods": options.methods,
        "indices": options.indices,
        "tlm": recipe,
        "dm_images": options.dm_images,
        "eval_images": options.eval_images,
        "null": options.null,
        "seed": options.seed,
    }
    chosen = options.networks if options.networks is not None else _demo_networks(store)
    if options.data is not None:
        from stitchlab.data import registry as datasets

        settings["data"] = datasets.load(options.data, store, report=bar(), download=options.download).fingerprint
    for network in (networks.find(store, name) for name in chosen):
        if cut_points.kept(store, network.id) is None:
            from stitchlab.models.cut_points import cut_points_of_any

            cut_points_of_any(store, network)
    checking = suite.find(store, chosen, **settings)
    if missing_steps := steps(checking, checks):
        from stitchlab.checks.compute import compute
        from stitchlab.models.device import pick_device

        grids = sum(step.work == "grid" for step in missing_steps)
        print(
            f"{len(missing_steps)} steps, {grids} of them grids, task loss matching by recipe {options.tlm_preset}; "
            "what is finished is kept",
            file=sys.stderr,
        )
        return compute(checking, checks, pick_device(options.device), bar())
    return Answers(checking)


def _demo_networks(store: Store) -> tuple[str, ...]:
    """Return the names of the demo's networks, after training those that are missing."""
    if missing_networks := untrained(store):
        from stitchlab.grid import demo

        print(f"training {', '.join(missing_networks)} on {DATA}", file=sys.stderr)
        demo.train(store, bar(), [SEEDS.index(name) for name in missing_networks])
    return SEEDS
