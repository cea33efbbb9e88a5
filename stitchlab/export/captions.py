"""Captions that stand by themselves, and the notes under a figure that has none: plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stitchlab.export.options import Options
from stitchlab.export.shown import Panel, panels
from stitchlab.results.recipe import words
from stitchlab.results.run import Run
from stitchlab.results.version import VERSION


def caption(run: Run, options: Options) -> str:
    """Say what a figure of a run shows, so that nobody needs anything else to understand it.

    Raises UnknownName for what this run has not.
    """
    shown = panels(run, options)
    said = ["; ".join(_lettered(options, k) + panel.title for k, panel in enumerate(shown)) + f": {run.title}.",
            *_how(run), _marks(shown), f"StitchLab {VERSION}, run {run.id}."]
    return " ".join(filter(None, said))


def notes(run: Run, options: Options, shown: Sequence[Panel]) -> str:
    """Say what has to stand beside the numbers of a figure without a caption: recipes, and what marks mean."""
    parts = []
    if "tlm" in run.request.methods:
        parts.append(f"TLM: {words(run)}.")
    if "dm" in run.request.methods:
        parts.append(f"DM: least squares on {run.request.dm.images} training images.")
    return " ".join([*parts, _marks(shown)]).strip()


def _lettered(options: Options, k: int) -> str:
    return f"({chr(ord('a') + k)}) " if options.letters else ""


def _how(run: Run) -> list[str]:
    request = run.request
    said = [f"Rows are front layers, columns end layers; {request.eval_images:,} evaluation images, seed "
            f"{request.seed}."]
    if "tlm" in request.methods:
        said.append(f"TLM: {words(run)}.")
    if "dm" in request.methods:
        said.append(f"DM: least squares on {request.dm.images} training images.")
    return said


def _marks(shown: Sequence[Panel]) -> str:
    said = []
    if any(panel.better and not np.isnan(panel.values).all() for panel in shown):
        said.append("★ best of its column.")
    if any(panel.doubtful for panel in shown):
        said.append("† the detector does not deserve belief there.")
    if any(np.isnan(panel.values).any() for panel in shown):
        said.append("Grey: not computed yet, or undefined.")
    return " ".join(said)
