"""Draw one image's activations at several layers: each layer has a row with some of its maps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures import alt
from stitchlab.figures.template import SEQUENTIAL, template

ROW_HEIGHT_PX = 128


def layer_maps(maps: Mapping[str, npt.NDArray[Any]], *, dark: bool = False) -> go.Figure:
    """Draw some maps of each layer beside each other; each layer has one colour range.

    Args:
        maps: (c, h, w) by layer, with the same number of channels c.
        dark: for a dark page.
    """
    columns = max(len(channels) for channels in maps.values())
    titles = [
        text for layer, channels in maps.items() for text in [f"{layer}: {size(channels)}", *[""] * (columns - 1)]
    ]
    figure = make_subplots(len(maps), columns, subplot_titles=titles, horizontal_spacing=0.012, vertical_spacing=0.16)
    for row, (layer, channels) in enumerate(maps.items(), 1):
        finite = channels[np.isfinite(channels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        for column, channel in enumerate(channels, 1):
            figure.add_trace(
                go.Heatmap(
                    z=channel,
                    zmin=low,
                    zmax=high if high > low else low + 1,
                    colorscale=SEQUENTIAL,
                    showscale=False,
                    xgap=0,
                    hovertemplate="%{z:.3g}<extra>" + layer + "</extra>",
                ),
                row,
                column,
            )
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    figure.update_xaxes(showticklabels=False, constrain="domain")
    figure.update_yaxes(showticklabels=False, autorange="reversed", constrain="domain", constraintoward="top")
    for row, column in product(range(1, len(maps) + 1), range(1, columns + 1)):
        x_axis = next(figure.select_xaxes(row=row, col=column)).plotly_name.replace("axis", "")
        figure.update_yaxes(scaleanchor=x_axis, row=row, col=column)  # positions are square on pages of any width
    height = 24 + ROW_HEIGHT_PX * len(maps)
    figure.update_layout(template=template(dark), height=height, margin={"t": 28, "b": 4, "l": 4, "r": 4})
    return alt.with_alt_text(
        figure,
        "Activations of one image.",
        *(
            f"{layer}: {len(channels)} of its channels with {size(channels)}, {alt.extent(channels)}."
            for layer, channels in maps.items()
        ),
    )


def size(maps: npt.NDArray[Any]) -> str:
    """Write how many positions maps (C, H, W) have.

    >>> size(np.zeros((8, 2, 3))), size(np.zeros((8, 1, 1)))
    ('2 × 3 positions', '1 position')
    """
    height, width = maps.shape[1:]
    return f"{height} × {width} positions" if height * width > 1 else "1 position"
