"""Draws one image's activations at several layers: some maps of each, a layer a row."""

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

ROW = 128  # pixels


def layer_maps(maps: Mapping[str, npt.NDArray[Any]], *, dark: bool = False) -> go.Figure:
    """Draw maps (c, h, w) of each layer beside each other, one colour range a layer.

    Args:
        maps: by layer, as many channels of each.
        dark: for a dark page.
    """
    most = max(len(of) for of in maps.values())
    titles = [text for layer, of in maps.items() for text in [f"{layer}: {size(of)}", *[""] * (most - 1)]]
    figure = make_subplots(len(maps), most, subplot_titles=titles, horizontal_spacing=0.012, vertical_spacing=0.16)
    for row, (layer, of) in enumerate(maps.items(), 1):
        known = of[np.isfinite(of)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        for column, channel in enumerate(of, 1):
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
    for row, column in product(range(1, len(maps) + 1), range(1, most + 1)):
        across = next(figure.select_xaxes(row=row, col=column)).plotly_name.replace("axis", "")
        figure.update_yaxes(scaleanchor=across, row=row, col=column)  # positions are square, however wide the page is
    figure.update_layout(template=template(dark), height=24 + ROW * len(maps), margin={"t": 28, "b": 4, "l": 4, "r": 4})
    return alt.with_alt_text(
        figure,
        "Activations of one image.",
        *(f"{layer}: {len(of)} of its channels with {size(of)}, {alt.extent(of)}." for layer, of in maps.items()),
    )


def size(maps: npt.NDArray[Any]) -> str:
    """Say how many positions a map has.

    >>> size(np.zeros((8, 2, 3))), size(np.zeros((8, 1, 1)))
    ('2 × 3 positions', '1 position')
    """
    height, width = maps.shape[1:]
    return f"{height} × {width} positions" if height * width > 1 else "1 position"
