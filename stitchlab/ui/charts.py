"""Draws charts on a page, with a name for saved pictures, a text for screen readers, and clicks on cells."""

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
from stitchlab.request import Cell
from stitchlab.results.detection import DetectionResults
from stitchlab.results.run import Run
from stitchlab.ui import address, embedding
from stitchlab.ui.marking import mark_same_cells

MIN_COLUMNS_STACKED = 14  # with so many columns, heatmaps always stand one below the other


def chart(
    name_prefix: str,
    figure: go.Figure,
    key: str,
    name: str,
    on_select: Callable[[str], None] | None = None,
    **options: Any,
) -> None:
    """Draw a figure on the page, with its alternative text and a button that saves it as a picture.

    Args:
        name_prefix: id of the run or name of the network that the figure shows: begins the picture's file name.
        figure: what is drawn; it already has its alternative text (`stitchlab.figures.alt.with_alt_text`).
        key: of the widget.
        name: what the figure shows; this is the rest of the picture's file name.
        on_select: called with the key when points are selected; if it is None, they cannot be selected.
        options: passed on to `st.plotly_chart`.
    """
    config = {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {
            "format": st.session_state.get("picture", "png"),
            "filename": _file_name(name_prefix, name),
            "scale": 2,
        },
    }
    if on_select is not None:
        options["on_select"] = lambda: on_select(key)
    with embedding.seen():
        st.plotly_chart(figure, key=key, theme=None, config=config, alt=alt.alt_text(figure), **options)


def heatmaps(run: Run, grids: Sequence[Grid], key: str, selected: Cell | None) -> None:
    """Draw heatmaps of a run, placed by `side_by_side`; if a cell is selected, a click selects another one.

    Args:
        run: the run that the heatmaps show.
        grids: the heatmaps, on the same layers.
        key: beginning of the widgets' keys.
        selected: front and end layer of the framed cell; None: no frame, and no clicks.
    """
    options: dict[str, Any] = {}
    if selected is not None:
        options = {"on_select": lambda key: _select_clicked_cell(run, key), "selection_mode": "points"}
    side_by_side(run.id, grids, key, selected, **options)


def side_by_side(
    name_prefix: str, grids: Sequence[Grid], key: str, selected: Cell | None = None, **options: Any
) -> None:
    """Draw heatmaps side by side, at most three, if the page is wide enough for their numbers, else stacked.

    A heatmap that is too wide even alone scrolls.

    Args:
        name_prefix: id of their run: begins the file names of saved pictures.
        grids: the heatmaps, on the same layers.
        key: beginning of the widgets' keys.
        selected: front and end layer of the framed cell; None: no frame.
        options: passed on to `chart`.
    """
    with embedding.seen():
        _side_by_side(name_prefix, grids, key, selected, **options)


def _side_by_side(name_prefix: str, grids: Sequence[Grid], key: str, selected: Cell | None, **options: Any) -> None:
    always_stacked = len(grids[0].end_layers) >= MIN_COLUMNS_STACKED
    columns = 1 if always_stacked else 3 if len(grids) == 3 or len(grids) > 4 else 2
    pixels = measure(grids)
    container = st.container(gap=None)  # no gap for `mark_same_cells`, which is invisible
    places = container.grid(columns, min_column_width=pixels.least_width)
    for k, grid in enumerate(grids):
        with places.cell(), st.grid(1, min_column_width=pixels.least_width, wrap=False):
            figure = heatmap(grid, selected=selected, dark=ui.dark(), pixels=pixels)
            chart(name_prefix, figure, f"{key}-{k}", grid.title, width=pixels.width, **options)
    if len(grids) > 1:
        with container:
            mark_same_cells(key=f"{key}-mark")


def cells_scatter(
    results: DetectionResults,
    key: str,
    selected: Cell | None,
    on_click: Callable[[str, str], None] | None = None,
) -> None:
    """Draw all cells as points: accuracy against the Fréchet ratio.

    Args:
        results: results of the detectors on the run's cells.
        key: of the widget.
        selected: front and end layer of the cell with a ring; None: no ring.
        on_click: called with front and end layer of a clicked point; if it is None and a cell is selected, clicks
            select other cells.
    """
    run = results.run
    options: dict[str, Any] = {}
    if on_click or selected is not None:
        options = {"on_select": lambda key: _select_clicked_point(run, key, on_click), "selection_mode": "points"}
    figure = accuracy_and_frechet(results, selected=selected, dark=ui.dark())
    chart(run.id, figure, key, "accuracy and frechet ratio", **options)


def _select_clicked_cell(run: Run, key: str) -> None:
    """Select the cell that was clicked. A click on the selected cell deselects its point, and the cell stays."""
    for point in st.session_state[key].selection.points[:1]:
        _select(run, round(point["y"]), round(point["x"]))


def _select_clicked_point(run: Run, key: str, on_click: Callable[[str, str], None] | None) -> None:
    for point in st.session_state[key].selection.points[:1]:
        row, column = divmod(point["point_index"], len(run.request.end_layers))
        if on_click:
            on_click(run.request.front_layers[row], run.request.end_layers[column])
        else:
            _select(run, row, column)


def _select(run: Run, row: int, column: int) -> None:
    """Put a cell into the address: every click on a cell ends here."""
    address.write(run, (run.request.front_layers[row], run.request.end_layers[column]))


def _file_name(name_prefix: str, name: str) -> str:
    """Name a saved picture after what it shows: ``stitchlab-RUN-task-loss-matching-accuracy``."""
    words = name.lower().replace("−", "minus").replace("→", "into")
    return f"stitchlab-{name_prefix}-" + "-".join(re.findall(r"[\w.]+", words))
