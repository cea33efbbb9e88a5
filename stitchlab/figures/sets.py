"""Define the labels of a cell's sets of activations, native and stitched ones, and how each is drawn."""

from __future__ import annotations

from typing import Any

from stitchlab.figures.template import COLOURS, DASHES, INK

SET_LABELS = {"native": "Native", "tlm": "Task loss matching", "dm": "Direct matching", "outliers": "Known outliers"}


def colour(name: str, dark: bool) -> str:
    """Return the colour of a set; native has the ink of the page."""
    return COLOURS.get(name, INK[dark])


def line(name: str, dark: bool) -> dict[str, Any]:
    """Return the line style of a set as Plotly takes it."""
    return {"color": colour(name, dark), "width": 2, "dash": DASHES[name]}
