"""Writes texts for those who do not see a figure, from its numbers: what is drawn, its extremes, and where they are.

Every function that makes a figure ends with `told`, which keeps the text in the figure itself; `of` gives it to
whatever puts the figure on a page. Numbers have three digits that count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

Array = npt.NDArray[Any]


def with_alt_text(figure: go.Figure, *sentences: str) -> go.Figure:
    """Keep the text that describes a figure in the figure; empty sentences are left out."""
    return figure.update_layout(meta={"alt": " ".join(filter(None, sentences))})


def of(figure: go.Figure) -> str:
    """Return the text that describes a figure, as `told` kept it."""
    return str(figure.layout.meta["alt"])


def number(value: float | None) -> str:
    """Write a number as it is read out.

    >>> number(0.98765), number(-0.1), number(1234567.0), number(None)
    ('0.988', '−0.1', '1.23e+06', 'undefined')
    """
    return "undefined" if value is None or np.isnan(value) else f"{value:z.3g}".replace("-", "−")


def extent(values: Any) -> str:
    """Say from where to where numbers go; those that are not finite are left out.

    >>> extent([0.5, float("nan"), -2.0]), extent([])
    ('from −2 to 0.5', 'without a number')
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return f"from {number(known.min())} to {number(known.max())}" if known.size else "without a number"


def extremes(values: Any, names: Sequence[str], write: Any = number) -> str:
    """Say the lowest and the highest of some numbers, and what they belong to.

    Args:
        values: (N,) numbers; what is not finite or None is left out.
        names: what each number belongs to.
        write: writes a number; default is three significant digits.

    >>> extremes([0.2, 0.9, None], ["cat", "dog", "frog"])
    'lowest 0.2 (cat), highest 0.9 (dog)'
    """
    every = np.array(values, dtype=np.float64)
    if not np.isfinite(every).any():
        return "without a number"
    known = np.where(np.isfinite(every), every, np.nan)
    low, high = int(np.nanargmin(known)), int(np.nanargmax(known))
    return f"lowest {write(float(every[low]))} ({names[low]}), highest {write(float(every[high]))} ({names[high]})"


def matrix(values: Array, rows: Sequence[str], columns: Sequence[str]) -> str:
    """Say the highest and the lowest cell of a heatmap, and the mean of the cells whose layers have the same name.

    Args:
        values: (rows, columns); what is not finite is counted as missing.
        rows, columns: names of the front and of the end layers.
    """
    names = [f"{i} → {j}" for i in rows for j in columns]
    said = f"{len(rows)} front by {len(columns)} end layers, {extremes(values.ravel(), names)}"
    shared = [values[k, columns.index(name)] for k, name in enumerate(rows) if name in columns]
    known = [value for value in shared if np.isfinite(value)]
    if len(known) > 1:
        said += f"; mean where both layers have the same name {number(float(np.mean(known)))}"
    lacking = int((~np.isfinite(values)).sum())
    return said + (f"; {lacking} of {values.size} without a number." if lacking else ".")


def lines(series: Iterable[tuple[str, Sequence[Any], Any]], across: str) -> str:
    """Say of each line (name, places, numbers) where it begins, ends, and is lowest and highest."""
    said = []
    for name, places, values in series:
        every = np.array(values, dtype=np.float64)
        at = [f"{across} {place if isinstance(place, str) else number(float(place))}" for place in places]
        known = np.flatnonzero(np.isfinite(every))
        ends = f" from {number(every[known[0]])} to {number(every[known[-1]])}," if known.size else ""
        said.append(f"{name}:{ends} {extremes(every, at)}.")
    return " ".join(said)


def points(groups: Mapping[str, Any], across: str, down: str) -> str:
    """Say of each group of points how many there are and where they lie.

    Args:
        groups: places and heights of the points, by the group's name.
        across, down: names of the two axes.
    """
    said = []
    for name, (x, y) in groups.items():
        count = int(np.isfinite(np.array(x, dtype=np.float64) + np.array(y, dtype=np.float64)).sum())
        said.append(f"{name}: {count} points, {across} {extent(x)}, {down} {extent(y)}.")
    return " ".join(said)


def spreads(by_set: Mapping[str, Array]) -> str:
    """Say the median and the ends of each set of numbers."""
    return " ".join(
        f"{name}: median {number(float(np.median(known)))}, {extent(known)}."
        if (known := values[np.isfinite(values)]).size
        else f"{name}: without a number."
        for name, values in by_set.items()
    )
