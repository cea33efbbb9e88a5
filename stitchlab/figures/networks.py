"""Figures of one network: its chain of blocks, how it learned, what it tells apart; and of a data set's classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from stitchlab.figures.layer_names import shorten
from stitchlab.figures.template import INK, MUTED, SEQUENTIAL, template
from stitchlab.results.cut_points import CutPoint, Cuts

NAMED = 40  # blocks up to which each is named on the axis
TRAINING, TEST = "#d55e00", "#0072b2"  # Okabe and Ito's


def chain(cuts: Cuts, *, dark: bool = False) -> go.Figure:
    """The blocks of a network in order: as high as their maps' side, coloured by channels.

    Tokens are as high as the square that they make, vectors are 1.
    """
    points = [p for p in cuts.points if p.default]
    places = list(range(len(points)))
    sides = [_side(p.shape) for p in points]
    figure = go.Figure(go.Bar(
        x=places, y=sides, base=[-side / 2 for side in sides], width=0.72,
        marker={"color": [math.log2(_channels(p.shape)) for p in points], "colorscale": SEQUENTIAL,
                "line": {"width": 1, "color": INK[dark]}, "colorbar": _channel_bar(points)},
        customdata=[[p.name, "×".join(map(str, p.shape)), f"{p.parameters:,}",
                     f"{p.flops / max(1, cuts.flops):.1%}"] for p in points],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]} parameters and "
                      "%{customdata[3]} of the arithmetic up to here<extra></extra>",
    ))
    figure.add_shape(type="line", x0=-0.8, x1=len(points) - 0.2, y0=0, y1=0, layer="below",
                     line={"color": MUTED[dark], "width": 3})
    figure.update_layout(template=template(dark), height=320, title="Chain of blocks: height is the side of the map")
    named = len(points) <= NAMED
    figure.update_xaxes(tickvals=places if named else [], ticktext=shorten([p.name for p in points]).labels,
                        tickangle=-45, range=[-0.8, len(points) - 0.2])
    figure.update_yaxes(visible=False)
    return figure


def curve(points: Sequence[Mapping[str, float]], epochs: int, *, dark: bool = False) -> go.Figure:
    """Accuracy by epoch, while learning and on test images; the loss is told on hovering."""
    figure = go.Figure()
    for key, label, ink in (("train", "training images, while learning", TRAINING), ("test", "test images", TEST)):
        figure.add_scatter(
            x=[p["epoch"] for p in points], y=[p[key] for p in points], name=label, mode="lines+markers",
            line={"color": ink, "width": 2}, customdata=[p["loss"] for p in points],
            hovertemplate="epoch %{x}: %{y:.3f}, training loss %{customdata:.3f}<extra>" + label + "</extra>",
        )
    figure.update_layout(template=template(dark), height=320, title="Accuracy by epoch", margin_b=64, legend={
        "orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left", "x": 0.0})
    figure.update_xaxes(title_text="epoch", range=[0.5, epochs + 0.5], tickformat="d")
    figure.update_yaxes(range=[0, 1.02], showgrid=True, gridcolor=MUTED[dark])
    return figure


def by_class(values: Sequence[float | None], classes: Sequence[str], title: str, *, dark: bool = False) -> go.Figure:
    """A number 0..1 of each class, worst first; None, of a class without images, is left out."""
    order = sorted((value, name) for value, name in zip(values, classes, strict=True) if value is not None)
    figure = go.Figure(go.Bar(
        x=[value for value, _ in order], y=[name for _, name in order], orientation="h", marker_color=TEST,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        texttemplate="%{x:.1%}" if len(order) <= NAMED else None, textposition="inside", insidetextanchor="start",
    ))
    figure.update_layout(template=template(dark), height=_height(len(order)), title=title)
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(type="category", autorange="reversed", showticklabels=len(order) <= NAMED)
    return figure


def balance(train: Sequence[int], test: Sequence[int], classes: Sequence[str], *, dark: bool = False) -> go.Figure:
    """How many images each class has, for training and for testing."""
    figure = go.Figure()
    for counts, label, ink in ((train, "training", TRAINING), (test, "test", TEST)):
        figure.add_bar(x=list(counts), y=list(classes), name=label, orientation="h", marker_color=ink,
                       hovertemplate="%{y}: %{x:,} " + label + " images<extra></extra>")
    figure.update_layout(template=template(dark), height=_height(len(classes)) + 40, title="Images by class",
                         barmode="stack", margin_b=64, legend={
                             "orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left",
                             "x": 0.0, "traceorder": "normal"})
    figure.update_yaxes(type="category", autorange="reversed", showticklabels=len(classes) <= NAMED)
    return figure


def _side(shape: Sequence[int]) -> float:
    if len(shape) == 3:
        return float(shape[0] if shape[0] == shape[1] != shape[2] else shape[1])
    return math.sqrt(shape[0]) if len(shape) == 2 else 1.0


def _channels(shape: Sequence[int]) -> int:
    return shape[0] if len(shape) == 3 and not shape[0] == shape[1] != shape[2] else shape[-1]


def _channel_bar(points: Sequence[CutPoint]) -> dict[str, Any]:
    counts = sorted({_channels(p.shape) for p in points})
    shown = counts if len(counts) <= 6 else [counts[0], counts[len(counts) // 2], counts[-1]]
    return {"title": "channels", "tickvals": [math.log2(c) for c in shown], "ticktext": list(map(str, shown)),
            "thickness": 12, "outlinewidth": 0}


def _height(count: int) -> int:
    return 110 + min(count, NAMED) * 26
