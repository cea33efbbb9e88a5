"""Draw the evidence of checks for a page: heatmaps and curves, whose points show their numbers on hovering."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.checks import Figure, describe
from stitchlab.figures.curves import Curve
from stitchlab.figures.grid import Grid
from stitchlab.figures.heatmap import heatmap
from stitchlab.figures.ranges import Ticks
from stitchlab.figures.template import INK, MUTED, legend, template, titled

FIGURE_HEIGHT_PX = 400
INTERVAL_HEIGHT_PX = 26
LEGEND_LINE_PX = 24
CURVES_A_LEGEND_LINE = 3


def draw(figure: Figure, *, dark: bool = False) -> go.Figure:
    """Draw a figure of the evidence for a page; hovering over a point shows its numbers."""
    description = describe(figure)
    if isinstance(description, Grid):
        return _framed(heatmap(description, dark=dark), figure, dark)
    drawing = go.Figure([_trace(curve, _hover(figure, curve), dark) for curve in description.curves])
    intervals = figure["kind"] == "intervals"
    height = 120 + INTERVAL_HEIGHT_PX * len(description.y_ticks) if intervals else FIGURE_HEIGHT_PX
    below = LEGEND_LINE_PX * (len(description.curves) // CURVES_A_LEGEND_LINE)
    drawing.update_layout(
        template=template(dark),
        height=height + below,
        hovermode="closest",
        dragmode=False,
        margin={"t": 64, "b": 64 + below},
        title=titled(description.title, description.subtitle),
        legend=legend(),
    )
    drawing.update_xaxes(
        title_text=description.across, range=list(description.x_range), **_tick_options(description.x_ticks)
    )
    drawing.update_yaxes(
        title_text=description.down,
        range=list(description.y_range),
        showgrid=True,
        gridcolor=MUTED[dark],
        **_tick_options(description.y_ticks),
    )
    return alt.with_alt_text(drawing, *_alt_sentences(figure))


def _tick_options(ticks: Ticks) -> dict[str, Any]:
    """Return ticks as Plotly's options of an axis."""
    return {"tickvals": [place for place, _ in ticks], "ticktext": [text for _, text in ticks]}


def _alt_sentences(figure: Figure) -> list[str]:
    """Describe curves, points or intervals to readers who do not see them."""
    title = f"{figure['title']}, {figure['subtitle']}".strip(", ")
    across = figure["x_label"]
    if figure["kind"] == "lines":
        series = [(line["name"], line["x"], line["y"]) for line in figure["lines"]]
        return [f"Curves of {title}.", alt.lines(series, across)]
    if figure["kind"] == "points":
        return [
            f"Scatter plot of {title}.",
            *(
                alt.points(
                    {group["name"]: ([point[0] for point in group["points"]], [point[1] for point in group["points"]])},
                    across,
                    figure["y_label"],
                )
                for group in figure["groups"]
            ),
        ]
    labels, reference = [row["label"] for row in figure["rows"]], figure["reference"]
    return [
        f"95 % intervals of {title}: {across} of {len(labels)}.",
        *(
            f"{heading}: {alt.extremes([row[key] for row in figure['rows']], labels)}."
            for heading, key in (("Values", "value"), ("Lower ends", "low"), ("Upper ends", "high"))
        ),
        "" if reference is None else f"Compared with {alt.number(reference)}.",
    ]


def _framed(drawing: go.Figure, figure: Figure, dark: bool) -> go.Figure:
    """Draw a frame around each of the cells [row, column] that the check counts."""
    for row, column in figure["marks"]:
        drawing.add_shape(
            type="rect",
            x0=column - 0.47,
            x1=column + 0.47,
            y0=row - 0.47,
            y1=row + 0.47,
            line={"color": INK[dark], "width": 2},
        )
    framed = [f"{figure['front_layers'][row]} → {figure['end_layers'][column]}" for row, column in figure["marks"]]
    return alt.with_alt_text(drawing, alt.alt_text(drawing), f"Framed: {', '.join(framed)}." if framed else "")


def _hover(figure: Figure, curve: Curve) -> list[str]:
    """Return the hover text of each point of a curve."""
    for line in figure.get("lines", ()):
        if line["name"] == curve.name:
            return [f"{x:g}, {_number(y)}" for x, y in zip(line["x"], line["y"], strict=True)]
    for group in figure.get("groups", ()):
        if group["name"] == curve.name:
            points = group["points"]
            return [text for x, y, name in points for text in (f"{name}<br>{_number(x)}, {_number(y)}", "")]
    if "rows" in figure and curve.marked:
        return [
            text
            for row in figure["rows"]
            for text in (
                f"{row['label']}<br>{_number(row['value'])}, {_number(row['low'])} to {_number(row['high'])}",
                "",
            )
        ]
    return [""] * len(curve.points)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:z.4g}".replace("-", "−")


def _trace(curve: Curve, hover_texts: list[str], dark: bool) -> go.Scatter:
    colour = curve.colour or INK[dark]
    joined = not curve.marked or not np.isnan(curve.points[1:2]).any()
    return go.Scatter(
        x=curve.points[:, 0],
        y=curve.points[:, 1],
        name=curve.name,
        text=hover_texts,
        mode="lines+markers" if curve.marked and joined else "markers" if curve.marked else "lines",
        line={"color": colour, "width": 2, "dash": curve.dash},
        marker={"color": colour, "size": 8, "symbol": curve.symbol},
        **({"hovertemplate": "%{text}<extra>%{fullData.name}</extra>"} if any(hover_texts) else {"hoverinfo": "skip"}),
    )
