"""Prints one table to stdout, remarks to stderr: ``python -m benchmarks [--quick] [--rows a,b] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import app, limit, matching, similarity, training, whole, workers
from benchmarks.material import Source, prepare
from benchmarks.measure import Row, Skipped, machine, table
from stitchlab.errors import StitchLabError
from stitchlab.models.device import pick_device
from stitchlab.store import Store

#: The function that measures each row, in the order of measurement.
ROWS: dict[str, Callable[..., Iterator[Row]]] = {
    "a": training.against_plain,
    "b": matching.against_plain,
    "c": similarity.minibatch,
    "d": similarity.all_indices,
    "e": whole.main_job,
    "f": whole.growth,
    "g": limit.share_of_the_limit,
    "h": training.quick_against_paper,
    "i": app.server_memory,
    "j": app.first_heatmaps,
    "k": app.commands,
    "l": workers.question_beside_a_grid,
    "m": workers.beside_a_busy_core,
    "n": similarity.of_all,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure the requested rows, and print and write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells and steps: under 5 minutes on 2 cores")
    parser.add_argument("--rows", default=",".join(ROWS), metavar="a,b", help=f"of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a file to which the rows are written as well")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument(
        "--data",
        help="a data set of StitchLab's, such as cifar10 or folder:PATH (default: CIFAR-10's "
        "JPEG copy if it is next to the project's folder, else generated images)",
    )
    parser.add_argument(
        "--arch",
        default="tiny10",
        help="of both networks; its blocks must output maps (default: tiny10)",
    )
    options = parser.parse_args(arguments)
    letters = [letter.strip() for letter in options.rows.split(",") if letter.strip()]
    if unknown := set(letters) - set(ROWS):
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    try:
        device = pick_device(options.device)
        source = prepare(Store().root / "benchmarks", options.data, options.arch, str(device), quick=options.quick)
    except StitchLabError as error:
        parser.error(str(error))
    context = {"machine": machine(device), "quick": options.quick, "networks": [source.front, source.end]}
    rows: list[Row] = []
    for row in _measured(source, letters, quick=options.quick):
        rows.append(row)
        if options.json:  # after every row, so that an interrupted run leaves its rows
            options.json.write_text(json.dumps([asdict(row) | context for row in rows], indent=1) + "\n")
    print(table(rows))
    print(", ".join(f"{key} {value}" for key, value in machine(device).items()))
    return 0


def _measured(source: Source, letters: list[str], *, quick: bool) -> Iterator[Row]:
    for letter in letters:
        started = time.monotonic()
        try:
            for row in ROWS[letter](source, quick=quick):
                print(f"{table([row]).splitlines()[1]}  {row.spread}  {row.note}", file=sys.stderr, flush=True)
                yield row
        except Skipped as reason:
            print(f"   ({letter} is left out: {reason})", file=sys.stderr, flush=True)
        print(f"   ({letter} took {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main())
