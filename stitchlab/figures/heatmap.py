"""Draw a grid as a heatmap: rows are front layers, columns are end layers, both in network order from the top left.

Plotly reports no clicks on heatmaps, so invisible markers lie over the cells: they have the clicks and hover texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures import alt
from stitchlab.figures.cell_numbers import cell_numbers
from stitchlab.figures.colours import on_scale, rgb
from stitchlab.figures.grid import HOLLOW, VEIL, Grid, coloured, describe, number, stars
from stitchlab.figures.layer_names import ShortNames, shorten
from stitchlab.figures.pixels import AXIS, MAX_NUMBERED_LAYERS, SUBTITLE, TITLE, Pixels, lines, room
from stitchlab.figures.ranges import log_ticks
from stitchlab.figures.template import ACCENT, EDGE, HALO, INK, MUTED, template


def heatmap(
    grid: Grid, *, selected: tuple[str, str] | None = None, dark: bool = False, pixels: Pixels | None = None
) -> go.Figure:
    """Draw a grid as a heatmap whose cells can be clicked.

    Args:
        grid: the description of the heatmap.
        selected: front and end layer of the cell with a frame.
        dark: for a dark page.
        pixels: sizes from `measure`, for this grid and those beside it; None: the grid stands alone.
    """
    pixels = pixels or measure([grid])
    figure = go.Figure(
        [
            _missing(grid, dark),
            _cells(grid, pixels),
            *_veil(grid, dark),
            *_numbers(grid, dark),
            _clickable(grid, dark),
            *_stars(grid, pixels),
        ]
    )
    _layout(figure, grid, pixels, dark)
    selection = ""
    if selected and selected[0] in grid.front_layers and selected[1] in grid.end_layers:
        y, x = grid.front_layers.index(selected[0]), grid.end_layers.index(selected[1])
        frame_px = 4 if pixels.cell > 30 else 3
        for colour, width in ((HALO, frame_px + 3), (ACCENT[grid.diverging], frame_px)):
            figure.add_shape(
                type="rect", x0=x - 0.48, x1=x + 0.48, y0=y - 0.48, y1=y + 0.48, line={"color": colour, "width": width}
            )
        selection = f"Selected: {selected[0]} → {selected[1]}, {alt.number(float(grid.values[y, x]))}."
    return alt.with_alt_text(figure, describe(grid), selection)


def measure(grids: Sequence[Grid]) -> Pixels:
    """Return the sizes of heatmaps of the same layers that stand beside each other: all get the same."""
    rows, columns = _labels(grids[0])
    texts = [number(value, grid.narrow) for grid in grids for value in grid.values.ravel()]
    room_for_dagger = "  " if any(grid.doubtful for grid in grids) else ""
    return room(
        rows.labels,
        [label + room_for_dagger for label in columns.labels],
        letters=max(3 if grids[0].narrow else 4, *map(len, texts)),
        subtitles=[grid.subtitle for grid in grids],
        axes=(_axis("Front", grids[0].front, rows), _axis("End", grids[0].end, columns)),
    )


def _labels(grid: Grid) -> tuple[ShortNames, ShortNames]:
    return shorten(grid.front_layers), shorten(grid.end_layers)


def _axis(side: str, network: str, names: ShortNames) -> str:
    return f"{side} layer of {network}" + (f" (… is {names.elided})" if names.elided else "")


def _layout(figure: go.Figure, grid: Grid, pixels: Pixels, dark: bool) -> None:
    rows, columns = _labels(grid)
    subtitle = "<br>".join(lines(grid.subtitle, pixels.least_width, SUBTITLE))
    row_title = lines(_axis("Front", grid.front, rows), pixels.cell * len(grid.front_layers), AXIS)
    column_title = lines(_axis("End", grid.end, columns), pixels.least_width - 20, AXIS)
    column_labels = [
        f"{label} †" if name in grid.doubtful else label
        for name, label in zip(grid.end_layers, columns.labels, strict=True)
    ]
    square: dict[str, Any] = {"constrain": "domain", "tickfont": {"size": pixels.label}}
    figure.update_layout(
        template=template(dark),
        hoverdistance=-1,
        dragmode=False,
        showlegend=False,
        width=pixels.width,
        height=pixels.height,
        margin={"l": pixels.left, "r": pixels.right, "t": pixels.top, "b": pixels.bottom},
        title={
            "text": f"<span style='font-size:{TITLE}px'>{grid.title}</span><br>{subtitle}",
            "font_size": SUBTITLE,
            "pad": {"t": TITLE},
        },
        xaxis={
            "title": {"text": "<br>".join(column_title), "font_size": AXIS},
            "tickvals": list(range(len(column_labels))),
            "ticktext": column_labels,
            "range": [-0.5, len(column_labels) - 0.5],
            "tickangle": pixels.angle,
            "constraintoward": "left",
            **square,
        },
        yaxis={
            "title": {"text": "<br>".join(row_title), "font_size": AXIS},
            "tickvals": list(range(len(rows.labels))),
            "ticktext": rows.labels,
            "range": [len(rows.labels) - 0.5, -0.5],
            "scaleanchor": "x",
            "constraintoward": "top",
            **square,
        },
    )


def _missing(grid: Grid, dark: bool) -> go.Heatmap:
    empty = np.where(np.isnan(grid.values), 0.0, np.nan)
    return go.Heatmap(
        z=empty, colorscale=[[0, MUTED[dark]], [1, MUTED[dark]]], showscale=False, hoverinfo="skip", xgap=1, ygap=1
    )


def _cells(grid: Grid, pixels: Pixels) -> go.Heatmap:
    z, low, high = coloured(grid)
    bar: dict[str, Any] = {  # no longer than the grid with its smallest cells
        "thickness": 10,
        "outlinewidth": 0,
        "xpad": 4,
        "ypad": 0,
        "tickfont_size": 11,
        "lenmode": "pixels",
        "len": max(80, pixels.least * len(grid.front_layers)),
        "y": 1,
        "yanchor": "top",
    }
    if grid.log:
        ticks = log_ticks(grid.low, grid.high)
        bar |= {"tickvals": np.log10(ticks), "ticktext": [f"{tick:g}" for tick in ticks]}
    return go.Heatmap(
        z=z,
        zmin=low,
        zmax=high,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        colorscale=grid.scale,
        colorbar=bar,
    )


def _veil(grid: Grid, dark: bool) -> list[go.Heatmap]:
    """Cover doubtful columns with the grey of missing cells, below their numbers."""
    if not grid.doubtful:
        return []
    z = np.full(grid.values.shape, np.nan)
    z[:, [name in grid.doubtful for name in grid.end_layers]] = 0.0
    return [
        go.Heatmap(
            z=z,
            colorscale=[[0, MUTED[dark]], [1, MUTED[dark]]],
            opacity=VEIL,
            showscale=False,
            hoverinfo="skip",
            name="veil",
        )
    ]


def _numbers(grid: Grid, dark: bool) -> list[go.Heatmap]:
    """Write numbers in black or white, whichever is easier to read on a cell; none if there are too many cells."""
    if max(grid.values.shape) > MAX_NUMBERED_LAYERS:
        return []
    backgrounds = on_scale(*coloured(grid), grid.scale)
    doubtful = [name in grid.doubtful for name in grid.end_layers]
    backgrounds[:, doubtful] = (1 - VEIL) * backgrounds[:, doubtful] + VEIL * rgb(MUTED[dark])
    return cell_numbers([[number(value, grid.narrow) for value in row] for row in grid.values], backgrounds)


def _clickable(grid: Grid, dark: bool) -> go.Scatter:
    places = [(r, c) for r in range(len(grid.front_layers)) for c in range(len(grid.end_layers))]
    texts = [
        f"{grid.front_layers[r]} → {grid.end_layers[c]}<br>"
        + (
            "not computed yet, or undefined"
            if np.isnan(value := grid.values[r, c])
            else "<br>".join([f"{grid.title}: {value:z.4f}", *_beside(grid, r, c)]).replace("-", "−")
        )
        for r, c in places
    ]
    invisible: dict[str, Any] = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=[c for _, c in places],
        y=[r for r, _ in places],
        mode="markers",
        text=texts,
        name="cells",
        hovertemplate="%{text}<extra></extra>",
        marker={"opacity": 0, "size": 24, "color": INK[dark]},
        selected=invisible,
        unselected=invisible,
    )


def _beside(grid: Grid, row: int, column: int) -> list[str]:
    return [f"{name}: {values[row, column]:z.4f}" for name, values in grid.beside if not np.isnan(values[row, column])]


def _stars(grid: Grid, pixels: Pixels) -> list[go.Scatter]:
    """Draw stars in the upper right corner of cells, above the number; hollow ones show the colour of their cell."""
    full, hollow = stars(grid)
    size = 8 if pixels.least >= 28 else 6
    outline = {"color": EDGE, "width": 1}
    traces = [_markers(full + hollow, "best", size=size, color=HALO, line=outline)]
    if hollow:
        backgrounds = on_scale(*coloured(grid), grid.scale)
        holes = [f"rgb({','.join(f'{part:.0f}' for part in backgrounds[cell])})" for cell in hollow]
        traces.append(_markers(hollow, "by chance", size=size * HOLLOW, color=holes))
    return traces


def _markers(cells: Sequence[tuple[int, int]], name: str, **marker: Any) -> go.Scatter:
    return go.Scatter(
        x=[c + 0.37 for _, c in cells],
        y=[r - 0.36 for r, _ in cells],
        mode="markers",
        hoverinfo="skip",
        name=name,
        marker={"symbol": "star", **marker},
    )
