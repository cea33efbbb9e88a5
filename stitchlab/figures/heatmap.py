"""A grid as a heatmap: rows are front layers, columns end layers, both in network order, the first on top and left.

Plotly reports no clicks on heatmaps, so invisible markers lie over the cells; they carry clicks and hover texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from stitchlab.figures.template import ACCENT, DIVERGING, INK, MUTED, SEQUENTIAL, template

Values = npt.NDArray[np.float64]
LEGIBLE = 22  # columns up to which numbers fit into their cells; beyond, the hover tells them


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a heatmap shows.

    Attributes:
        values: (front layers, end layers); NaN is drawn grey: not computed yet, or undefined.
        low, high: ends of the colour range.
        better: ``higher`` or ``lower``: the best cell of each column gets a star; empty: none does.
        diverging: colours around the middle of the range.
        log: colours follow the logarithm; values of 0 and below get the lowest.
        doubtful: end layers whose columns are marked † and pale: their numbers do not deserve belief.
    """

    title: str
    subtitle: str
    values: Values
    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]
    front: str
    end: str
    low: float
    high: float
    better: str = ""
    diverging: bool = False
    log: bool = False
    doubtful: tuple[str, ...] = ()


def heatmap(grid: Grid, *, selected: tuple[str, str] | None = None, dark: bool = False) -> go.Figure:
    """Draws a grid; the cell (front layer, end layer) that is selected gets a frame."""
    rows, columns = len(grid.front_layers), len(grid.end_layers)
    figure = go.Figure([_missing(grid, dark), _cells(grid), _clickable(grid, dark), _stars(grid)])
    for name in grid.doubtful:  # a veil in the grey of what is not there
        x = grid.end_layers.index(name)
        figure.add_shape(type="rect", x0=x - 0.5, x1=x + 0.5, y0=-0.5, y1=rows - 0.5, line_width=0,
                         fillcolor=MUTED[dark], opacity=0.5)
    longest = max(map(len, grid.end_layers))
    if np.isnan(grid.values).all():
        figure.update_layout(margin_r=60)  # where the colour bar will be, so that nothing moves when cells come
    figure.update_layout(
        template=template(dark), hoverdistance=-1, dragmode=False, showlegend=False,
        height=116 + max(rows, 3) * (44 if rows <= 10 else 30) + 6 * longest,
        title={"text": f"{grid.title}<br><span style='font-size:12px'>{grid.subtitle}</span>"},
        xaxis={"title": {"text": f"End layer of {grid.end}"}, "tickvals": list(range(columns)),
               "ticktext": [f"{name} †" if name in grid.doubtful else name for name in grid.end_layers],
               "range": [-0.5, columns - 0.5], "tickangle": -45},
        yaxis={"title": {"text": f"Front layer of {grid.front}"}, "tickvals": list(range(rows)),
               "ticktext": grid.front_layers, "range": [rows - 0.5, -0.5]},
    )
    if selected and selected[0] in grid.front_layers and selected[1] in grid.end_layers:
        y, x = grid.front_layers.index(selected[0]), grid.end_layers.index(selected[1])
        figure.add_shape(type="rect", x0=x - 0.48, x1=x + 0.48, y0=y - 0.48, y1=y + 0.48,
                         line={"color": ACCENT[grid.diverging], "width": 4})
    return figure


def best_of_columns(values: Values, better: str) -> list[tuple[int, int]]:
    """(row, column) of the best cell of each column that has any value; the first of equals."""
    signed = values if better == "higher" else -values
    return [(int(np.nanargmax(signed[:, c])), c) for c in range(values.shape[1]) if not np.isnan(signed[:, c]).all()]


def shared_range(values: list[Values], low: float, high: float | None) -> tuple[float, float]:
    """One colour range for all matrices of a quantity: its own ends where it has them, else up to the largest value."""
    known = np.concatenate([np.ravel(v) for v in values])
    known = known[~np.isnan(known)]
    if not known.size:
        return low, high if high is not None else low + 1.0
    return min(low, float(known.min())), max(high if high is not None else 0.0, float(known.max()))


def _missing(grid: Grid, dark: bool) -> go.Heatmap:
    empty = np.where(np.isnan(grid.values), 0.0, np.nan)
    return go.Heatmap(z=empty, colorscale=[[0, MUTED[dark]], [1, MUTED[dark]]], showscale=False, hoverinfo="skip",
                      xgap=1, ygap=1)


def _cells(grid: Grid) -> go.Heatmap:
    columns = len(grid.end_layers)
    z, low, high, bar = grid.values, grid.low, grid.high, {}
    if grid.log:
        z, low, high = np.log10(np.maximum(z, low)), np.log10(low), np.log10(high)
        named = ticks(grid.low, grid.high)
        bar = {"tickvals": np.log10(named), "ticktext": [f"{tick:g}" for tick in named]}
    return go.Heatmap(
        z=z, zmin=low, zmax=high, hoverinfo="skip", xgap=1, ygap=1,
        colorscale=DIVERGING if grid.diverging else SEQUENTIAL,
        text=[[_short(v) for v in row] for row in grid.values],
        texttemplate="%{text}" if columns <= LEGIBLE else None,
        textfont={"size": 13 if columns <= 8 else 10 if columns <= 14 else 8},
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 1.0, "tickfont": {"size": 11}, "xpad": 4, **bar},
    )


def ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic scale: 1, 2 and 5 times powers of ten within the range; its ends where there are none."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    named = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [tick for tick in named if low <= tick <= high] or [low, high]


def _clickable(grid: Grid, dark: bool) -> go.Scatter:
    places = [(r, c) for r in range(len(grid.front_layers)) for c in range(len(grid.end_layers))]
    texts = [
        f"{grid.front_layers[r]} → {grid.end_layers[c]}<br>"
        + ("not computed yet, or undefined" if np.isnan(v := grid.values[r, c])
           else f"{grid.title}: {v:z.4f}".replace("-", "−"))
        for r, c in places
    ]
    invisible: dict[str, Any] = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=[c for _, c in places], y=[r for r, _ in places], mode="markers", text=texts, name="cells",
        hovertemplate="%{text}<extra></extra>", marker={"opacity": 0, "size": 24, "color": INK[dark]},
        selected=invisible, unselected=invisible,
    )


def _stars(grid: Grid) -> go.Scatter:
    best = best_of_columns(grid.values, grid.better) if grid.better else []
    return go.Scatter(
        x=[c + 0.38 for _, c in best], y=[r - 0.36 for r, _ in best], mode="markers", hoverinfo="skip", name="best",
        marker={"symbol": "star", "size": 8, "color": "white", "line": {"color": "#333333", "width": 1}},
    )


def _short(value: float) -> str:
    """Two digits behind the point, as papers print them, a true minus, and no minus before zero."""
    return "" if np.isnan(value) else f"{value:z.2f}".replace("-", "−")
