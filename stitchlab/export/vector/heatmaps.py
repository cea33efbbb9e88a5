"""Draws heatmaps on a sheet, each cell as a square of its own, and decides how many stand side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from stitchlab.export.vector.letters import CAPITAL, LINE, width
from stitchlab.export.vector.rows import DIAGONAL, MIN_TITLE_ROOM, Row, bar_ticks
from stitchlab.export.vector.sheet import Sheet, Values
from stitchlab.export.vector.style import MAX_NUMBER_WIDTH, MIN_NUMBER_SIZE, WIDEST_NUMBER, Style
from stitchlab.figures.colours import BLACK, WHITE, on_scale, rgb, white_reads_better
from stitchlab.figures.grid import HOLLOW, VEIL, Grid, coloured, number, stars
from stitchlab.figures.template import ACCENT, EDGE, HALO, MUTED

# In font sizes.
MIN_CELL = 0.9  # with smaller cells, panels are arranged in another row
MAX_CELL = 4.3
MAX_SMALL_GRID_HEIGHT = 9.0  # grids of few rows may have cells above MAX_CELL, up to this height
GAP_OF_ROWS = 1.6

CELL_GAP = 0.025  # around a cell, as a share of its side
TINY_CELL = 0.5  # points; drawn if nothing larger fits
BISECTION_STEPS = 14  # to find the largest cell that fits
BAR_SHAPES = 64  # of a colour bar
STAR = np.array(
    [
        (math.cos(angle) * radius, math.sin(angle) * radius)
        for k in range(10)
        for angle, radius in [(math.pi * (k / 5 - 0.5), 0.42 if k % 2 else 1.0)]
    ]
)


def arranged(
    grids: Sequence[Grid],
    letters: Sequence[str],
    group_sizes: Sequence[int],
    style: Style,
    data: str,
    room: float,
    height: float | None = None,
) -> list[Row]:
    """Arrange heatmaps in the fewest rows whose cells are large enough; within a ``height``, with the largest cells.

    Args:
        grids: the heatmaps.
        letters: (a), (b), … of each heatmap, or empty.
        group_sizes: numbers of successive panels that should stand side by side.
        style: how they look.
        data: the name of the data set.
        room: width of a row, points.
        height: of all rows together, points; None: no limit.
    """
    sufficient = MIN_NUMBER_SIZE * width(WIDEST_NUMBER, 1) / MAX_NUMBER_WIDTH if style.values else MIN_CELL * style.size
    largest = max(max(MAX_CELL, MAX_SMALL_GRID_HEIGHT / len(grid.front_layers)) for grid in grids) * style.size
    arrangements: list[tuple[float, list[Row]]] = []
    for parts in dict.fromkeys(_parts(group_sizes, most_per_row) for most_per_row in range(len(grids), 0, -1)):

        def rows(cell: float, parts: Sequence[tuple[int, int]] = parts) -> list[Row]:
            return [Row(grids[k:end], letters[k:end], style, data, cell) for k, end in parts]

        arrangements.append(_largest(rows, largest, room, height))
        if not height and arrangements[-1][0] >= sufficient:
            return arrangements[-1][1]
    return max(arrangements, key=lambda arrangement: arrangement[0])[1]


def _parts(group_sizes: Sequence[int], most_per_row: int) -> tuple[tuple[int, int], ...]:
    """Divide panels into rows of at most ``most_per_row``; a group is split only if it does not fit into one row.

    Returns the first panel of each row, and the one after its last.

    >>> _parts([2, 2, 1], 3), _parts([2, 1], 1)
    (((0, 2), (2, 5)), ((0, 1), (1, 2), (2, 3)))
    """
    starts, begin = [0], 0
    for count in group_sizes:
        for k in range(1, count + 1):
            if begin + k - starts[-1] > most_per_row:
                starts.append(begin if begin > starts[-1] and count <= most_per_row else begin + k - 1)
        begin += count
    return tuple(pairwise([*starts, begin]))


def _largest(
    rows: Callable[[float], list[Row]], upper: float, room: float, height: float | None
) -> tuple[float, list[Row]]:
    """Find the largest cells with which the rows fit; return their side and the rows."""

    def fit(candidate: list[Row]) -> bool:
        gaps = GAP_OF_ROWS * candidate[0].style.size * (len(candidate) - 1)
        return max(row.width for row in candidate) <= room and (
            height is None or sum(row.height for row in candidate) + gaps <= height
        )

    low, high, best = 0.0, upper, rows(upper)
    if fit(best):
        return upper, best
    best = rows(TINY_CELL)
    for _ in range(BISECTION_STEPS):
        candidate = rows(cell := (low + high) / 2)
        if fit(candidate):
            low, best = cell, candidate
        else:
            high = cell
    return low, best


def draw(sheet: Sheet, row: Row, x: float, y: float, number_size: float | None, name: str) -> None:
    """Draw a row of heatmaps on a sheet.

    Args:
        sheet: the sheet to draw on.
        row: as `arranged` returns it.
        x, y: its upper left corner, points.
        number_size: font size of the numbers in cells, points; None: no numbers.
        name: the groups of shapes of panel k have ids ``NAME-k-…`` in the file.
    """
    for k, (grid, left) in enumerate(zip(row.grids, row.lefts_of_grids(x), strict=True)):
        top = y + row.top
        for line, words in enumerate(row.titles[k]):
            sheet.text(left, y + (line * LINE + CAPITAL + 0.1) * row.style.size, words, row.style.size, bold=True)
        _cells(sheet, row, grid, left, top, f"{name}-{k}")
        _numbers(sheet, row, grid, left, top, number_size)
        _marks(sheet, row, grid, left, top, number_size, f"{name}-{k}")
        _names(sheet, row, k, left, top)
        if row.bar_widths[k]:
            _bar(sheet, row, grid, left + row.cell * (len(grid.end_layers)) + 0.6 * row.style.size, top, f"{name}-{k}")
        if k in row.blocks:
            _titles(sheet, row, k, left, top)


def _boxes(row: Row, left: float, top: float, places: Values) -> Values:
    """Return the rectangles (N, 4) of cells that are given as (row, column), (N, 2)."""
    corners = np.stack([left + places[:, 1] * row.cell, top + places[:, 0] * row.cell], 1)
    gap = CELL_GAP * row.cell
    return np.concatenate([corners + gap, corners + row.cell - gap], 1)


def _cell_colours(row: Row, grid: Grid) -> Values:
    """Return the colours (front layers, end layers, 3) of the cells, 0 to 255."""
    style = row.style
    colours = on_scale(*coloured(grid), style.scale(grid))
    colours[np.isnan(grid.values)] = rgb(MUTED[style.dark])
    doubtful = [name in grid.doubtful for name in grid.end_layers]
    colours[:, doubtful] = (1 - VEIL) * colours[:, doubtful] + VEIL * rgb(MUTED[style.dark])
    return colours


def _cells(sheet: Sheet, row: Row, grid: Grid, left: float, top: float, name: str) -> None:
    places = np.argwhere(np.ones(grid.values.shape, dtype=bool)).astype(float)
    sheet.rectangles(_boxes(row, left, top, places), _cell_colours(row, grid).reshape(-1, 3) / 255, f"{name}-cells")


def _numbers(sheet: Sheet, row: Row, grid: Grid, left: float, top: float, size: float | None) -> None:
    if size is None:
        return
    white = white_reads_better(_cell_colours(row, grid))
    for (i, j), value in np.ndenumerate(grid.values):
        sheet.text(
            left + (j + 0.5) * row.cell,
            top + (i + 0.5) * row.cell + CAPITAL / 2 * size,
            number(value, grid.narrow),
            size,
            across="center",
            colour=WHITE if white[i, j] else BLACK,
        )


def _marks(sheet: Sheet, row: Row, grid: Grid, left: float, top: float, size: float | None, name: str) -> None:
    """Draw stars, above the number in the upper right corner or without numbers in the middle, and the frame."""
    cell = row.cell
    full, hollow = stars(grid)
    across, down, radius = (0.85, 0.15, min(0.125 * cell, 0.4 * row.style.size)) if size else (0.5, 0.5, 0.26 * cell)

    def corners(cells: Sequence[tuple[int, int]], size: float) -> list[Values]:
        return [STAR * size + (left + (j + across) * cell, top + (i + down) * cell) for i, j in cells]

    sheet.polygons(corners([*full, *hollow], radius), WHITE, f"{name}-best", edge=EDGE, line=min(0.6, 0.04 * cell))
    sheet.polygons(
        corners(hollow, HOLLOW * radius),
        [_cell_colours(row, grid)[place] / 255 for place in hollow],
        f"{name}-by-chance",
    )
    chosen = row.style.selected
    if chosen and chosen[0] in grid.front_layers and chosen[1] in grid.end_layers:
        i, j = grid.front_layers.index(chosen[0]), grid.end_layers.index(chosen[1])
        box = _boxes(row, left, top, np.array([[i, j]], dtype=float))[0]
        line = max(0.9, min(2.0, 0.09 * cell))
        sheet.frame(box.tolist(), HALO, 1.8 * line, f"{name}-halo")
        sheet.frame(box.tolist(), ACCENT[grid.diverging], line, f"{name}-selected")


def _names(sheet: Sheet, row: Row, k: int, left: float, top: float) -> None:
    """Write the names of layers: end layers below each panel, front layers beside the first panel of a block."""
    cell, size, (fronts, ends), grid = row.cell, row.label_size, row.labels[k], row.grids[k]
    if k in row.blocks:
        for i, label in list(enumerate(fronts.labels))[:: row.label_step]:
            sheet.text(left - 0.4 * size, top + (i + 0.5) * cell + CAPITAL / 2 * size, label, size, across="right")
    bottom = top + cell * len(grid.front_layers) + 0.25 * row.style.size
    for j, label in list(enumerate(ends.labels))[:: row.label_step]:
        middle = left + (j + 0.5) * cell
        if row.angles[k] == 0:
            sheet.text(middle, bottom + CAPITAL * size, label, size, across="center")
        elif row.angles[k] == 45:
            down = DIAGONAL * CAPITAL * size
            sheet.text(middle + down / 2, bottom + down, label, size, across="right", angle=45)
        else:
            sheet.text(middle + CAPITAL / 2 * size, bottom, label, size, across="right", angle=90)


def _titles(sheet: Sheet, row: Row, k: int, left: float, top: float) -> None:
    """Write the titles of a block's axes."""
    size, front_titles = row.style.size, row.front_titles[k]
    grid = row.grids[k]
    begin = left - row.lefts[k] + (1.4 * size if k else 0.0)
    middle = top + max(row.cell * len(grid.front_layers), MIN_TITLE_ROOM * size) / 2
    for line, words in enumerate(front_titles):
        sheet.text(begin + (line * LINE + CAPITAL + 0.1) * size, middle, words, size, across="center", angle=90)
    middle = left + (row.span(k) - row.bar_widths[row.blocks[k][-1]]) / 2
    longest = max(width(words, size) for words in row.end_titles[k])
    free = begin + (len(front_titles) * LINE + 0.5) * size + longest / 2
    middle = max(min(middle, left + row.span(k) - longest / 2), free)
    for line, words in enumerate(row.end_titles[k]):
        sheet.text(
            middle,
            top + row.cells_height + row.labels_height + (line * LINE + CAPITAL) * size,
            words,
            size,
            across="center",
        )


def _bar(sheet: Sheet, row: Row, grid: Grid, left: float, top: float, name: str) -> None:
    """Draw the colour bar as shapes that overlap, each from the top down, so that no seams are visible."""
    style = row.style
    height, bar_width = max(row.cell * len(grid.front_layers), 4 * style.size), 0.8 * style.size
    colours = on_scale((np.arange(BAR_SHAPES) + 0.5) / BAR_SHAPES, 0.0, 1.0, style.scale(grid)) / 255
    sheet.rectangles(
        np.array([(left, top, left + bar_width, top + height * (1 - k / BAR_SHAPES)) for k in range(BAR_SHAPES)]),
        colours,
        f"{name}-bar",
    )
    for position, words in bar_ticks(grid, max(1, min(5, int(height / (1.7 * style.small))))):
        y = top + height * (1 - position) + CAPITAL / 2 * style.small
        sheet.text(left + bar_width + 0.35 * style.size, y, words, style.small)
