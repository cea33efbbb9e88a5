"""The views of one cell's activations, one a file, the plainest first: what is chosen is drawn, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.ui.views import channels, epochs, feature_maps, image_map, predictions, scores, whole_grid
from stitchlab.ui.views.subject import BOUND, Subject

VIEWS: dict[str, tuple[str, Callable[[Subject], None]]] = {
    "maps": ("Feature maps", feature_maps.draw), "channels": ("Channels", channels.draw),
    "plane": ("Map of images", image_map.draw), "scores": ("Scores", scores.draw),
    "predictions": ("Predictions", predictions.draw), "epochs": ("TLM's epochs", epochs.draw),
    "grid": ("Whole grid", whole_grid.draw), "cells": ("All cells", whole_grid.scatter),
}


def draw(cell: Subject) -> None:
    """Draw the switch, and the view that it says."""
    name = st.segmented_control("Look at", list(VIEWS), default="maps", key="look", required=True, wrap=True,
                                label_visibility="collapsed", format_func=lambda key: VIEWS[key][0], **BOUND) or "maps"
    VIEWS[name][1](cell)


def panels(cell: Subject) -> list[str]:
    """What the view that is looked at is in an exported figure, as `stitchlab.export.options.Options` names it."""
    look = st.session_state.get("look", "maps")
    if look == "grid":
        metrics = DETECTORS[cell.detector].metrics
        return [f"{cell.detector}/{st.session_state.get('metric', metrics[0]) if len(metrics) > 1 else metrics[0]}"]
    return {"scores": [f"scores/{cell.scoring}"], "epochs": ["trajectory"]}.get(look, ["accuracy"])
