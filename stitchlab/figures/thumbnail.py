"""Draw a run small enough for a card: TLM and DM beside each other as two fields of colour, without text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.methods import METHOD_LABELS
from stitchlab.figures import alt
from stitchlab.figures.colours import Values, on_scale, rgb
from stitchlab.figures.template import MUTED, SEQUENTIAL
from stitchlab.results.run import Run

FIELD_SIDE_PX = 96  # about: cells have whole pixels
GAP_PX = 10  # between two fields


def thumbnail(run: Run) -> npt.NDArray[np.uint8] | None:
    """Draw a run's accuracies, TLM left and DM right, as a transparent picture (H, W, 4); None if it has no method."""
    fields = [_field(run.matrix(method, "accuracy")) for method in run.request.methods]
    if not fields:
        return None
    gap = np.zeros((fields[0].shape[0], GAP_PX, 4), np.uint8)
    parts = [part for field in fields for part in (field, gap)]
    return np.concatenate(parts[:-1], axis=1)


def describe(run: Run) -> str:
    """Write the alternative text of `thumbnail`."""
    return "Accuracies, beside each other. " + " ".join(
        f"{METHOD_LABELS[method]}: "
        + alt.matrix(run.matrix(method, "accuracy"), run.request.front_layers, run.request.end_layers)
        for method in run.request.methods
    )


def _field(values: Values) -> npt.NDArray[np.uint8]:
    """Draw one field of cells; large cells have a transparent line between them."""
    cell_px = max(2, round(FIELD_SIDE_PX / max(values.shape)))
    colours = on_scale(values, 0.0, 1.0, SEQUENTIAL)
    colours[np.isnan(values)] = rgb(MUTED[False])
    field = np.full((*values.shape, 4), 255, np.uint8)
    field[..., :3] = colours.round()
    field = field.repeat(cell_px, axis=0).repeat(cell_px, axis=1)
    if cell_px > 4:
        field[cell_px - 1 :: cell_px] = 0
        field[:, cell_px - 1 :: cell_px] = 0
    return field
