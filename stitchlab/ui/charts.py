"""Charts on a page: what the camera saves, texts for those who do not see them, clicks on cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from stitchlab import ui
from stitchlab.figures.heatmap import Grid, heatmap, measure
from stitchlab.figures.scatter import accuracy_and_frechet
from stitchlab.results.detection import Distribution
from stitchlab.results.run import Run
from stitchlab.ui import address, embedding
from stitchlab.ui.marking import mark_same_cells

STACKED = 14  # columns from which heatmaps always stand one under the other


def chart(
    of: str, figure: go.Figure, key: str, alt: str, name: str, on_select: Callable[[str], None] | None = None,
    **more: Any,
) -> None:
    """Draws a figure of a run, by its id, or of a network. Pictures of it are saved under both names; ``on_select``
    gets the key when points are selected."""
    config = {
        "displaylogo": False, "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": st.session_state.get("picture", "png"), "filename": _file(of, name),
                                 "scale": 2},
    }
    if on_select is not None:
        more["on_select"] = lambda: on_select(key)
    with embedding.seen():
        st.plotly_chart(figure, key=key, theme=None, config=config, alt=alt, **more)


def heatmaps(run: Run, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None) -> None:
    """Grids of a run, `side_by_side`. Where a cell is selected, clicks select others."""
    more: dict[str, Any] = {}
    if selected is not None:
        more = {"on_select": lambda key: _clicked(run, key), "selection_mode": "points"}
    side_by_side(run.id, grids, key, selected, **more)


def side_by_side(
    of: str, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None = None, **more: Any
) -> None:
    """Grids side by side, at most three, where the page is wide enough for their numbers; else one under the other,
    and where even one is too wide, it scrolls."""
    with embedding.seen():
        _side_by_side(of, grids, key, selected, **more)


def _side_by_side(
    of: str, grids: Sequence[Grid], key: str, selected: tuple[str, str] | None, **more: Any
) -> None:
    many = len(grids[0].end_layers) >= STACKED
    wide = 1 if many else 3 if len(grids) == 3 or len(grids) > 4 else 2
    pixels = measure(grids)
    together = st.container(gap=None)  # no gap for what is not seen
    places = together.grid(wide, min_column_width=pixels.least_width)
    for k, grid in enumerate(grids):
        alt = f"Heatmap of {grid.title}: {len(grid.front_layers)} front by {len(grid.end_layers)} end layers"
        with places.cell(), st.grid(1, min_column_width=pixels.least_width, wrap=False):
            figure = heatmap(grid, selected=selected, dark=ui.dark(), pixels=pixels)
            chart(of, figure, f"{key}-{k}", alt, grid.title, width=pixels.width, **more)
    if len(grids) > 1:
        with together:
            mark_same_cells(key=f"{key}-mark")


def cells_scatter(
    found: Distribution, key: str, selected: tuple[str, str] | None,
    clicked: Callable[[str, str], None] | None = None,
) -> None:
    """All cells, accuracy against the Fréchet ratio. A click calls ``clicked``; without it, where a cell is selected,
    clicks select others."""
    run = found.run
    more: dict[str, Any] = {}
    if clicked or selected is not None:
        more = {"on_select": lambda key: _clicked_point(run, key, clicked), "selection_mode": "points"}
    alt = "Scatter plot of accuracy against the Fréchet ratio of all cells, by method"
    figure = accuracy_and_frechet(found, selected=selected, dark=ui.dark())
    chart(run.id, figure, key, alt, "accuracy and frechet ratio", **more)


def _clicked(run: Run, key: str) -> None:
    """Selects the cell that was clicked; a click on the selected one deselects it, which changes nothing."""
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
    """Makes a cell the address: every click on a cell ends here."""
    address.write(run, (run.request.front_layers[row], run.request.end_layers[column]))


def _file(of: str, name: str) -> str:
    """Says what the picture shows: ``stitchlab-RUN-task-loss-matching-accuracy``."""
    words = name.lower().replace("−", "minus").replace("→", "into")
    return f"stitchlab-{of}-" + "-".join(re.findall(r"[\w.]+", words))
