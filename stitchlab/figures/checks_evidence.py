"""Draws the evidence of checks for a page: heatmaps and curves whose points tell their numbers when pointed at."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.checks import Figure, described
from stitchlab.figures.curves import Curve
from stitchlab.figures.grid import Grid
from stitchlab.figures.heatmap import heatmap
from stitchlab.figures.template import INK, MUTED, legend, template, titled

HEIGHT, A_ROW, LEGEND = 400, 26, 24  # pixels: of a figure, of an interval, of a line of the legend


def draw(figure: Figure, *, dark: bool = False) -> go.Figure:
    """Draw a figure of the evidence for a page; pointing at a point shows its numbers."""
    shown = described(figure)
    if isinstance(shown, Grid):
        return _framed(heatmap(shown, dark=dark), figure, dark)
    made = go.Figure([_trace(curve, _hover(figure, curve), dark) for curve in shown.curves])
    across = {"tickvals": [place for place, _ in shown.x_ticks], "ticktext": [text for _, text in shown.x_ticks]}
    down = {"tickvals": [place for place, _ in shown.y_ticks], "ticktext": [text for _, text in shown.y_ticks]}
    tall = 120 + A_ROW * len(shown.y_ticks) if figure["kind"] == "intervals" else HEIGHT
    made.update_layout(
        template=template(dark),
        height=tall + LEGEND * (len(shown.curves) // 3),
        hovermode="closest",
        dragmode=False,
        margin={"t": 64, "b": 64 + LEGEND * (len(shown.curves) // 3)},
        title=titled(shown.title, shown.subtitle),
        legend=legend(),
    )
    made.update_xaxes(title_text=shown.across, range=list(shown.x_range), **across)
    made.update_yaxes(title_text=shown.down, range=list(shown.y_range), showgrid=True, gridcolor=MUTED[dark], **down)
    return alt.with_alt_text(made, *_told(figure))


def _told(figure: Figure) -> list[str]:
    """Describe curves, points or intervals for those who do not see them."""
    of = f"{figure['title']}, {figure['subtitle']}".strip(", ")
    across = figure["x_label"]
    if figure["kind"] == "lines":
        series = [(line["name"], line["x"], line["y"]) for line in figure["lines"]]
        return [f"Curves of {of}.", alt.lines(series, across)]
    if figure["kind"] == "points":
        return [
            f"Scatter plot of {of}.",
            *(
                alt.points(
                    {group["name"]: ([point[0] for point in group["points"]], [point[1] for point in group["points"]])},
                    across,
                    figure["y_label"],
                )
                for group in figure["groups"]
            ),
        ]
    named, against = [row["label"] for row in figure["rows"]], figure["reference"]
    return [
        f"95 % intervals of {of}: {across} of {len(named)}.",
        *(
            f"{what}: {alt.extremes([row[key] for row in figure['rows']], named)}."
            for what, key in (("Values", "value"), ("Lower ends", "low"), ("Upper ends", "high"))
        ),
        "" if against is None else f"Held against {alt.number(against)}.",
    ]


def _framed(made: go.Figure, figure: Figure, dark: bool) -> go.Figure:
    """Draw a frame around each of the cells [row, column] that count."""
    for row, column in figure["marks"]:
        made.add_shape(
            type="rect",
            x0=column - 0.47,
            x1=column + 0.47,
            y0=row - 0.47,
            y1=row + 0.47,
            line={"color": INK[dark], "width": 2},
        )
    framed = [f"{figure['front_layers'][row]} → {figure['end_layers'][column]}" for row, column in figure["marks"]]
    return alt.with_alt_text(made, alt.of(made), f"Framed: {', '.join(framed)}." if framed else "")


def _hover(figure: Figure, curve: Curve) -> list[str]:
    """Say what is shown when a point of a curve is pointed at."""
    for line in figure.get("lines", ()):
        if line["name"] == curve.name:
            return [_said(f"{x:g}", y) for x, y in zip(line["x"], line["y"], strict=True)]
    for group in figure.get("groups", ()):
        if group["name"] == curve.name:
            return [text for x, y, name in group["points"] for text in (f"{name}<br>{_said(_number(x), y)}", "")]
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


def _said(x: str, y: float | None) -> str:
    return f"{x}, {_number(y)}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:z.4g}".replace("-", "−")


def _trace(curve: Curve, names: list[str], dark: bool) -> go.Scatter:
    colour = curve.colour or INK[dark]
    joined = not curve.marked or not np.isnan(curve.points[1:2]).any()
    return go.Scatter(
        x=curve.points[:, 0],
        y=curve.points[:, 1],
        name=curve.name,
        text=names,
        mode="lines+markers" if curve.marked and joined else "markers" if curve.marked else "lines",
        line={"color": colour, "width": 2, "dash": curve.dash},
        marker={"color": colour, "size": 8, "symbol": curve.symbol},
        **({"hovertemplate": "%{text}<extra>%{fullData.name}</extra>"} if any(names) else {"hoverinfo": "skip"}),
    )
