"""Draws curves on a sheet: axes with ticks, lines, and a legend below them. All lengths are points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stitchlab.export.vector.letters import CAPITAL, LINE, cut, lines, width
from stitchlab.export.vector.sheet import Sheet
from stitchlab.figures.curves import Curve, Curves
from stitchlab.figures.template import INK, MUTED

MIN_PANEL_WIDTH = 20.0  # in font sizes
MAX_PANELS_IN_ROW = 3
MAX_PANEL_WIDTH = 46  # in font sizes
MIN_AXES_HEIGHT = 7  # in font sizes, if the height of all rows is limited
MAX_TITLE_LINES = 4
MAX_AXIS_TITLE_LINES = 2
ASPECT = 0.62  # height of the axes over their width
SAMPLE_WIDTH = 2.2  # of a line in the legend, in font sizes
#: Lengths that are drawn and left out in turn, in line widths, by Plotly's names of dashes.
DASHES = {"solid": (), "dash": (3.0, 1.6), "dot": (1.0, 1.2), "longdashdot": (6.0, 1.4, 1.0, 1.4)}
_CROSS = np.array(
    [
        (0.5, 2),
        (0.5, 0.5),
        (2, 0.5),
        (2, -0.5),
        (0.5, -0.5),
        (0.5, -2),
        (-0.5, -2),
        (-0.5, -0.5),
        (-2, -0.5),
        (-2, 0.5),
        (-0.5, 0.5),
        (-0.5, 2),
    ]
)


def _corners(count: int, size: float, turn: float = 0.0) -> np.ndarray:
    """Return the corners (count, 2) of a regular polygon; without a turn, one of them is on top."""
    angles = np.arange(count) * 2 * np.pi / count + turn
    return size * np.stack([np.sin(angles), -np.cos(angles)], 1)


#: Corners of symbols, in points, by Plotly's names.
SYMBOLS = {
    "circle": _corners(12, 1.4),
    "square": _corners(4, 1.9, np.pi / 4),
    "diamond": _corners(4, 1.9),
    "triangle-up": _corners(3, 2.0),
    "triangle-down": _corners(3, 2.0, np.pi),
    "cross": _CROSS,
    "x": _CROSS @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2),
}


class CurveRow:
    """Lays out panels of curves side by side, all of the same width; ``letters`` are (a), (b), … or empty."""

    def __init__(
        self, panels: Sequence[Curves], letters: Sequence[str], size: float, room: float, max_axes_height: float
    ) -> None:
        self.panels, self.size, self.small = panels, size, 0.86 * size
        gap = 1.5 * size
        self.panel_width = min((room - gap * (len(panels) - 1)) / len(panels), MAX_PANEL_WIDTH * size)
        self.gap, self.width = gap, self.panel_width * len(panels) + gap * (len(panels) - 1)
        self.titles = [
            lines(
                f"{letter}{panel.title}, {panel.subtitle}", self.panel_width, size, bold=True, max_lines=MAX_TITLE_LINES
            )
            for letter, panel in zip(letters, panels, strict=True)
        ]
        self.left = 1.9 * size + max(width(text, self.small) for panel in panels for _, text in panel.y_ticks)
        self.axes_width = self.panel_width - self.left - 0.5 * size
        self.x_titles = [lines(panel.across, self.axes_width, size, max_lines=MAX_AXIS_TITLE_LINES) for panel in panels]
        self.legends = [_legend(panel.curves, self.axes_width, self.small) for panel in panels]
        self.top = (max(map(len, self.titles)) * LINE + 0.5) * size
        self.labels_height = 1.5 * size + LINE * size * max(map(len, self.x_titles))
        self.legend_height = 0.5 * size + LINE * self.small * max(map(len, self.legends))
        self.axes_height = min(max_axes_height, self.axes_width * ASPECT)
        self.height = self.top + self.axes_height + self.labels_height + self.legend_height


def arranged(
    panels: Sequence[Curves], letters: Sequence[str], size: float, room: float, height: float | None
) -> list[CurveRow]:
    """Arrange panels of curves in rows of the available width.

    Args:
        panels: the curves of each panel.
        letters: (a), (b), … of each panel, or empty.
        size: font size, points.
        room: width of a row, points.
        height: of all rows together, points; None: no limit.
    """
    fitting = max(1, min(MAX_PANELS_IN_ROW, int(room // (MIN_PANEL_WIDTH * size)), len(panels)))
    per_row = math.ceil(len(panels) / math.ceil(len(panels) / fitting))
    parts = [slice(k, k + per_row) for k in range(0, len(panels), per_row)]
    max_axes_height = math.inf
    rows = [CurveRow(panels[part], letters[part], size, room, max_axes_height) for part in parts]
    if height is not None and (over := sum(row.height for row in rows) - height) > 0:
        max_axes_height = max(MIN_AXES_HEIGHT * size, max(row.axes_height for row in rows) - over / len(rows))
        rows = [CurveRow(panels[part], letters[part], size, room, max_axes_height) for part in parts]
    return rows


def draw(sheet: Sheet, row: CurveRow, x: float, y: float, name: str) -> None:
    """Draw a row of curves on a sheet.

    Args:
        sheet: the sheet to draw on.
        row: as `arranged` returns it.
        x, y: its upper left corner, points.
        name: the lines of panel k have ids ``NAME-k-…`` in the file.
    """
    for k, panel in enumerate(row.panels):
        begin = x + k * (row.panel_width + row.gap)
        for line, words in enumerate(row.titles[k]):
            sheet.text(begin, y + (line * LINE + CAPITAL + 0.1) * row.size, words, row.size, bold=True)
        left, top = begin + row.left, y + row.top
        _axes(sheet, row, panel, left, top)
        _lines(sheet, row, panel, left, top, f"{name}-{k}")
        for line, words in enumerate(row.x_titles[k]):
            down = top + row.axes_height + (1.5 + line * LINE + CAPITAL) * row.size
            sheet.text(left + row.axes_width / 2, down, words, row.size, across="center")
        for line, entries in enumerate(row.legends[k]):
            down = top + row.axes_height + row.labels_height + 0.5 * row.size + (line * LINE + 0.5) * row.small
            _key(sheet, row, entries, left, down)


def _axes(sheet: Sheet, row: CurveRow, panel: Curves, left: float, top: float) -> None:
    ink, size, small = INK[sheet.dark], row.size, row.small
    bottom = top + row.axes_height
    sheet.line(np.array([(left, top), (left, bottom), (left + row.axes_width, bottom)]), ink, 0.6)
    sheet.text(
        left - row.left + CAPITAL * size,
        top + row.axes_height / 2,
        cut(panel.down, row.axes_height, size),
        size,
        across="center",
        angle=90,
    )
    last_end = -math.inf
    for place, words in panel.x_ticks:
        x = left + _share(place, panel.x_range) * row.axes_width
        if x - width(words, small) / 2 > last_end:
            sheet.text(x, bottom + 0.45 * size + CAPITAL * small, words, small, across="center")
            sheet.line(np.array([(x, bottom), (x, bottom + 0.25 * size)]), ink, 0.6)
            last_end = x + width(words, small) / 2 + 0.5 * small
    last_top = math.inf
    for place, words in panel.y_ticks:
        y = bottom - _share(place, panel.y_range) * row.axes_height
        if y + 0.6 * small < last_top:
            sheet.text(left - 0.45 * size, y + CAPITAL / 2 * small, words, small, across="right")
            sheet.line(np.array([(left - 0.25 * size, y), (left, y)]), ink, 0.6)
            last_top = y - 0.6 * small


def _lines(sheet: Sheet, row: CurveRow, panel: Curves, left: float, top: float, name: str) -> None:
    for k, curve in enumerate(panel.curves):
        x = left + _shares(curve.points[:, 0], panel.x_range) * row.axes_width
        y = top + row.axes_height * (1 - _shares(curve.points[:, 1], panel.y_range))
        sheet.line(np.stack([x, y], 1), _colour(sheet, curve), 1.1, dashes=DASHES[curve.dash], name=f"{name}-curve-{k}")
        markers = [
            np.array((across, down)) + SYMBOLS[curve.symbol]
            for across, down in zip(x, y, strict=True)
            if np.isfinite(down)
        ]
        sheet.polygons(markers if curve.marked else [], _colour(sheet, curve), f"{name}-dots-{k}")


def _key(sheet: Sheet, row: CurveRow, entries: Sequence[Curve], x: float, y: float) -> None:
    for curve in entries:
        sheet.line(
            np.array([(x, y), (x + SAMPLE_WIDTH * row.small, y)]), _colour(sheet, curve), 1.4, dashes=DASHES[curve.dash]
        )
        if curve.marked:
            sheet.polygons([SYMBOLS[curve.symbol] + (x + SAMPLE_WIDTH / 2 * row.small, y)], _colour(sheet, curve), "")
        sheet.text(x + (SAMPLE_WIDTH + 0.5) * row.small, y + CAPITAL / 2 * row.small, curve.name, row.small)
        x += _entry_width(curve, row.small)


def _legend(curves: Sequence[Curve], room: float, small: float) -> list[list[Curve]]:
    """Break the entries of a legend into lines that fit."""
    rows: list[list[Curve]] = [[]]
    for curve in curves:
        if rows[-1] and sum(_entry_width(entry, small) for entry in [*rows[-1], curve]) > room:
            rows.append([])
        rows[-1].append(curve)
    return rows


def _entry_width(curve: Curve, small: float) -> float:
    return width(curve.name, small) + (SAMPLE_WIDTH + 2) * small


def _colour(sheet: Sheet, curve: Curve) -> str:
    return curve.colour or (INK if curve.dash == "solid" else MUTED)[sheet.dark]


def _share(place: float, axis_range: tuple[float, float]) -> float:
    return (place - axis_range[0]) / ((axis_range[1] - axis_range[0]) or 1.0)


def _shares(places: np.ndarray, axis_range: tuple[float, float]) -> np.ndarray:
    return np.clip((places - axis_range[0]) / ((axis_range[1] - axis_range[0]) or 1.0), 0, 1)
