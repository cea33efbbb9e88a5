"""Write a run as a file: a figure, tables or its numbers (command ``export``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from stitchlab.cli import Command, find_cell, names
from stitchlab.export.files import write
from stitchlab.export.formats import FORMATS, format_of
from stitchlab.export.options import WIDTHS_IN, Colours, Options
from stitchlab.request import Cell
from stitchlab.results import shelf
from stitchlab.results.run import Run
from stitchlab.store import Store

GALLERY = "gallery"
SHOW_VALUES = {"auto": None, "on": True, "off": False}  # of --values
DEFAULT_SHOW_OF_SEVERAL_RUNS = ("mean:accuracy", "spread:accuracy")  # with --mean-of


def add(command: Command) -> None:
    """Add the command to a parser."""
    arg = command(
        "export",
        _export,
        f"Write a run as a file; the suffix says which: {', '.join('.' + suffix for suffix in FORMATS)}.",
    ).add_argument
    arg(
        "run",
        metavar="RUN",
        help=f"its id, or the beginning of it; {GALLERY}: all runs that come with StitchLab, into a "
        "folder of HTML files for any static host",
    )
    arg("path", metavar="PATH", help="of the file, or of that folder")
    arg(
        "--show",
        type=names,
        metavar="A,B",
        help="of a figure or .tex, each a panel or two: a metric for TLM and DM "
        "(accuracy), tlm/accuracy, difference/accuracy, an index (cka), indices, frechet/ratio, scores/DETECTOR and "
        "trajectory (with --cell); reverse:accuracy for the opposite direction; mean:accuracy and spread:accuracy over "
        f"the runs of --mean-of (default: {','.join(Options.show)})",
    )
    arg("--size", choices=tuple(WIDTHS_IN), default=Options.size, help=f"default: {Options.size}")
    arg("--dpi", type=int, default=Options.dpi, help=f"of .png (default: {Options.dpi})")
    arg("--values", choices=tuple(SHOW_VALUES), default="auto", help="numbers in cells (default: if they are legible)")
    arg("--font-size", type=float, metavar="POINTS", help="default: 7, on a slide 15")
    arg("--dark", action="store_true", help="light letters on a dark ground")
    arg("--colours", choices=get_args(Colours), default=Options.colours, help=f"default: {Options.colours}")
    arg("--title", help="default: the run's title; empty: none")
    arg("--letters", action="store_true", help="(a), (b), (c) before the titles of panels")
    arg("--caption", action="store_true", help="write the caption under the figure; it is printed in any case")
    arg(
        "--cell",
        metavar="FRONT:END",
        help="the cell that is framed, or the only one that is drawn where a figure shows one cell",
    )
    arg(
        "--mean-of",
        type=names,
        metavar="RUN,RUN",
        default=[],
        help="other runs, for instance of other seeds: mean and spread are taken over RUN and these",
    )


def _export(options: argparse.Namespace, store: Store) -> None:
    if options.run == GALLERY:
        from stitchlab.export import gallery_site

        print(gallery_site.write(shelf.gallery(), Path(options.path))[0])
        return
    from stitchlab.export.captions import caption

    run = shelf.find(store, options.run)
    others = tuple(shelf.find(store, name) for name in options.mean_of)
    figure_options = Options(
        show=tuple(options.show or (DEFAULT_SHOW_OF_SEVERAL_RUNS if others else Options.show)),
        size=options.size,
        dpi=options.dpi,
        values=SHOW_VALUES[options.values],
        font_size=options.font_size,
        dark=options.dark,
        colours=options.colours,
        title=options.title,
        letters=options.letters,
        caption=options.caption,
        others=others,
        cell=_cell(run, options.cell),
    )
    path = write(run, options.path, figure_options)
    if not run.complete:
        print(f"{len(run.cells)} of {run.total} results are there; the others are left empty", file=sys.stderr)
    if format_of(path.suffix[1:].lower()).drawn:
        print(caption(run, figure_options), file=sys.stderr)
    print(path)


def _cell(run: Run, name: str | None) -> Cell | None:
    """Find the cell FRONT:END, or return None for None."""
    return None if name is None else find_cell(run.request, name)
