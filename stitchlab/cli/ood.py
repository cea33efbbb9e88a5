"""Have detectors judge a run's cells (command ``ood``); code that computes is imported only if results are missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.outliers import OUTLIERS
from stitchlab.cli import Command, bar, names
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.export.tables import ood_csv
from stitchlab.request import Detection
from stitchlab.results import shelf
from stitchlab.results.detection import DetectionResults, MethodCell, known_detectors
from stitchlab.results.run import Run
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the command to a parser."""
    say = command("ood", _ood, "Are activations in or out of the end network's distribution? Writes CSV.").add_argument
    say("run", metavar="RUN", help="its id, or the beginning of it")
    say("--detectors", type=names, metavar="D,D", help=f"of {', '.join(DETECTORS)} (default: all)")
    say("--cells", type=names, metavar="FRONT:END,…", help="default: all that are computed")
    say(
        "--outliers",
        default=Detection.outliers,
        metavar="KIND",
        help=f"known outliers: {', '.join(OUTLIERS)}, or data:NAME (default: {Detection.outliers})",
    )
    say(
        "--training-outliers",
        type=names,
        default=Detection.training_outliers,
        metavar="KIND,KIND",
        help=f"what the learned detector is fine-tuned on, likewise (default: {','.join(Detection.training_outliers)})",
    )
    say("--out", type=Path, metavar="FILE.csv", help="default: stdout")


def _ood(options: argparse.Namespace, store: Store) -> None:
    run, detectors = shelf.find(store, options.run), known_detectors(options.detectors)
    cells = _chosen(run, options.cells)
    if run.source:
        found = DetectionResults(run)
        print(
            f"{run.id} was read from {run.source.file}: nothing is computed, and the file's settings are used",
            file=sys.stderr,
        )
    else:
        found = _judge(options, run, detectors, cells)
    text = ood_csv(found, detectors, cells)
    if options.out:
        store.write(options.out, text.encode())
    else:
        print(text, end="")
    for end_layer in dict.fromkeys(j for _, _, j in cells):
        for name in detectors:
            if not (belief := found.reliability(name, end_layer)).holds:
                print(f"do not believe {name} at {end_layer}: {belief.why}", file=sys.stderr)


def _judge(options: argparse.Namespace, run: Run, detectors: list[str], cells: list[MethodCell]) -> DetectionResults:
    """Have detectors judge cells; if all cells are meant, also keep samples of the telling ones."""
    from stitchlab.models.device import pick_device
    from stitchlab.ood.evaluate import detect
    from stitchlab.ood.reference import resolve_outliers
    from stitchlab.ood.samples import keep_samples

    device = pick_device(options.device)
    detection = Detection(
        outliers=resolve_outliers(options.outliers, run.store),
        training_outliers=tuple(resolve_outliers(name, run.store) for name in options.training_outliers),
    )
    found = detect(run, detectors=detectors, cells=cells, detection=detection, device=device.type, report=bar())
    if options.cells is None:
        keep_samples(found, device)
    return found


def _chosen(run: Run, pairs: Sequence[str] | None) -> list[MethodCell]:
    """Find the cells FRONT:END of a run, for all its methods; without pairs, all that are computed."""
    there = DetectionResults(run).cells
    request = run.request
    if pairs is None:
        if not there:
            raise StitchLabError(f"no cell of run {run.id} is stitched yet; `compare` computes it")
        if len(there) < len(request.cells) * len(request.methods):
            print(
                f"{len(there)} of {len(request.cells) * len(request.methods)} cells are computed; the others are "
                "left out",
                file=sys.stderr,
            )
        return there
    possible = {f"{i}:{j}": (i, j) for i, j in request.cells}  # layers may have a colon in their names
    for pair in pairs:
        if pair not in possible:
            raise UnknownName("cell", pair, possible, "A cell is named FRONT:END, both layers of this run")
    return [(method, *possible[pair]) for pair in dict.fromkeys(pairs) for method in request.methods]
