"""Draws the views of one cell's activations, each from a file of its own; only the chosen one is drawn."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.ui.views import channels, epochs, feature_maps, image_map, predictions, scores, whole_grid
from stitchlab.ui.views.subject import BOUND, Subject

#: Label and drawing function of each view, in the order of the switch: the simplest first.
VIEWS: dict[str, tuple[str, Callable[[Subject], None]]] = {
    "maps": ("Feature maps", feature_maps.draw),
    "channels": ("Channels", channels.draw),
    "plane": ("Map of images", image_map.draw),
    "scores": ("Scores", scores.draw),
    "predictions": ("Predictions", predictions.draw),
    "epochs": ("TLM's epochs", epochs.draw),
    "grid": ("Whole grid", whole_grid.draw),
    "cells": ("All cells", whole_grid.scatter),
}


def draw(cell: Subject) -> None:
    """Draw the switch of views, and the chosen view."""
    name = (
        st.segmented_control(
            "Look at",
            list(VIEWS),
            default="maps",
            key="look",
            required=True,
            wrap=True,
            label_visibility="collapsed",
            format_func=lambda key: VIEWS[key][0],
            **BOUND,
        )
        or "maps"
    )
    VIEWS[name][1](cell)


def panels(cell: Subject) -> list[str]:
    """Return the names for exported figures (`stitchlab.export.options.Options.show`) that match the chosen view."""
    view = st.session_state.get("look", "maps")
    if view == "grid":
        metrics = DETECTORS[cell.detector].metrics
        return [f"{cell.detector}/{st.session_state.get('metric', metrics[0]) if len(metrics) > 1 else metrics[0]}"]
    return {"scores": [f"scores/{cell.scoring}"], "epochs": ["trajectory"]}.get(view, ["accuracy"])
