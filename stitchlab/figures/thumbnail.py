"""Draws a grid small enough for a card: TLM and DM beside each other as two fields of colour, without a word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures import alt
from stitchlab.figures.colours import Values, on_scale, rgb
from stitchlab.figures.template import MUTED, SEQUENTIAL
from stitchlab.results.run import Run

SIDE = 96  # pixels of a map, about
BETWEEN = 10  # pixels between two maps


def thumbnail(run: Run) -> npt.NDArray[np.uint8] | None:
    """Draw a run's accuracies, TLM left and DM right, as a transparent picture (H, W, 4); None without any."""
    maps = [_map(run.matrix(method, "accuracy")) for method in run.request.methods]
    if not maps:
        return None
    between = np.zeros((maps[0].shape[0], BETWEEN, 4), np.uint8)
    parts = [part for drawn in maps for part in (drawn, between)]
    return np.concatenate(parts[:-1], axis=1)


def describe(run: Run) -> str:
    """Describe `thumbnail` for those who do not see it."""
    return "Accuracies, beside each other. " + " ".join(
        f"{METHOD_LABELS[method]}: "
        + alt.matrix(run.matrix(method, "accuracy"), run.request.front_layers, run.request.end_layers)
        for method in run.request.methods
    )


def _map(values: Values) -> npt.NDArray[np.uint8]:
    """Draw one map: cells of whole pixels with a transparent line between them."""
    cell = max(2, round(SIDE / max(values.shape)))
    colours = on_scale(values, 0.0, 1.0, SEQUENTIAL)
    colours[np.isnan(values)] = rgb(MUTED[False])
    drawn = np.full((*values.shape, 4), 255, np.uint8)
    drawn[..., :3] = colours.round()
    drawn = drawn.repeat(cell, axis=0).repeat(cell, axis=1)
    if cell > 4:
        drawn[cell - 1 :: cell] = 0
        drawn[:, cell - 1 :: cell] = 0
    return drawn
