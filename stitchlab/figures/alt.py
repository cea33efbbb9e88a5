"""Write alternative texts for readers who do not see a figure: what it shows, its extremes, and where they are.

Every function that draws a figure ends with `with_alt_text`, which keeps the text in the figure itself.
`alt_text` returns it to the code that puts the figure on a page. Numbers have three significant digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

Array = npt.NDArray[Any]


def with_alt_text(figure: go.Figure, *sentences: str) -> go.Figure:
    """Keep an alternative text in its figure; empty sentences are left out."""
    return figure.update_layout(meta={"alt": " ".join(filter(None, sentences))})


def alt_text(figure: go.Figure) -> str:
    """Return the alternative text of a figure, as `with_alt_text` kept it."""
    return str(figure.layout.meta["alt"])


def number(value: float | None) -> str:
    """Write a number as a screen reader should read it.

    >>> number(0.98765), number(-0.1), number(1234567.0), number(None)
    ('0.988', '−0.1', '1.23e+06', 'undefined')
    """
    return "undefined" if value is None or np.isnan(value) else f"{value:z.3g}".replace("-", "−")


def extent(values: Any) -> str:
    """Write the smallest and the largest of some numbers; those that are not finite are left out.

    >>> extent([0.5, float("nan"), -2.0]), extent([])
    ('from −2 to 0.5', 'without a number')
    """
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return f"from {number(finite.min())} to {number(finite.max())}" if finite.size else "without a number"


def extremes(values: Any, names: Sequence[str], write: Callable[[float], str] = number) -> str:
    """Write the lowest and the highest of some numbers, each with its name.

    Args:
        values: (N,) numbers; None and those that are not finite are left out.
        names: the name of each number.
        write: writes a number; by default with three significant digits.

    >>> extremes([0.2, 0.9, None], ["cat", "dog", "frog"])
    'lowest 0.2 (cat), highest 0.9 (dog)'
    """
    numbers = np.array(values, dtype=np.float64)
    if not np.isfinite(numbers).any():
        return "without a number"
    finite = np.where(np.isfinite(numbers), numbers, np.nan)
    low, high = int(np.nanargmin(finite)), int(np.nanargmax(finite))
    return f"lowest {write(float(finite[low]))} ({names[low]}), highest {write(float(finite[high]))} ({names[high]})"


def matrix(values: Array, rows: Sequence[str], columns: Sequence[str]) -> str:
    """Describe a heatmap: its highest and lowest cell, and the mean of the cells whose layers have the same name.

    Args:
        values: (rows, columns); numbers that are not finite count as missing.
        rows, columns: names of the front and of the end layers.
    """
    cells = [f"{i} → {j}" for i in rows for j in columns]
    text = f"{len(rows)} front by {len(columns)} end layers, {extremes(values.ravel(), cells)}"
    same_layers = [values[k, columns.index(name)] for k, name in enumerate(rows) if name in columns]
    finite = [value for value in same_layers if np.isfinite(value)]
    if len(finite) > 1:
        text += f"; mean where both layers have the same name {number(float(np.mean(finite)))}"
    missing = int((~np.isfinite(values)).sum())
    return text + (f"; {missing} of {values.size} without a number." if missing else ".")


def lines(series: Iterable[tuple[str, Sequence[Any], Any]], across: str) -> str:
    """Describe lines: where each begins and ends, and where it is lowest and highest.

    Args:
        series: (name, places, numbers) of each line.
        across: name of the axis of places.
    """
    sentences = []
    for name, places, values in series:
        numbers = np.array(values, dtype=np.float64)
        named_places = [f"{across} {place if isinstance(place, str) else number(float(place))}" for place in places]
        finite = np.flatnonzero(np.isfinite(numbers))
        ends = f" from {number(numbers[finite[0]])} to {number(numbers[finite[-1]])}," if finite.size else ""
        sentences.append(f"{name}:{ends} {extremes(numbers, named_places)}.")
    return " ".join(sentences)


def points(groups: Mapping[str, Any], across: str, down: str) -> str:
    """Describe groups of points: how many points each has, and where they lie.

    Args:
        groups: (x, y) of the points, by the name of their group.
        across, down: names of the two axes.
    """
    sentences = []
    for name, (x, y) in groups.items():
        count = int(np.isfinite(np.array(x, dtype=np.float64) + np.array(y, dtype=np.float64)).sum())
        sentences.append(f"{name}: {count} points, {across} {extent(x)}, {down} {extent(y)}.")
    return " ".join(sentences)


def spreads(by_set: Mapping[str, Array]) -> str:
    """Write the median, the smallest and the largest number of each set."""
    return " ".join(
        f"{name}: median {number(float(np.median(finite)))}, {extent(finite)}."
        if (finite := values[np.isfinite(values)]).size
        else f"{name}: without a number."
        for name, values in by_set.items()
    )
