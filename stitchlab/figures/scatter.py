"""All cells of a grid in one picture: how accurate each is, and how far from native its activations lie."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures.activations import BELOW, COLOURS, SYMBOLS, legend
from stitchlab.figures.heatmap import ticks
from stitchlab.figures.template import INK, template
from stitchlab.results.detection import Distribution

LEAST = 1e-3  # ratios below it, 0 among them, stand here: a logarithmic axis has no 0
RING = 18


def accuracy_and_frechet(
    found: Distribution, *, selected: tuple[str, str] | None = None, dark: bool = False
) -> go.Figure:
    """Draws accuracy against the Fréchet ratio (logarithmic), a point for each cell and method.

    Point k of a method is the cell (front layer k // columns, end layer k % columns); a cell of which a number is
    undefined or not there yet keeps its k and is not drawn. Pale points are at end layers where the ratio does not
    deserve belief. The selected cell (front layer, end layer) has a ring, and a line from method to method.
    """
    figure, run = go.Figure(), found.run
    doubtful = [found.belief("frechet", j).holds is False for j in run.request.end_layers]
    drawn = {method: _numbers(found, method) for method in run.request.methods}
    for method, (ratio, accuracy) in drawn.items():
        figure.add_scatter(
            x=np.maximum(ratio, LEAST), y=accuracy, mode="markers", name=_name(method, accuracy), customdata=ratio,
            text=[f"{i} → {j}" for i in run.request.front_layers for j in run.request.end_layers],
            marker={"color": COLOURS[method], "symbol": SYMBOLS[method], "size": 9,
                    "opacity": [0.3 if doubt else 0.9 for _ in run.request.front_layers for doubt in doubtful]},
            unselected={"marker": {"opacity": 0.9}},
            hovertemplate="%{text}<br>accuracy %{y:.4f}<br>Fréchet ratio %{customdata:.4f}<extra>" + method.upper()
                          + "</extra>",
        )
    if selected and selected[0] in run.request.front_layers and selected[1] in run.request.end_layers:
        k = (run.request.front_layers.index(selected[0]) * len(doubtful) + run.request.end_layers.index(selected[1]))
        figure.add_scatter(
            x=[max(ratio[k], LEAST) for ratio, _ in drawn.values()], y=[known[k] for _, known in drawn.values()],
            mode="markers+lines", line={"color": INK[dark], "width": 1}, showlegend=False, hoverinfo="skip",
            name="selected", marker={"symbol": "circle-open", "size": RING, "color": INK[dark], "line_width": 3},
        )
    low, high = _layout(figure, np.concatenate([*(ratio for ratio, _ in drawn.values()), []]), any(doubtful), dark)
    if run.own_accuracy is not None:
        figure.add_scatter(x=[low, high], y=[run.own_accuracy] * 2, mode="lines", hoverinfo="skip",
                           name=f"end network alone: {run.own_accuracy:.2f}",
                           line={"color": INK[dark], "dash": "dash", "width": 1})
    return figure


def _numbers(found: Distribution, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and accuracy (cells,), row by row; both NaN where either is."""
    ratio = found.matrix("frechet", method, "ratio").ravel()
    accuracy = found.run.matrix(method, "accuracy").ravel()
    lacking = np.isnan(ratio + accuracy)
    return np.where(lacking, np.nan, ratio), np.where(lacking, np.nan, accuracy)


def _name(method: str, accuracy: np.ndarray) -> str:
    there = int((~np.isnan(accuracy)).sum())
    return method.upper() + ("" if there == accuracy.size else f" ({there} of {accuracy.size} cells)")


def _layout(figure: go.Figure, ratios: np.ndarray, doubtful: bool, dark: bool) -> tuple[float, float]:
    """All that is no data; gives the ends of the axis of ratios."""
    known = np.maximum(ratios[~np.isnan(ratios)], LEAST)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.01, 1.0)
    low, high = low / 1.3, high * 1.3
    named = {tick: f"{tick:g}" for tick in ticks(low, high)}
    if known.size and (known == LEAST).any():
        named[LEAST] = f"≤ {LEAST:g}"
    pale = "<br>pale: this ratio does not deserve belief at that end layer" if doubtful else ""
    said = f"left is native; top right: accurate though far from native{pale}"
    figure.update_layout(
        template=template(dark), height=420, legend=legend(), margin={"b": BELOW, "t": 76 if doubtful else 60},
        hovermode="closest", dragmode=False,
        title={"text": f"All cells: accuracy and distribution<br><span style='font-size:12px'>{said}</span>"},
    )
    figure.update_xaxes(type="log", range=np.log10([low, high]), tickvals=list(named), ticktext=list(named.values()),
                        title_text="Fréchet ratio to native (logarithmic)")
    figure.update_yaxes(range=[-0.03, 1.05], title_text="accuracy")
    return low, high
