"""Puts charts on a page: the name of a saved picture, the text for screen readers, clicks on cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from stitchlab import ui
from stitchlab.figures import alt
from stitchlab.figures.grid import Grid
from stitchlab.figures.heatmap import heatmap, measure
from stitchlab.figures.scatter import accuracy_and_frechet
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.ui import address, embedding
from stitchlab.ui.marking import mark_same_cells

STACKED = 14  # columns from which heatmaps always stand one under the other


def chart(
    of: str, figure: go.Figure, key: str, name: str, on_select: Callable[[str], None] | None = None, **more: Any
) -> None:
    """Draw a figure on the page, with its alternative text and a button that saves it as a picture.

    Args:
        of: id of the run, or name of the network, that the figure is of: begins the picture's file name.
        figure: what is drawn; it has its alternative text (`stitchlab.figures.alt.with_alt_text`).
        key: of the widget.
        name: what the figure shows: the rest of the picture's file name.
        on_select: called with the key when points are selected; None: points cannot be selected.
        more: passed on to `st.plotly_chart`.
    """
    config = {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {
            "format": st.session_state.get("picture", "png"),
            "filename": _file(of, name),
            "scale": 2,
        },
    }
    if on_select is not None:
        more["on_select"] = lambda: on_select(key)
    with embedding.seen():
        st.plotly_chart(figure, key=key, theme=None, config=config, alt=alt.of(figure), **more)


def heatmaps(run: Run, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None) -> None:
    """Draw heatmaps of a run, placed as `side_by_side` does; with a selected cell, a click selects another one.

    Args:
        run: what the heatmaps are of.
        grids: the heatmaps, on the same layers.
        key: beginning of the widgets' keys.
        selected: front and end layer of the framed cell; None: no frame, and no clicks.
    """
    more: dict[str, Any] = {}
    if selected is not None:
        more = {"on_select": lambda key: _clicked(run, key), "selection_mode": "points"}
    side_by_side(run.id, grids, key, selected, **more)


def side_by_side(
    of: str, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None = None, **more: Any
) -> None:
    """Draw heatmaps side by side, at most three, where the page is wide enough for their numbers, else stacked.

    Where even one is too wide for the page, it scrolls.

    Args:
        of: id of their run: begins the file names of saved pictures.
        grids: the heatmaps, on the same layers.
        key: beginning of the widgets' keys.
        selected: front and end layer of the framed cell; None: no frame.
        more: passed on to `chart`.
    """
    with embedding.seen():
        _side_by_side(of, grids, key, selected, **more)


def _side_by_side(of: str, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None, **more: Any) -> None:
    many = len(grids[0].end_layers) >= STACKED
    wide = 1 if many else 3 if len(grids) == 3 or len(grids) > 4 else 2
    pixels = measure(grids)
    together = st.container(gap=None)  # no gap for what is not seen
    places = together.grid(wide, min_column_width=pixels.least_width)
    for k, grid in enumerate(grids):
        with places.cell(), st.grid(1, min_column_width=pixels.least_width, wrap=False):
            figure = heatmap(grid, selected=selected, dark=ui.dark(), pixels=pixels)
            chart(of, figure, f"{key}-{k}", grid.title, width=pixels.width, **more)
    if len(grids) > 1:
        with together:
            mark_same_cells(key=f"{key}-mark")


def cells_scatter(
    found: DetectionResults,
    key: str,
    selected: tuple[str, str] | None,
    clicked: Callable[[str, str], None] | None = None,
) -> None:
    """Draw all cells as points: accuracy against the Fréchet ratio.

    Args:
        found: what detectors say about the run's cells.
        key: of the widget.
        selected: front and end layer of the cell with a ring; None: no ring.
        clicked: called with front and end layer of a clicked point; None: with a selected cell, clicks select others.
    """
    run = found.run
    more: dict[str, Any] = {}
    if clicked or selected is not None:
        more = {"on_select": lambda key: _clicked_point(run, key, clicked), "selection_mode": "points"}
    figure = accuracy_and_frechet(found, selected=selected, dark=ui.dark())
    chart(run.id, figure, key, "accuracy and frechet ratio", **more)


def _clicked(run: Run, key: str) -> None:
    """Select the cell that was clicked; a click on the selected one deselects it, which changes nothing."""
    for point in st.session_state[key].selection.points[:1]:
        _select(run, round(point["y"]), round(point["x"]))


def _clicked_point(run: Run, key: str, clicked: Callable[[str, str], None] | None) -> None:
    for point in st.session_state[key].selection.points[:1]:
        row, column = divmod(point["point_index"], len(run.request.end_layers))
        if clicked:
            clicked(run.request.front_layers[row], run.request.end_layers[column])
        else:
            _select(run, row, column)


def _select(run: Run, row: int, column: int) -> None:
    """Put a cell into the address: every click on a cell ends here."""
    address.write(run, (run.request.front_layers[row], run.request.end_layers[column]))


def _file(of: str, name: str) -> str:
    """Name a saved picture by what it shows: ``stitchlab-RUN-task-loss-matching-accuracy``."""
    words = name.lower().replace("−", "minus").replace("→", "into")
    return f"stitchlab-{of}-" + "-".join(re.findall(r"[\w.]+", words))
