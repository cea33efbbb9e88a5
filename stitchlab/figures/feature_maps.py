"""Draw one image's activations at a layer: native ones beside the stitched ones of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures import alt
from stitchlab.figures.ranges import ends
from stitchlab.figures.sets import SET_LABELS, line
from stitchlab.figures.template import BELOW, SEQUENTIAL, SYMBOLS, legend, template

Array = npt.NDArray[Any]


def feature_maps(maps: Mapping[str, Array], chosen: Sequence[int], *, dark: bool = False) -> go.Figure:
    """Draw one image's feature maps: each set has a row, each channel has a column and its own colour range.

    Args:
        maps: (C, H, W) by set.
        chosen: the channels that are drawn.
        dark: for a dark page.
    """
    sets = [name for name in SET_LABELS if name in maps]
    figure = make_subplots(
        len(sets),
        len(chosen),
        column_titles=[f"channel {c}" for c in chosen],
        row_titles=[SET_LABELS[s] for s in sets],
        horizontal_spacing=0.02,
        vertical_spacing=0.04,
    )
    for column, channel in enumerate(chosen, 1):
        low, high = ends(np.concatenate([maps[name][channel].ravel() for name in sets]))
        for row, name in enumerate(sets, 1):
            figure.add_trace(
                go.Heatmap(
                    z=maps[name][channel],
                    zmin=low,
                    zmax=high if high > low else low + 1,
                    colorscale=SEQUENTIAL,
                    showscale=False,
                    hovertemplate="%{z:.3g}<extra>" + SET_LABELS[name] + f", channel {channel}</extra>",
                ),
                row,
                column,
            )
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False, autorange="reversed")
    height = 60 + len(sets) * min(190, max(70, 900 // max(1, len(chosen))))
    figure.update_layout(template=template(dark), height=height, margin={"t": 32, "r": 32})
    return alt.with_alt_text(
        figure,
        "Feature maps of one image.",
        *(_alt_sentence(maps, sets, channel) for channel in chosen),
    )


def _alt_sentence(maps: Mapping[str, Array], sets: Sequence[str], channel: int) -> str:
    extents = ", ".join(f"{SET_LABELS[name]} {alt.extent(maps[name][channel])}" for name in sets)
    return f"Channel {channel}: {extents}."


def vectors(values: Mapping[str, Array], *, dark: bool = False) -> go.Figure:
    """Draw one image's activations (C,) by set, at a layer that has only one position."""
    figure = go.Figure()
    for name in (name for name in SET_LABELS if name in values):
        figure.add_scatter(
            x=np.arange(len(values[name])),
            y=values[name],
            mode="lines+markers",
            name=SET_LABELS[name],
            line=line(name, dark),
            marker={"size": 5, "symbol": SYMBOLS[name]},
            hovertemplate="channel %{x}: %{y:.3g}<extra>" + SET_LABELS[name] + "</extra>",
        )
    figure.update_layout(
        template=template(dark), height=340, legend=legend(), margin_b=BELOW, title="Activations of this image"
    )
    figure.update_xaxes(title_text="channel")
    return alt.with_alt_text(
        figure,
        "Curves of one image's activations by channel.",
        *(f"{trace.name}: {alt.extremes(trace.y, [f'channel {c}' for c in trace.x])}." for trace in figure.data),
    )
