"""Several runs in one picture: the difference of two as a heatmap and cell by cell, mean and spread of many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METHOD_LABELS, METRICS
from stitchlab.figures.activations import BELOW
from stitchlab.figures.heatmap import Grid, Values, number, shared_range
from stitchlab.figures.template import INK, template
from stitchlab.request import METHODS
from stitchlab.results.together import Together, difference, mean, spearman, spread

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
POINT = "#21918c"  # the middle of viridis: no method's colour


def letters(count: int) -> list[str]:
    """Give runs short names for a picture: A, B, … and numbers where letters end.

    >>> letters(3), letters(28)[-2:]
    (['A', 'B', 'C'], ['27', '28'])
    """
    return [LETTERS[k] if k < len(LETTERS) else str(k + 1) for k in range(count)]


def label(method: str, metric: str) -> str:
    """Name a quantity for people: ``Task loss matching: accuracy``, ``Linear CKA``."""
    if method in METHODS:
        return f"{METHOD_LABELS[method]}: {METRICS[metric].label.lower()}"
    return INDICES[method].label


def difference_of_two(both: Together, method: str, metric: str) -> Grid:
    """B − A on the common layers, colours centred on 0, red where B calls the layers more similar."""
    values = difference(both, method, metric)
    _, most = shared_range([np.abs(values)], 0.0, None)
    most = most or 1.0
    grid = _grid(both, values, f"B − A: {label(method, metric)}",
                 f"red: more similar in B · colours from {number(-most)} to {number(most)}{_turned(both)}", -most, most)
    return replace(grid, diverging=True, red_low=_range(method, metric)[2] == "lower")


def mean_and_spread(runs: Together, method: str, metric: str) -> list[Grid]:
    """The mean over runs, on the quantity's own range, and the standard deviation, from 0 to its largest."""
    low, high, better = _range(method, metric)
    means, spreads = mean(runs, method, metric), spread(runs, method, metric)
    low, high = shared_range([means], low, high)
    count = len(runs.runs)
    first = _grid(runs, means, f"Mean of {count} runs", f"{label(method, metric)}{_turned(runs)}", low, high)
    _, most = shared_range([spreads], 0.0, None)
    second = _grid(runs, spreads, f"Standard deviation over {count} runs",
                   f"{label(method, metric)} · by n − 1 · colours from 0 to {number(most)}", 0.0, most or 1.0)
    return [replace(first, better=better, diverging=low < 0), second]


def cells_of_two(both: Together, method: str, metric: str, *, dark: bool = False) -> go.Figure:
    """Draws A's number against B's, a point a cell, with the line on which they are equal and the rank correlation."""
    x, y = (values.ravel() for values in both.matrices(method, metric))
    there = ~np.isnan(x + y)
    rho = spearman(x, y)
    said = (f"Spearman's ρ {rho:.2f} over {there.sum()} cells".replace("-", "−") if rho is not None
            else f"Spearman's ρ is not defined: {there.sum()} cells with both numbers, or all equal")
    figure = go.Figure()
    low, high = _ends(np.concatenate([x[there], y[there]]))
    figure.add_scatter(x=[low, high], y=[low, high], mode="lines", hoverinfo="skip", name="equal",
                       line={"color": INK[dark], "dash": "dash", "width": 1})
    figure.add_scatter(
        x=x, y=y, mode="markers", name="cells", marker={"color": POINT, "size": 9, "opacity": 0.8},
        text=[f"{i} → {j}" for i in both.front_layers for j in both.end_layers],
        hovertemplate="%{text}<br>A %{x:.4f}<br>B %{y:.4f}<extra></extra>",
    )
    figure.update_layout(
        template=template(dark), height=460, showlegend=False, margin={"b": BELOW, "t": 64}, hovermode="closest",
        dragmode=False,
        title={"text": f"{label(method, metric)}, cell by cell<br><span style='font-size:12px'>{said}</span>"},
    )
    figure.update_xaxes(range=[low, high], title_text="A")
    figure.update_yaxes(range=[low, high], title_text="B")
    return figure


def _ends(values: Values) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low or 1.0)
    return low - room, high + room


def _range(method: str, metric: str) -> tuple[float, float | None, str]:
    """The ends of a quantity's range, and where more similar layers lie."""
    if method in METHODS:
        known = METRICS[metric]
        return known.low, known.high, known.better
    index = INDICES[method]
    return index.low, index.high, index.better


def _turned(runs: Together) -> str:
    return " · B's front and end are swapped" if runs.turned else ""


def _grid(runs: Together, values: Values, title: str, subtitle: str, low: float, high: float) -> Grid:
    fronts, ends = (_names(runs, side) for side in ("front", "end"))
    return Grid(title=title, subtitle=subtitle, values=values, low=low, high=high, front_layers=runs.front_layers,
                end_layers=runs.end_layers, front=fronts, end=ends)


def _names(runs: Together, side: str) -> str:
    """The networks of one side, as the axis names them."""
    other = {"front": "end", "end": "front"}[side]
    names = [run.record[other if runs.turned and k else side]["name"] for k, run in enumerate(runs.runs)]
    different = list(dict.fromkeys(names))
    return " or ".join(different) if len(different) < 3 else f"{len(different)} networks"
