"""Draws curves on a sheet: axes with ticks, lines, and a legend below them. All lengths are points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stitchlab.export.vector.letters import CAPITAL, LINE, cut, lines, width
from stitchlab.export.vector.sheet import Sheet
from stitchlab.figures.curves import Curve, Curves
from stitchlab.figures.template import INK, MUTED

NARROWEST = 20.0  # of a panel, in font sizes
MOST, SHAPE = 3, 0.62  # panels beside each other; height of axes over their width
#: Points that are drawn and left out in turn, by Plotly's names of dashes.
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
    """Return a polygon (count, 2) of equal sides, with a corner on top where it is not turned."""
    angles = np.arange(count) * 2 * np.pi / count + turn
    return size * np.stack([np.sin(angles), -np.cos(angles)], 1)


#: Corners of symbols in points, by Plotly's names.
SYMBOLS = {
    "circle": _corners(12, 1.4),
    "square": _corners(4, 1.9, np.pi / 4),
    "diamond": _corners(4, 1.9),
    "triangle-up": _corners(3, 2.0),
    "triangle-down": _corners(3, 2.0, np.pi),
    "cross": _CROSS,
    "x": _CROSS @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2),
}
SAMPLE = 2.2  # of a legend's line, in font sizes


class CurveRow:
    """Lays out panels of curves side by side, all equally wide; ``letters`` are their (a), (b), …, or empty."""

    def __init__(self, panels: Sequence[Curves], letters: Sequence[str], size: float, wide: float, tall: float) -> None:
        self.panels, self.size, self.small = panels, size, 0.86 * size
        gap = 1.5 * size
        self.each = min((wide - gap * (len(panels) - 1)) / len(panels), 46 * size)
        self.gap, self.width = gap, self.each * len(panels) + gap * (len(panels) - 1)
        self.titles = [
            lines(f"{letter}{panel.title}, {panel.subtitle}", self.each, size, bold=True, most=4)
            for letter, panel in zip(letters, panels, strict=True)
        ]
        self.left = 1.9 * size + max(width(text, self.small) for panel in panels for _, text in panel.y_ticks)
        self.inside = self.each - self.left - 0.5 * size
        self.across = [lines(panel.across, self.inside, size, most=2) for panel in panels]
        self.keys = [_legend(panel.curves, self.inside, self.small) for panel in panels]
        self.top = (max(map(len, self.titles)) * LINE + 0.5) * size
        self.under = 1.5 * size + LINE * size * max(map(len, self.across))
        self.legend = 0.5 * size + LINE * self.small * max(map(len, self.keys))
        self.tall = min(tall, self.inside * SHAPE)
        self.height = self.top + self.tall + self.under + self.legend


def arranged(
    panels: Sequence[Curves], letters: Sequence[str], size: float, room: float, height: float | None
) -> list[CurveRow]:
    """Set panels of curves in rows that have room for them.

    Args:
        panels: the curves.
        letters: (a), (b), … of each, or empty.
        size: of letters, points.
        room: width of a row, points.
        height: of all rows together, points; None: no limit.
    """
    fit = max(1, min(MOST, int(room // (NARROWEST * size)), len(panels)))
    each = math.ceil(len(panels) / math.ceil(len(panels) / fit))
    parts = [slice(k, k + each) for k in range(0, len(panels), each)]
    tall = 1e9
    made = [CurveRow(panels[part], letters[part], size, room, tall) for part in parts]
    if height is not None and (over := sum(row.height for row in made) - height) > 0:
        tall = max(7 * size, max(row.tall for row in made) - over / len(made))
        made = [CurveRow(panels[part], letters[part], size, room, tall) for part in parts]
    return made


def draw(sheet: Sheet, row: CurveRow, x: float, y: float, name: str) -> None:
    """Draw a row of curves on a sheet.

    Args:
        sheet: where.
        row: as `arranged` returns it.
        x, y: its upper left corner, points.
        name: lines of panel k are called ``NAME-k-…`` in the file.
    """
    for k, panel in enumerate(row.panels):
        begin = x + k * (row.each + row.gap)
        for line, words in enumerate(row.titles[k]):
            sheet.text(begin, y + (line * LINE + CAPITAL + 0.1) * row.size, words, row.size, bold=True)
        left, top = begin + row.left, y + row.top
        _axes(sheet, row, panel, left, top)
        _lines(sheet, row, panel, left, top, f"{name}-{k}")
        for line, words in enumerate(row.across[k]):
            down = top + row.tall + (1.5 + line * LINE + CAPITAL) * row.size
            sheet.text(left + row.inside / 2, down, words, row.size, across="center")
        for line, entries in enumerate(row.keys[k]):
            down = top + row.tall + row.under + 0.5 * row.size + (line * LINE + 0.5) * row.small
            _key(sheet, row, entries, left, down)


def _axes(sheet: Sheet, row: CurveRow, panel: Curves, left: float, top: float) -> None:
    ink, size, small = INK[sheet.dark], row.size, row.small
    bottom = top + row.tall
    sheet.line(np.array([(left, top), (left, bottom), (left + row.inside, bottom)]), ink, 0.6)
    sheet.text(
        left - row.left + CAPITAL * size,
        top + row.tall / 2,
        cut(panel.down, row.tall, size),
        size,
        across="center",
        angle=90,
    )
    ended = -math.inf
    for place, words in panel.x_ticks:
        x = left + _share(place, panel.x_range) * row.inside
        if x - width(words, small) / 2 > ended:
            sheet.text(x, bottom + 0.45 * size + CAPITAL * small, words, small, across="center")
            sheet.line(np.array([(x, bottom), (x, bottom + 0.25 * size)]), ink, 0.6)
            ended = x + width(words, small) / 2 + 0.5 * small
    ended = math.inf
    for place, words in panel.y_ticks:
        y = bottom - _share(place, panel.y_range) * row.tall
        if y + 0.6 * small < ended:
            sheet.text(left - 0.45 * size, y + CAPITAL / 2 * small, words, small, across="right")
            sheet.line(np.array([(left - 0.25 * size, y), (left, y)]), ink, 0.6)
            ended = y - 0.6 * small


def _lines(sheet: Sheet, row: CurveRow, panel: Curves, left: float, top: float, name: str) -> None:
    for k, curve in enumerate(panel.curves):
        x = left + _shares(curve.points[:, 0], panel.x_range) * row.inside
        y = top + row.tall * (1 - _shares(curve.points[:, 1], panel.y_range))
        sheet.line(np.stack([x, y], 1), _colour(sheet, curve), 1.1, dashes=DASHES[curve.dash], name=f"{name}-curve-{k}")
        seen = [
            np.array((across, down)) + SYMBOLS[curve.symbol]
            for across, down in zip(x, y, strict=True)
            if np.isfinite(down)
        ]
        sheet.polygons(seen if curve.marked else [], _colour(sheet, curve), f"{name}-dots-{k}")


def _key(sheet: Sheet, row: CurveRow, entries: Sequence[Curve], x: float, y: float) -> None:
    for curve in entries:
        sheet.line(
            np.array([(x, y), (x + SAMPLE * row.small, y)]), _colour(sheet, curve), 1.4, dashes=DASHES[curve.dash]
        )
        if curve.marked:
            sheet.polygons([SYMBOLS[curve.symbol] + (x + SAMPLE / 2 * row.small, y)], _colour(sheet, curve), "")
        sheet.text(x + (SAMPLE + 0.5) * row.small, y + CAPITAL / 2 * row.small, curve.name, row.small)
        x += _wide(curve, row.small)


def _legend(curves: Sequence[Curve], room: float, small: float) -> list[list[Curve]]:
    """Set the entries of a legend in lines that fit."""
    found: list[list[Curve]] = [[]]
    for curve in curves:
        if found[-1] and sum(_wide(known, small) for known in [*found[-1], curve]) > room:
            found.append([])
        found[-1].append(curve)
    return found


def _wide(curve: Curve, small: float) -> float:
    return width(curve.name, small) + (SAMPLE + 2) * small


def _colour(sheet: Sheet, curve: Curve) -> str:
    return curve.colour or (INK if curve.dash == "solid" else MUTED)[sheet.dark]


def _share(place: float, ends: tuple[float, float]) -> float:
    return (place - ends[0]) / ((ends[1] - ends[0]) or 1.0)


def _shares(places: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    return np.clip((places - ends[0]) / ((ends[1] - ends[0]) or 1.0), 0, 1)
