"""Draw one network: its chain of blocks, its accuracy by epoch and by class; and the classes of a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.layer_names import shorten
from stitchlab.figures.template import BLUE, INK, MUTED, SEQUENTIAL, VERMILLION, legend, mark, template
from stitchlab.results.cut_points import CutPoint, Cuts

MAX_NAMED = 40  # blocks or classes: if there are more, the axis has no names
TRAINING_COLOUR = VERMILLION
TEST_COLOUR = BLUE


def chain(cuts: Cuts, *, dark: bool = False) -> go.Figure:
    """Draw the blocks of a network in order: as high as the side of their maps, coloured by their channels."""
    points = [point for point in cuts.points if point.default]
    names, sides = [point.name for point in points], [_side(point.shape) for point in points]
    figure = go.Figure(_blocks(points, sides, cuts.flops, dark))
    axis_ends = [-0.8, len(points) - 0.2]
    figure.add_shape(
        type="line",
        x0=axis_ends[0],
        x1=axis_ends[1],
        y0=0,
        y1=0,
        layer="below",
        line={"color": MUTED[dark], "width": 3},
    )
    figure.update_layout(template=template(dark), height=320, title="Chain of blocks: height is the side of the map")
    figure.update_xaxes(
        tickvals=list(range(len(points))) if len(points) <= MAX_NAMED else [],
        ticktext=shorten(names).labels,
        tickangle=-45,
        range=axis_ends,
    )
    figure.update_yaxes(visible=False)
    return alt.with_alt_text(
        figure,
        f"The chain of {len(points)} blocks of a network, from {names[0]} to {names[-1]}.",
        f"Side of the map: {alt.extremes(sides, names)}.",
        f"Channels: {alt.extremes([_channels(point.shape) for point in points], names)}.",
    )


def _blocks(points: Sequence[CutPoint], sides: Sequence[float], flops: int, dark: bool) -> go.Bar:
    """Describe a bar for each block, centred on the line of the chain; the hover text has its share of the FLOPs."""
    return go.Bar(
        x=list(range(len(points))),
        y=sides,
        base=[-side / 2 for side in sides],
        width=0.72,
        marker={
            "color": [math.log2(_channels(point.shape)) for point in points],
            "colorscale": SEQUENTIAL,
            "line": {"width": 1, "color": INK[dark]},
            "colorbar": _channel_bar(points),
        },
        customdata=[
            [p.name, "×".join(map(str, p.shape)), f"{p.parameters:,}", f"{p.flops / max(1, flops):.1%}"] for p in points
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]} parameters and "
        "%{customdata[3]} of the arithmetic up to here<extra></extra>",
    )


def curve(points: Sequence[Mapping[str, float]], epochs: int, *, dark: bool = False) -> go.Figure:
    """Draw accuracy by epoch, on training and on test images; hovering over a point shows the loss.

    Args:
        points: ``epoch``, ``train``, ``test`` (accuracies 0..1) and ``loss`` of each epoch.
        epochs: number of epochs on the axis.
        dark: for a dark page.
    """
    figure = go.Figure()
    for k, (key, label, colour) in enumerate(
        (("train", "training images, while learning", TRAINING_COLOUR), ("test", "test images", TEST_COLOUR))
    ):
        figure.add_scatter(
            x=[point["epoch"] for point in points],
            y=[point[key] for point in points],
            name=label,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker_symbol=mark(k),
            customdata=[point["loss"] for point in points],
            hovertemplate="epoch %{x}: %{y:.3f}, training loss %{customdata:.3f}<extra>" + label + "</extra>",
        )
    figure.update_layout(template=template(dark), height=320, title="Accuracy by epoch", margin_b=64, legend=legend())
    figure.update_xaxes(title_text="epoch", range=[0.5, epochs + 0.5], tickformat="d")
    figure.update_yaxes(range=[0, 1.02], showgrid=True, gridcolor=MUTED[dark])
    return alt.with_alt_text(
        figure,
        "Curves of accuracy by epoch.",
        alt.lines([(trace.name, trace.x, trace.y) for trace in figure.data], "epoch"),
    )


def by_class(values: Sequence[float | None], classes: Sequence[str], title: str, *, dark: bool = False) -> go.Figure:
    """Draw a bar for each class, worst first.

    Args:
        values: 0..1 by class; None, for a class without images, is left out.
        classes: names of the classes.
        title: of the figure.
        dark: for a dark page.
    """
    order = sorted((value, name) for value, name in zip(values, classes, strict=True) if value is not None)
    figure = go.Figure(
        go.Bar(
            x=[value for value, _ in order],
            y=[name for _, name in order],
            orientation="h",
            marker_color=TEST_COLOUR,
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
            texttemplate="%{x:.1%}" if len(order) <= MAX_NAMED else None,
            textposition="inside",
            insidetextanchor="start",
        )
    )
    figure.update_layout(template=template(dark), height=_height(len(order)), title=title)
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(type="category", autorange="reversed", showticklabels=len(order) <= MAX_NAMED)
    return alt.with_alt_text(
        figure,
        f"Bars of {title}, {len(order)} classes:",
        f"{alt.extremes([value for value, _ in order], [name for _, name in order])}.",
    )


def balance(train: Sequence[int], test: Sequence[int], classes: Sequence[str], *, dark: bool = False) -> go.Figure:
    """Draw how many images each class has, for training and for testing.

    Args:
        train, test: numbers of images by class.
        classes: names of the classes.
        dark: for a dark page.
    """
    figure = go.Figure()
    for counts, label, colour, pattern in (
        (train, "training", TRAINING_COLOUR, ""),
        (test, "test", TEST_COLOUR, "/"),
    ):
        figure.add_bar(
            x=list(counts),
            y=list(classes),
            name=label,
            orientation="h",
            marker={"color": colour, "pattern": {"shape": pattern, "size": 6}},
            hovertemplate="%{y}: %{x:,} " + label + " images<extra></extra>",
        )
    figure.update_layout(
        template=template(dark),
        height=_height(len(classes)) + 40,
        title="Images by class",
        barmode="stack",
        margin_b=64,
        legend=legend() | {"traceorder": "normal"},
    )
    figure.update_yaxes(type="category", autorange="reversed", showticklabels=len(classes) <= MAX_NAMED)
    return alt.with_alt_text(
        figure,
        f"Bars of images by class, {len(classes)} classes.",
        *(
            f"{bars.name}: {sum(bars.x):,} images, {alt.extremes(bars.x, classes, '{:,.0f}'.format)}."
            for bars in figure.data
        ),
    )


def _side(shape: Sequence[int]) -> float:
    """Return the side of a block's map: of tokens the square root of their number, of a vector 1."""
    if len(shape) == 3:
        return float(shape[0] if shape[0] == shape[1] != shape[2] else shape[1])
    return math.sqrt(shape[0]) if len(shape) == 2 else 1.0


def _channels(shape: Sequence[int]) -> int:
    return shape[0] if len(shape) == 3 and not shape[0] == shape[1] != shape[2] else shape[-1]


def _channel_bar(points: Sequence[CutPoint]) -> dict[str, Any]:
    counts = sorted({_channels(point.shape) for point in points})
    ticks = counts if len(counts) <= 6 else [counts[0], counts[len(counts) // 2], counts[-1]]
    return {
        "title": "channels",
        "tickvals": [math.log2(count) for count in ticks],
        "ticktext": list(map(str, ticks)),
        "thickness": 12,
        "outlinewidth": 0,
    }


def _height(count: int) -> int:
    return 110 + min(count, MAX_NAMED) * 26
