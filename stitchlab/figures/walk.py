"""TLM's walk as an animation: accuracy and distance from native by epoch, and where its images lie meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures.activations import SETS, SHOWN, colour
from stitchlab.figures.template import INK, MUTED, template

Array = npt.NDArray[Any]
Series = Sequence[float | None]


def animation(
    epochs: Sequence[int], accuracy: Series, told: Series, label: str, native: Array, points: Array,
    dm: Array | None = None, *, own: float | None = None, dark: bool = False,
) -> go.Figure:
    """A slider over epochs, played on a click.

    Args:
        epochs: that are shown, from 0 (before training); all else has an entry for each of them.
        accuracy: of the stitched network, None where undefined.
        told: what a detector says; ``label`` names it.
        native: (N, 2) where native images lie.
        points: (epochs, n, 2) where the same images lie after each epoch.
        dm: (N, 2) where direct matching puts them.
        own: the end network's own accuracy, a line.
    """
    # One above the other: side by side they do not fit on narrow screens, and one animation cannot wrap.
    figure = make_subplots(2, 1, row_heights=[0.36, 0.64], vertical_spacing=0.12, specs=[[{"secondary_y": True}], [{}]])
    for series, name, second in ((accuracy, "accuracy", False), (told, label, True)):
        where = f"{name} ({'right' if second else 'left'} axis)"
        figure.add_scatter(x=epochs, y=series, mode="lines+markers", name=where, row=1, col=1, secondary_y=second,
                           marker_size=4, line={"color": colour("tlm", dark) if second else INK[dark], "width": 2},
                           hovertemplate="epoch %{x}: %{y:.3f}<extra>" + name + "</extra>")
    if own is not None:
        figure.add_scatter(x=[epochs[0], epochs[-1]], y=[own, own], mode="lines", name="end network alone (left axis)",
                           hoverinfo="skip", line={"color": MUTED[dark], "dash": "dash"}, row=1, col=1)
    static = {"native": native, **({"dm": dm} if dm is not None else {})}
    for name, placed in static.items():
        figure.add_scatter(x=placed[:SHOWN, 0], y=placed[:SHOWN, 1], mode="markers", name=SETS[name], hoverinfo="skip",
                           marker={"color": colour(name, dark), "size": 5, "opacity": 0.5}, row=2, col=1)
    first = len(figure.data)
    for trace in _at(0, epochs, accuracy, told, points, dark):
        in_plane = trace.name == SETS["tlm"]
        figure.add_trace(trace, 2 if in_plane else 1, 1, **({} if in_plane else {"secondary_y": trace.name == "told"}))
    moving = list(range(first, first + 3))
    figure.frames = [
        go.Frame(name=str(epoch), data=_at(k, epochs, accuracy, told, points, dark), traces=moving)
        for k, epoch in enumerate(epochs)
    ]
    _layout(figure, label, np.concatenate([native, points.reshape(-1, 2)]), dark)
    return figure


def _at(
    k: int, epochs: Sequence[int], accuracy: Series, told: Series, points: Array, dark: bool
) -> list[go.Scatter]:
    """What moves: a dot on each curve, and the images."""
    dots = [
        go.Scatter(x=[epochs[k]], y=[series[k]], mode="markers", name=name, showlegend=False, hoverinfo="skip",
                   marker={"size": 12, "color": tint})
        for series, name, tint in ((accuracy, "accuracy", INK[dark]), (told, "told", colour("tlm", dark)))
    ]
    where = points[k]
    return [*dots, go.Scatter(x=where[:, 0], y=where[:, 1], mode="markers", name=SETS["tlm"], hoverinfo="skip",
                              marker={"color": colour("tlm", dark), "symbol": "diamond", "size": 6, "opacity": 0.8})]


def _layout(figure: go.Figure, label: str, every: Array, dark: bool) -> None:
    every = every[np.isfinite(every).all(1)] if np.isfinite(every).all(1).any() else np.zeros((1, 2))
    low, high = np.quantile(every, [0.002, 0.998], axis=0)
    room = 0.08 * (high - low + 1e-9)
    figure.update_xaxes(title_text="epoch", row=1, col=1)
    figure.update_yaxes(title_text="accuracy", range=[0, 1.03], row=1, col=1, secondary_y=False)
    figure.update_yaxes(title_text=label, row=1, col=1, secondary_y=True, rangemode="tozero", tickmode="auto",
                        nticks=6, showgrid=False)
    figure.update_xaxes(title_text="first native axis", range=[low[0] - room[0], high[0] + room[0]], row=2, col=1)
    figure.update_yaxes(title_text="second native axis", range=[low[1] - room[1], high[1] + room[1]], row=2, col=1)
    step: Mapping[str, Any] = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    figure.update_layout(
        template=template(dark), height=760, margin={"t": 64, "b": 160}, dragmode=False,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        updatemenus=[{"type": "buttons", "direction": "left", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top",
                      "pad": {"t": 128}, "showactive": False, "buttons": [
                          {"label": "▶ Play", "method": "animate", "args": [None, {
                              "frame": {"duration": 250, "redraw": False}, "fromcurrent": True,
                              "transition": {"duration": 150}}]},
                          {"label": "❚❚ Stop", "method": "animate", "args": [[None], dict(step)]}]}],
        sliders=[{"x": 0, "len": 1, "y": 0, "pad": {"t": 44}, "currentvalue": {"prefix": "after epoch "},
                  "steps": [{"label": frame.name, "method": "animate", "args": [[frame.name], dict(step)]}
                            for frame in figure.frames]}],
    )
