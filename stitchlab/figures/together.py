"""Draw several runs in one picture: the difference of two as a heatmap and cell by cell; mean and spread of many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.grid import Grid, number
from stitchlab.figures.ranges import Values, shared_range, with_room
from stitchlab.figures.template import BELOW, GREEN, INK, template, titled
from stitchlab.results.quantity import Quantity
from stitchlab.results.records import SIDES, Side
from stitchlab.results.together import Together, difference, mean, spearman, spread

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(count: int) -> list[str]:
    """Return short names for runs in a picture: A, B, …, and numbers after the last letter.

    >>> letters(3), letters(28)[-2:]
    (['A', 'B', 'C'], ['27', '28'])
    """
    return [LETTERS[k] if k < len(LETTERS) else str(k + 1) for k in range(count)]


def difference_of_two(runs: Together, method: str, metric: str) -> Grid:
    """Return B − A on the common layers, with colours centred on 0, and red where the layers are more similar in B.

    Args:
        runs: the runs A and B on their common layers.
        method: a method or an index.
        metric: of the method or the index.
    """
    quantity = Quantity(method, metric)
    values = difference(runs, method, metric)
    _, reach = shared_range([np.abs(values)], 0.0, None)
    reach = reach or 1.0
    grid = _grid(
        runs,
        values,
        f"B − A: {quantity.label}",
        f"red: more similar in B · colours from {number(-reach)} to {number(reach)}{_turned(runs)}",
        -reach,
        reach,
    )
    return replace(grid, diverging=True, red_low=quantity.better == "lower")


def mean_and_spread(runs: Together, method: str, metric: str) -> list[Grid]:
    """Return two heatmaps: the mean over runs on the quantity's own range, and the standard deviation from 0.

    Args:
        runs: the runs on their common layers.
        method: a method or an index.
        metric: of the method or the index.
    """
    quantity = Quantity(method, metric)
    low, high = quantity.range
    means, spreads = mean(runs, method, metric), spread(runs, method, metric)
    low, high = shared_range([means], low, high)
    count = len(runs.runs)
    mean_grid = _grid(runs, means, f"Mean of {count} runs", f"{quantity.label}{_turned(runs)}", low, high)
    _, largest_spread = shared_range([spreads], 0.0, None)
    spread_grid = _grid(
        runs,
        spreads,
        f"Standard deviation over {count} runs",
        f"{quantity.label} · by n − 1 · colours from 0 to {number(largest_spread)}",
        0.0,
        largest_spread or 1.0,
    )
    return [replace(mean_grid, better=quantity.better, diverging=low < 0), spread_grid]


def cells_of_two(runs: Together, method: str, metric: str, *, dark: bool = False) -> go.Figure:
    """Draw A's number against B's with a point for each cell, the line of equality and the rank correlation.

    Args:
        runs, method, metric: as in `difference_of_two`.
        dark: for a dark page.
    """
    label = Quantity(method, metric).label
    x, y = (values.ravel() for values in runs.matrices(method, metric))
    in_both = ~np.isnan(x + y)
    cells = [f"{i} → {j}" for i in runs.front_layers for j in runs.end_layers]
    correlation = _correlation(spearman(x, y), int(in_both.sum()))
    figure = go.Figure()
    low, high = with_room(np.concatenate([x[in_both], y[in_both]]), 0.05)
    line = {"color": INK[dark], "dash": "dash", "width": 1}
    figure.add_scatter(x=[low, high], y=[low, high], mode="lines", hoverinfo="skip", name="equal", line=line)
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        name="cells",
        marker={"color": GREEN, "size": 9, "opacity": 0.8},
        text=cells,
        hovertemplate="%{text}<br>A %{x:.4f}<br>B %{y:.4f}<extra></extra>",
    )
    figure.update_layout(
        template=template(dark),
        height=460,
        showlegend=False,
        margin={"b": BELOW, "t": 64},
        hovermode="closest",
        dragmode=False,
        title=titled(f"{label}, cell by cell", correlation),
    )
    figure.update_xaxes(range=[low, high], title_text="A")
    figure.update_yaxes(range=[low, high], title_text="B")
    return alt.with_alt_text(
        figure,
        f"Scatter plot of {label}, one point for each cell: {correlation}.",
        f"A: {alt.extremes(x, cells)}. B: {alt.extremes(y, cells)}. B minus A: {alt.extremes(y - x, cells)}.",
    )


def _correlation(rho: float | None, count: int) -> str:
    if rho is None:
        return f"Spearman's ρ is not defined: {count} cells have both numbers, or all numbers are equal"
    return f"Spearman's ρ {rho:.2f} over {count} cells".replace("-", "−")


def _turned(runs: Together) -> str:
    return " · B's front and end are swapped" if runs.turned else ""


def _grid(runs: Together, values: Values, title: str, subtitle: str, low: float, high: float) -> Grid:
    fronts, ends = (_names(runs, side) for side in SIDES)
    return Grid(
        title=title,
        subtitle=subtitle,
        values=values,
        low=low,
        high=high,
        front_layers=runs.front_layers,
        end_layers=runs.end_layers,
        front=fronts,
        end=ends,
    )


def _names(runs: Together, side: Side) -> str:
    """Write the names of the networks of one side, for the title of its axis."""
    other: Side = "end" if side == "front" else "front"
    names = [run.record[other if runs.turned and k else side]["name"] for k, run in enumerate(runs.runs)]
    distinct = list(dict.fromkeys(names))
    return " or ".join(distinct) if len(distinct) < 3 else f"{len(distinct)} networks"
