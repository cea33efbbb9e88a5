"""Draws all cells of a grid in one picture: how accurate each is, and how far from native its activations lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.ranges import log_ticks
from stitchlab.figures.template import BELOW, COLOURS, INK, SYMBOLS, legend, template, titled
from stitchlab.request import Method
from stitchlab.results.detection import DetectionResults

LEAST = 1e-3  # ratios below it, 0 among them, stand here: a logarithmic axis has no 0
RING = 18


def accuracy_and_frechet(
    found: DetectionResults, *, selected: tuple[str, str] | None = None, dark: bool = False
) -> go.Figure:
    """Draw accuracy against the Fréchet ratio (logarithmic), a point for each cell and method.

    Point k of a method is the cell (front layer k // columns, end layer k % columns); a cell of which a number is
    undefined or not there yet keeps its k and is not drawn. Points are pale at end layers where the ratio is doubtful.

    Args:
        found: what detectors say about the run's cells.
        selected: front and end layer of the cell with a ring, and a line from method to method.
        dark: for a dark page.
    """
    figure, run = go.Figure(), found.run
    doubtful = [found.reliability("frechet", j).holds is False for j in run.request.end_layers]
    drawn = {method: _numbers(found, method) for method in run.request.methods}
    cells = list(product(run.request.front_layers, run.request.end_layers))
    names = [f"{i} → {j}" for i, j in cells]
    for method, (ratio, accuracy) in drawn.items():
        _add_cells(figure, method, ratio, accuracy, names, doubtful * len(run.request.front_layers))
    if selected in cells:
        k = cells.index(selected)
        _add_selected(figure, [(ratio[k], accuracy[k]) for ratio, accuracy in drawn.values()], dark)
    low, high = _layout(figure, np.concatenate([*(ratio for ratio, _ in drawn.values()), []]), any(doubtful), dark)
    if run.own_accuracy is not None:
        figure.add_scatter(
            x=[low, high],
            y=[run.own_accuracy] * 2,
            mode="lines",
            hoverinfo="skip",
            name=f"end network alone: {run.own_accuracy:.2f}",
            line={"color": INK[dark], "dash": "dash", "width": 1},
        )
    return alt.with_alt_text(
        figure,
        "Scatter plot of accuracy against the Fréchet ratio to native, a point a cell.",
        *(_told(method, *numbers, names) for method, numbers in drawn.items()),
        "" if run.own_accuracy is None else f"The end network alone: {alt.number(run.own_accuracy)}.",
    )


def _add_cells(
    figure: go.Figure,
    method: Method,
    ratio: np.ndarray,
    accuracy: np.ndarray,
    names: Sequence[str],
    doubtful: Sequence[bool],
) -> None:
    """Add a point for each cell of a method, a pale one where the ratio is doubtful."""
    figure.add_scatter(
        x=np.maximum(ratio, LEAST),
        y=accuracy,
        mode="markers",
        name=_name(method, accuracy),
        customdata=ratio,
        text=names,
        marker={
            "color": COLOURS[method],
            "symbol": SYMBOLS[method],
            "size": 9,
            "opacity": [0.3 if doubt else 0.9 for doubt in doubtful],
        },
        unselected={"marker": {"opacity": 0.9}},
        hovertemplate="%{text}<br>accuracy %{y:.4f}<br>Fréchet ratio %{customdata:.4f}"
        f"<extra>{method.upper()}</extra>",
    )


def _add_selected(figure: go.Figure, points: Sequence[tuple[float, float]], dark: bool) -> None:
    """Add a ring around each method's point (ratio, accuracy) of the selected cell, and the line between them."""
    figure.add_scatter(
        x=[max(ratio, LEAST) for ratio, _ in points],
        y=[accuracy for _, accuracy in points],
        mode="markers+lines",
        line={"color": INK[dark], "width": 1},
        showlegend=False,
        hoverinfo="skip",
        name="selected",
        marker={"symbol": "circle-open", "size": RING, "color": INK[dark], "line_width": 3},
    )


def _told(method: Method, ratio: np.ndarray, accuracy: np.ndarray, names: Sequence[str]) -> str:
    return (
        f"{method.upper()}: {(~np.isnan(ratio)).sum()} cells; accuracy {alt.extremes(accuracy, names)}; Fréchet "
        f"ratio {alt.extremes(ratio, names)}."
    )


def _numbers(found: DetectionResults, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Return ratio and accuracy (cells,), row by row; both NaN where either is."""
    ratio = found.matrix("frechet", method, "ratio").ravel()
    accuracy = found.run.matrix(method, "accuracy").ravel()
    lacking = np.isnan(ratio + accuracy)
    return np.where(lacking, np.nan, ratio), np.where(lacking, np.nan, accuracy)


def _name(method: Method, accuracy: np.ndarray) -> str:
    there = int((~np.isnan(accuracy)).sum())
    return method.upper() + ("" if there == accuracy.size else f" ({there} of {accuracy.size} cells)")


def _layout(figure: go.Figure, ratios: np.ndarray, doubtful: bool, dark: bool) -> tuple[float, float]:
    """Set titles and axes; return the ends of the axis of ratios."""
    known = np.maximum(ratios[~np.isnan(ratios)], LEAST)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.01, 1.0)
    low, high = low / 1.3, high * 1.3
    named = {tick: f"{tick:g}" for tick in log_ticks(low, high)}
    if known.size and (known == LEAST).any():
        named[LEAST] = f"≤ {LEAST:g}"
    pale = "<br>pale: this ratio does not deserve belief at that end layer" if doubtful else ""
    said = f"left is native; top right: accurate though far from native{pale}"
    figure.update_layout(
        template=template(dark),
        height=420,
        legend=legend(),
        margin={"b": BELOW, "t": 76 if doubtful else 60},
        hovermode="closest",
        dragmode=False,
        title=titled("All cells: accuracy and distribution", said),
    )
    figure.update_xaxes(
        type="log",
        range=np.log10([low, high]),
        tickvals=list(named),
        ticktext=list(named.values()),
        title_text="Fréchet ratio to native (logarithmic)",
    )
    figure.update_yaxes(range=[-0.03, 1.05], title_text="accuracy")
    return low, high
