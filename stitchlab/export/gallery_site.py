"""Writes the gallery as a folder for any static host: an index with a card for each run, and the report of each."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stitchlab.errors import StitchLabError
from stitchlab.export.report import labels, page, report, sentence
from stitchlab.figures import run_grids
from stitchlab.figures.colours import on_scale
from stitchlab.figures.grid import Grid
from stitchlab.figures.template import MUTED
from stitchlab.results.detection import DetectionResults
from stitchlab.results.detection_settings import fullest_settings
from stitchlab.results.run import Run
from stitchlab.store import Store

CELL_PX = 8  # side of a cell in a thumbnail
GAP_PX = 12  # between two heatmaps of a thumbnail
TITLE = "Which measures of similarity lie?"
ABOUT = (
    "Two neural networks, stitched layer by layer: the front network runs up to one of its layers, an affine map "
    "follows, and the end network continues from one of its own layers. Task loss matching trains that map on the "
    "task; direct matching fits it to the end network's own activations. Each card opens a run with all its numbers."
)


def write(runs: Sequence[Run], directory: Path) -> list[Path]:
    """Write index.html and a report of each run into a folder, which is created; each file completely or not at all.

    Returns the files, the index first. Raises StitchLabError if ``runs`` is empty or the folder cannot be written.
    """
    if not runs:
        raise StitchLabError(
            "a gallery: expected one or more runs, got none; put .stitch files into gallery/, or into the folder that "
            "STITCHLAB_GALLERY names"
        )
    run_labels = labels(runs)
    names = [file_name(run, label) for run, label in zip(runs, run_labels, strict=True)]
    cards = "\n".join(map(_card, runs, run_labels, names))
    pages = {
        "index.html": _index(cards),
        **{name: report([run], label) for run, label, name in zip(runs, run_labels, names, strict=True)},
    }
    for name, data in pages.items():
        Store().write(directory / name, data)
    return [directory / name for name in pages]


def file_name(run: Run, label: str) -> str:
    """Name the file of a run's report by its label, in plain letters, and the beginning of its id.

    >>> re.sub(r"[^a-z0-9]+", "-", "digits-a → digits-b on Digits".lower())
    'digits-a-digits-b-on-digits'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60].strip("-")
    return f"{plain or 'run'}-{run.id[:8]}.html"


def thumbnail(grids: Sequence[Grid]) -> str:
    """Draw heatmaps side by side, small, as SVG."""
    parts, x = [], 0
    for grid in grids:
        colours = on_scale(grid.values, grid.low, grid.high, grid.scale)
        for (row, column), value in np.ndenumerate(grid.values):
            colour = (
                MUTED[False]
                if np.isnan(value)
                else "#{:02x}{:02x}{:02x}".format(*(round(float(channel)) for channel in colours[row, column]))
            )
            parts.append(
                f'<rect x="{x + CELL_PX * column}" y="{CELL_PX * row}" width="7.5" height="7.5" fill="{colour}"/>'
            )
        x += CELL_PX * len(grid.end_layers) + GAP_PX
    height = CELL_PX * max((len(grid.front_layers) for grid in grids), default=1)
    return (
        f'<svg class="thumb" viewBox="0 0 {max(1, x - GAP_PX)} {height}" aria-hidden="true" '
        f'preserveAspectRatio="xMinYMid">{"".join(parts)}</svg>'
    )


def _card(run: Run, label: str, name: str) -> str:
    grids = (run_grids.metric_grids(run, "accuracy") or run_grids.index_grids(run))[:2]
    summary = sentence(run, DetectionResults(run, fullest_settings(run)))
    return (
        f'<li><a class="card" href="{markup.escape(name)}">{thumbnail(grids)}<strong>{markup.escape(label)}'
        f"</strong><span>{markup.escape(summary)}</span></a></li>"
    )


def _index(cards: str) -> bytes:
    """Write the index, which needs no script."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{TITLE}</title>\n<style>\n{page.part('report.css')}</style>\n</head>\n<body>\n"
        f'<header class="top"><p class="made">StitchLab gallery</p></header>\n<main>\n<h1>{TITLE}</h1>\n'
        f'<p class="lead">{ABOUT}</p>\n<ul class="cards">\n{cards}\n</ul>\n'
        '<p class="note">Balogh &amp; Jelasity, <em>How not to Stitch Representations to Measure Similarity: Task Loss '
        'Matching versus Direct Matching</em>, AAAI 2025, <a href="https://arxiv.org/abs/2412.11299">arXiv '
        "2412.11299</a>.</p>\n</main>\n</body>\n</html>\n"
    ).encode("utf-8", "replace")
