"""Write a run as a file: a figure, tables or its numbers (command ``export``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from stitchlab.cli import Command, names
from stitchlab.errors import UnknownName
from stitchlab.export.files import write
from stitchlab.export.formats import FORMATS, known
from stitchlab.export.options import SIZES, Colours, Options
from stitchlab.results import shelf
from stitchlab.results.run import Run
from stitchlab.store import Store

GALLERY = "gallery"
VALUES = {"auto": None, "on": True, "off": False}
OF_SEVERAL = ("mean:accuracy", "spread:accuracy")  # what is shown of several runs, unless it is named


def add(command: Command) -> None:
    """Add the command to a parser."""
    export = command(
        "export",
        _export,
        f"Write a run as a file; the suffix says which: {', '.join('.' + suffix for suffix in FORMATS)}.",
    )
    say = export.add_argument
    say(
        "run",
        metavar="RUN",
        help=f"its id, or the beginning of it; {GALLERY}: all runs that come with StitchLab, into a "
        "folder of HTML files for any static host",
    )
    say("path", metavar="PATH", help="of the file, or of that folder")
    say(
        "--show",
        type=names,
        metavar="A,B",
        help="of a figure or .tex, each a panel or two: a metric for TLM and DM "
        "(accuracy), tlm/accuracy, difference/accuracy, an index (cka), indices, frechet/ratio, scores/DETECTOR and "
        "trajectory (with --cell); reverse:accuracy for the opposite direction; mean:accuracy and spread:accuracy over "
        f"the runs of --mean-of (default: {','.join(Options.show)})",
    )
    say("--size", choices=tuple(SIZES), default=Options.size, help=f"default: {Options.size}")
    say("--dpi", type=int, default=Options.dpi, help=f"of .png (default: {Options.dpi})")
    say("--values", choices=tuple(VALUES), default="auto", help="numbers in cells (default: where they are legible)")
    say("--font-size", type=float, metavar="POINTS", help="default: 7, on a slide 15")
    say("--dark", action="store_true", help="light letters on a dark ground")
    say("--colours", choices=get_args(Colours), default=Options.colours, help=f"default: {Options.colours}")
    say("--title", help="default: what the run is; empty: none")
    say("--letters", action="store_true", help="(a), (b), (c) before the titles of panels")
    say("--caption", action="store_true", help="the caption under the figure; it is printed in any case")
    say("--cell", metavar="FRONT:END", help="the cell that is framed, or that a figure of one cell is of")
    say(
        "--mean-of",
        type=names,
        metavar="RUN,RUN",
        default=[],
        help="other runs, of other seeds for example, that mean and spread are over too",
    )


def _export(options: argparse.Namespace, store: Store) -> None:
    if options.run == GALLERY:
        from stitchlab.export import gallery_site

        print(gallery_site.write(shelf.gallery(), Path(options.path))[0])
        return
    from stitchlab.export.captions import caption

    run = shelf.find(store, options.run)
    others = tuple(shelf.find(store, name) for name in options.mean_of)
    wanted = Options(
        show=tuple(options.show or (OF_SEVERAL if others else Options.show)),
        size=options.size,
        dpi=options.dpi,
        values=VALUES[options.values],
        font_size=options.font_size,
        dark=options.dark,
        colours=options.colours,
        title=options.title,
        letters=options.letters,
        caption=options.caption,
        others=others,
        cell=_cell(run, options.cell),
    )
    place = write(run, options.path, wanted)
    if not run.complete:
        print(f"{len(run.cells)} of {run.total} results are there; the others are left empty", file=sys.stderr)
    if known(place.suffix[1:].lower()).drawn:
        print(caption(run, wanted), file=sys.stderr)
    print(place)


def _cell(run: Run, pair: str | None) -> tuple[str, str] | None:
    """Find the cell FRONT:END; layers may have a colon in their names."""
    if pair is None:
        return None
    possible = {f"{i}:{j}": (i, j) for i, j in run.request.cells}
    if pair not in possible:
        raise UnknownName("cell", pair, possible, "A cell is named FRONT:END, both layers of this run")
    return possible[pair]
