"""Open, list, show and delete runs, computed here or read from files (commands open, runs, show, delete)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.cli import Command, table
from stitchlab.results import shelf
from stitchlab.results.cleaning import delete_run
from stitchlab.results.definitions import remark
from stitchlab.results.recipe import words
from stitchlab.results.run import Run, list_runs
from stitchlab.results.why_empty import BEFORE
from stitchlab.store import Store


def add(command: Command) -> None:
    """Add the commands to a parser."""
    command("open", _open, "Add a run from a .stitch file to your runs; its id is the last line.").add_argument(
        "file", type=Path, metavar="FILE.stitch", help="a file that `export RUN FILE.stitch` or a page wrote"
    )
    command("runs", _runs, "List the runs, and how much of each is computed.")
    command("show", _show, "Show a run.").add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    command(
        "delete", _delete, "Delete a run and what only it uses; close a run that was opened from a file."
    ).add_argument("run", metavar="RUN")


def _open(options: argparse.Namespace, store: Store) -> None:
    run = shelf.open_file(store, shelf.read_file(options.file), options.file.name)
    assert run.source is not None
    print(
        f"{run.title}: {len(run.cells)} of {run.total} cells, made by StitchLab {run.source.maker} on "
        f"{run.source.made[:10]}{f'; {run.source.title}' if run.source.title else ''}",
        file=sys.stderr,
    )
    if (own_run := shelf.find(store, run.id)).source is None:
        print(
            f"this run is already here, and the numbers computed here are shown; {shelf.compared(own_run, run)}",
            file=sys.stderr,
        )
    print(run.id)


def _runs(options: argparse.Namespace, store: Store) -> None:
    computed_here = set(store.keys("cells"))

    def count_results(run: Run) -> int:
        return run.there(computed_here if run.source is None else set(run.store.keys("cells")))

    table(
        ("run", "front", "end", "data", "grid", "methods", "there", "created", "from"),
        (
            (
                run.id,
                run.record["front"]["name"],
                run.record["end"]["name"],
                run.record["data"]["label"],
                f"{len(run.request.front_layers)}×{len(run.request.end_layers)}",
                ",".join((*run.request.methods, *run.request.indices)),
                f"{count_results(run)} of {run.total}",
                run.record["created"],
                _from(run),
            )
            for run in [*list_runs(store), *shelf.others(store)]
        ),
    )


def _from(run: Run) -> str:
    """Return the name of the file from which a run was read; empty if it was computed here."""
    return "" if run.source is None else f"{'gallery: ' if run.source.gallery else ''}{run.source.file}"


def _show(options: argparse.Namespace, store: Store) -> None:
    run = shelf.find(store, options.run)
    print(f"{run.title}: {len(run.cells)} of {run.total} cells there{f', in {_from(run)}' if run.source else ''}")
    print_tables(run)
    print(json.dumps(run.provenance(), indent=1))


def _delete(options: argparse.Namespace, store: Store) -> None:
    run = shelf.find(store, options.run)
    if run.source is not None:
        shelf.close(store, run)
        print(f"closed {run.id} ({run.title}): {run.source.file} was removed; results computed here are unchanged")
        return
    deleted = delete_run(store, options.run)
    print(f"deleted {deleted.id} ({deleted.title}); results that other runs share are kept")


def print_tables(run: Run) -> None:
    """Print the matrices of a run; rows are front layers, columns end layers."""
    if "tlm" in run.request.methods:
        print(f"tlm: {words(run)}\n")
    for method, metric in run.quantities():
        if metric in ("relative_accuracy", "penalty"):
            continue  # these follow from the accuracies
        values, note = run.matrix(method, metric), remark(run.request, method)
        note = BEFORE if metric in FUNCTIONAL and run.without_functional and np.isnan(values).all() else note
        print(f"{method} / {metric}{f' ({note})' if note else ''}")
        if note == BEFORE:
            continue
        table(
            ("", *run.request.end_layers),
            (
                (i, *("" if value != value else f"{value:.4f}" for value in row))
                for i, row in zip(run.request.front_layers, values, strict=True)
            ),
        )
        print()
