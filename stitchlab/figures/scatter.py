"""Draw all cells of a grid in one picture: how accurate each is, and how far its activations are from native ones."""

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

MIN_DRAWN_RATIO = 1e-3  # smaller ratios, 0 among them, are drawn here, because a logarithmic axis has no 0
RING_PX = 18


def accuracy_and_frechet(
    detections: DetectionResults, *, selected: tuple[str, str] | None = None, dark: bool = False
) -> go.Figure:
    """Draw accuracy against the Fréchet ratio (logarithmic), with a point for each cell and method.

    Point k of a method is the cell (front layer k // columns, end layer k % columns). A cell with a number that is
    undefined or not computed yet keeps its k, but is not drawn. Points are pale at end layers where the ratio is not
    believed.

    Args:
        detections: what detectors say about the run's cells.
        selected: front and end layer of the cell whose points get a ring, and a line between the methods.
        dark: for a dark page.
    """
    figure, run = go.Figure(), detections.run
    doubtful = [detections.reliability("frechet", j).holds is False for j in run.request.end_layers]
    points = {method: _ratios_and_accuracies(detections, method) for method in run.request.methods}
    cells = list(product(run.request.front_layers, run.request.end_layers))
    names = [f"{i} → {j}" for i, j in cells]
    for method, (ratio, accuracy) in points.items():
        _add_cells(figure, method, ratio, accuracy, names, doubtful * len(run.request.front_layers))
    if selected in cells:
        k = cells.index(selected)
        _add_selected(figure, [(ratio[k], accuracy[k]) for ratio, accuracy in points.values()], dark)
    low, high = _layout(figure, np.concatenate([*(ratio for ratio, _ in points.values()), []]), any(doubtful), dark)
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
        "Scatter plot of accuracy against the Fréchet ratio to native, one point for each cell.",
        *(_alt_sentence(method, *numbers, names) for method, numbers in points.items()),
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
        x=np.maximum(ratio, MIN_DRAWN_RATIO),
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
        x=[max(ratio, MIN_DRAWN_RATIO) for ratio, _ in points],
        y=[accuracy for _, accuracy in points],
        mode="markers+lines",
        line={"color": INK[dark], "width": 1},
        showlegend=False,
        hoverinfo="skip",
        name="selected",
        marker={"symbol": "circle-open", "size": RING_PX, "color": INK[dark], "line_width": 3},
    )


def _alt_sentence(method: Method, ratio: np.ndarray, accuracy: np.ndarray, names: Sequence[str]) -> str:
    return (
        f"{method.upper()}: {(~np.isnan(ratio)).sum()} cells; accuracy {alt.extremes(accuracy, names)}; Fréchet "
        f"ratio {alt.extremes(ratio, names)}."
    )


def _ratios_and_accuracies(detections: DetectionResults, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratio and the accuracy of each cell (cells,), row by row; both are NaN where one is."""
    ratio = detections.matrix("frechet", method, "ratio").ravel()
    accuracy = detections.run.matrix(method, "accuracy").ravel()
    missing = np.isnan(ratio + accuracy)
    return np.where(missing, np.nan, ratio), np.where(missing, np.nan, accuracy)


def _name(method: Method, accuracy: np.ndarray) -> str:
    """Return the name of a method in the legend, with the number of its cells if some are missing."""
    defined = int((~np.isnan(accuracy)).sum())
    return method.upper() + ("" if defined == accuracy.size else f" ({defined} of {accuracy.size} cells)")


def _layout(figure: go.Figure, ratios: np.ndarray, doubtful: bool, dark: bool) -> tuple[float, float]:
    """Set titles and axes; return the ends of the axis of ratios."""
    defined = np.maximum(ratios[~np.isnan(ratios)], MIN_DRAWN_RATIO)
    low, high = (float(defined.min()), float(defined.max())) if defined.size else (0.01, 1.0)
    low, high = low / 1.3, high * 1.3
    ticks = {tick: f"{tick:g}" for tick in log_ticks(low, high)}
    if defined.size and (defined == MIN_DRAWN_RATIO).any():
        ticks[MIN_DRAWN_RATIO] = f"≤ {MIN_DRAWN_RATIO:g}"
    pale = "<br>pale: the ratio is not believed at this end layer" if doubtful else ""
    note = f"left: native; top right: accurate although far from native{pale}"
    figure.update_layout(
        template=template(dark),
        height=420,
        legend=legend(),
        margin={"b": BELOW, "t": 76 if doubtful else 60},
        hovermode="closest",
        dragmode=False,
        title=titled("All cells: accuracy and distribution", note),
    )
    figure.update_xaxes(
        type="log",
        range=np.log10([low, high]),
        tickvals=list(ticks),
        ticktext=list(ticks.values()),
        title_text="Fréchet ratio to native (logarithmic)",
    )
    figure.update_yaxes(range=[-0.03, 1.05], title_text="accuracy")
    return low, high
