"""A grid as a heatmap: rows are front layers, columns end layers, both in network order, the first on top and left.

Plotly reports no clicks on heatmaps, so invisible markers lie over the cells; they carry clicks and hover texts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from stitchlab.figures.cell_numbers import cell_numbers
from stitchlab.figures.colours import on_scale, rgb
from stitchlab.figures.layer_names import ShortNames, shorten
from stitchlab.figures.pixels import AXIS, NUMBERED, SUBTITLE, TITLE, WRITTEN_OUT, Pixels, lines, room
from stitchlab.figures.template import ACCENT, DIVERGING, INK, MUTED, REVERSED, SEQUENTIAL, template

Values = npt.NDArray[np.float64]
HOLLOW = 0.62  # how much of a hollow star's size shows the cell
VEIL = 0.5  # how much of a doubtful column the grey covers


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a heatmap shows.

    Attributes:
        values: (front layers, end layers); NaN is drawn grey: not computed yet, or undefined.
        low, high: ends of the colour range.
        better: ``higher`` or ``lower``: the best cells of each column get a star; empty: none does.
        diverging: colours around the middle of the range, red at its high end.
        red_low: red at its low end instead.
        log: colours follow the logarithm; values of 0 and below get the lowest.
        by_chance: end layers whose star is hollow: permuted images get as far (`stitchlab.results.chance`).
        beside: further numbers of each cell, for who points at it, by what they are called.
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
    red_low: bool = False
    log: bool = False
    by_chance: tuple[str, ...] = ()
    beside: tuple[tuple[str, Values], ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def scale(self) -> str:
        """Plotly's name of its colours."""
        return (REVERSED if self.red_low else DIVERGING) if self.diverging else SEQUENTIAL

    @property
    def narrow(self) -> bool:
        """Whether numbers are written without the zero before the point."""
        return max(len(self.front_layers), len(self.end_layers)) > WRITTEN_OUT


def heatmap(
    grid: Grid, *, selected: tuple[str, str] | None = None, dark: bool = False, pixels: Pixels | None = None
) -> go.Figure:
    """Draws a grid; the cell (front layer, end layer) that is selected gets a frame.

    Args:
        pixels: what `measure` says of this grid with those that stand beside it.
    """
    pixels = pixels or measure([grid])
    figure = go.Figure([_missing(grid, dark), _cells(grid, pixels), *_veil(grid, dark), *_numbers(grid, dark),
                        _clickable(grid, dark), *_stars(grid, pixels)])
    _layout(figure, grid, pixels, dark)
    if selected and selected[0] in grid.front_layers and selected[1] in grid.end_layers:
        y, x = grid.front_layers.index(selected[0]), grid.end_layers.index(selected[1])
        figure.add_shape(type="rect", x0=x - 0.48, x1=x + 0.48, y0=y - 0.48, y1=y + 0.48,
                         line={"color": ACCENT[grid.diverging], "width": 4 if pixels.cell > 30 else 3})
    return figure


def measure(grids: Sequence[Grid]) -> Pixels:
    """Shares out the pixels of grids of the same layers that stand beside each other."""
    rows, columns = _labels(grids[0])
    texts = [number(v, grid.narrow) for grid in grids for v in grid.values.ravel()]
    doubtful = 2 * any(grid.doubtful for grid in grids)
    return room(
        rows.labels, [label + " " * doubtful for label in columns.labels],
        letters=max(3 if grids[0].narrow else 4, *map(len, texts)), subtitles=[grid.subtitle for grid in grids],
        axes=(_axis("Front", grids[0].front, rows), _axis("End", grids[0].end, columns)),
    )


def _labels(grid: Grid) -> tuple[ShortNames, ShortNames]:
    return shorten(grid.front_layers), shorten(grid.end_layers)


def _axis(side: str, network: str, names: ShortNames) -> str:
    return f"{side} layer of {network}" + (f" (… is {names.elided})" if names.elided else "")


def _layout(figure: go.Figure, grid: Grid, pixels: Pixels, dark: bool) -> None:
    rows, columns = _labels(grid)
    said = "<br>".join(lines(grid.subtitle, pixels.least_width, SUBTITLE))
    beside = lines(_axis("Front", grid.front, rows), pixels.cell * len(grid.front_layers), AXIS)
    below = lines(_axis("End", grid.end, columns), pixels.least_width - 20, AXIS)
    ends = [f"{label} †" if name in grid.doubtful else label
            for name, label in zip(grid.end_layers, columns.labels, strict=True)]
    square: dict[str, Any] = {"constrain": "domain", "tickfont": {"size": pixels.label}}
    figure.update_layout(
        template=template(dark), hoverdistance=-1, dragmode=False, showlegend=False,
        width=pixels.width, height=pixels.height,
        margin={"l": pixels.left, "r": pixels.right, "t": pixels.top, "b": pixels.bottom},
        title={"text": f"<span style='font-size:{TITLE}px'>{grid.title}</span><br>{said}", "font_size": SUBTITLE,
               "pad": {"t": TITLE}},
        xaxis={"title": {"text": "<br>".join(below), "font_size": AXIS}, "tickvals": list(range(len(ends))),
               "ticktext": ends, "range": [-0.5, len(ends) - 0.5], "tickangle": pixels.angle,
               "constraintoward": "left", **square},
        yaxis={"title": {"text": "<br>".join(beside), "font_size": AXIS}, "tickvals": list(range(len(rows.labels))),
               "ticktext": rows.labels, "range": [len(rows.labels) - 0.5, -0.5], "scaleanchor": "x",
               "constraintoward": "top", **square},
    )


def stars(grid: Grid) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Give (row, column) of the best cells of each column: those beyond chance, or not tested, and the hollow ones."""
    best = best_of_columns(grid.values, grid.better) if grid.better else []
    hollow = [cell for cell in best if grid.end_layers[cell[1]] in grid.by_chance]
    return [cell for cell in best if cell not in hollow], hollow


def best_of_columns(values: Values, better: str) -> list[tuple[int, int]]:
    """(row, column) of the best cells of each column: all equals, and none where a column has no value."""
    signed = values if better == "higher" else -values
    best = np.fmax.reduce(signed, axis=0)  # NaN only where all are
    return [(int(row), int(column)) for row, column in np.argwhere(signed == best)]


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


def _cells(grid: Grid, pixels: Pixels) -> go.Heatmap:
    z, low, high = coloured(grid)
    bar: dict[str, Any] = {  # no longer than the grid is where cells have the least that they can have
        "thickness": 10, "outlinewidth": 0, "xpad": 4, "ypad": 0, "tickfont_size": 11,
        "lenmode": "pixels", "len": max(80, pixels.least * len(grid.front_layers)), "y": 1, "yanchor": "top"}
    if grid.log:
        named = ticks(grid.low, grid.high)
        bar |= {"tickvals": np.log10(named), "ticktext": [f"{tick:g}" for tick in named]}
    return go.Heatmap(
        z=z, zmin=low, zmax=high, hoverinfo="skip", xgap=1, ygap=1, colorscale=grid.scale,
        colorbar=bar,
    )


def coloured(grid: Grid) -> tuple[Values, float, float]:
    """What is coloured, and the ends of its range."""
    if not grid.log:
        return grid.values, grid.low, grid.high
    return np.log10(np.maximum(grid.values, grid.low)), math.log10(grid.low), math.log10(grid.high)


def _veil(grid: Grid, dark: bool) -> list[go.Heatmap]:
    """Doubtful columns are covered, below their numbers, by the grey of what is not there."""
    if not grid.doubtful:
        return []
    z = np.full(grid.values.shape, np.nan)
    z[:, [name in grid.doubtful for name in grid.end_layers]] = 0.0
    return [go.Heatmap(z=z, colorscale=[[0, MUTED[dark]], [1, MUTED[dark]]], opacity=VEIL, showscale=False,
                       hoverinfo="skip", name="veil")]


def _numbers(grid: Grid, dark: bool) -> list[go.Heatmap]:
    """Black and white numbers, whichever reads better on its cell; none where cells are too many."""
    if max(grid.values.shape) > NUMBERED:
        return []
    behind = on_scale(*coloured(grid), grid.scale)
    doubtful = [name in grid.doubtful for name in grid.end_layers]
    behind[:, doubtful] = (1 - VEIL) * behind[:, doubtful] + VEIL * rgb(MUTED[dark])
    return cell_numbers([[number(v, grid.narrow) for v in row] for row in grid.values], behind)


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
           else "<br>".join([f"{grid.title}: {v:z.4f}", *_beside(grid, r, c)]).replace("-", "−"))
        for r, c in places
    ]
    invisible: dict[str, Any] = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=[c for _, c in places], y=[r for r, _ in places], mode="markers", text=texts, name="cells",
        hovertemplate="%{text}<extra></extra>", marker={"opacity": 0, "size": 24, "color": INK[dark]},
        selected=invisible, unselected=invisible,
    )


def _beside(grid: Grid, row: int, column: int) -> list[str]:
    return [f"{name}: {values[row, column]:z.4f}" for name, values in grid.beside if not np.isnan(values[row, column])]


def _stars(grid: Grid, pixels: Pixels) -> list[go.Scatter]:
    """In the upper right corner of a cell, above its number; hollow ones show the cell's colour within."""
    full, hollow = stars(grid)
    size = 8 if pixels.least >= 28 else 6
    outline = {"color": "#333333", "width": 1}
    drawn = [_markers(full + hollow, "best", size=size, color="white", line=outline)]
    if hollow:
        behind = on_scale(*coloured(grid), grid.scale)
        within = [f"rgb({','.join(f'{part:.0f}' for part in behind[cell])})" for cell in hollow]
        drawn.append(_markers(hollow, "by chance", size=size * HOLLOW, color=within))
    return drawn


def _markers(cells: Sequence[tuple[int, int]], name: str, **marker: Any) -> go.Scatter:
    return go.Scatter(x=[c + 0.37 for _, c in cells], y=[r - 0.36 for r, _ in cells], mode="markers",
                      hoverinfo="skip", name=name, marker={"symbol": "star", **marker})


def number(value: float, narrow: bool = False) -> str:
    """Writes a number for a cell: two digits behind the point where there is room, as papers print them.

    >>> number(0.974), number(-0.001), number(31.4), number(12345.0)
    ('0.97', '0.00', '31.4', '1e4')
    >>> number(0.974, narrow=True), number(-0.12, narrow=True), number(1.0, narrow=True), number(1.23, narrow=True)
    ('.97', '−.12', '1.0', '1.23')
    """
    size = abs(value)
    if np.isnan(value):
        return ""
    if size >= 9999.5:
        text = f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    else:
        text = f"{value:z.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
    if narrow and size < 1.005:
        text = text.replace("0.", ".").replace("1.00", "1.0")
    return text.replace("-", "−")
