"""Describe curves as data before they are drawn: the scores of a detector in a cell, and TLM's training by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.histograms import histograms, stretched, stretched_ticks
from stitchlab.figures.ranges import Ticks, Values, round_ticks
from stitchlab.figures.sets import SET_LABELS
from stitchlab.figures.template import COLOURS, DASHES, OTHERS, SYMBOLS, mark


@dataclass(frozen=True)
class Curve:
    """Describe a line.

    Attributes:
        points: (N, 2); a point that is NaN is a gap.
        colour: empty for the ink of the page.
        dash: Plotly's name of the line style.
        marked: whether points have a symbol too, so that a point without neighbours is visible.
        symbol: Plotly's name of the symbol.
    """

    name: str
    points: Values
    colour: str = ""
    dash: str = "solid"
    marked: bool = False
    symbol: str = "circle"


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Describe lines in one pair of axes; ``across`` and ``down`` are the titles of the axes."""

    title: str
    subtitle: str
    across: str
    down: str
    curves: tuple[Curve, ...]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Ticks
    y_ticks: Ticks


def scores(by_set: Mapping[str, npt.NDArray[Any]], label: str, cell: str) -> Curves:
    """Describe histograms of a detector's scores by set, as `stitchlab.figures.activations.scores` draws them.

    Args:
        by_set: scores (N,) by set; native is one of the sets.
        label: the detector's label.
        cell: name of the cell, which is the subtitle.
    """
    edges, shares = histograms(stretched(by_set))
    top = max(1e-9, *(float(share.max()) for share in shares.values())) * 1.05
    places, texts = stretched_ticks(edges)
    return Curves(
        title=f"{label}: scores of test images",
        subtitle=cell,
        across="native interquartile ranges from the native median (right is more native)",
        down="share of images",
        curves=tuple(
            Curve(SET_LABELS[name], _steps(edges, share), COLOURS.get(name, ""), DASHES[name])
            for name, share in shares.items()
        ),
        x_range=(float(edges[0]), float(edges[-1])),
        y_range=(0.0, top),
        x_ticks=tuple(zip(places.tolist(), texts, strict=True)),
        y_ticks=round_ticks(0, top, percent=True),
    )


def trajectory(value: Mapping[str, Any], own: float | None, cell: str) -> list[Curves]:
    """Describe TLM's training by epoch: its accuracy, its Fréchet ratio and the detectors' AUROC, each in its own axes.

    Args:
        value: the first part of what `stitchlab.results.trajectory.kept` returns.
        own: the end network's own accuracy, drawn as a line; None: no line.
        cell: name of the cell, which is the subtitle.
    """
    epochs, detectors = value["epochs"], value["detectors"]
    accuracy = [_tlm_by_epoch(epochs, value["accuracy"])]
    if own is not None:
        accuracy.append(Curve("end network alone", np.array([(epochs[0], own), (epochs[-1], own)]), "", "dash"))
    ratio = [_tlm_by_epoch(epochs, detectors["frechet"]["ratio"])]
    scoring = [name for name in DETECTORS if "auroc" in detectors.get(name, {})]
    aurocs = [
        Curve(DETECTORS[name].label, _points(epochs, detectors[name]["auroc"]), colour, marked=True, symbol=mark(k))
        for k, (name, colour) in enumerate(zip(scoring, OTHERS, strict=False))
    ]
    panels = [
        _over_epochs(epochs, "Accuracy by epoch", "accuracy", accuracy, 1.0, cell),
        _over_epochs(epochs, "Fréchet ratio by epoch", OOD_METRICS["ratio"].label, ratio, _upper_end(ratio), cell),
        _over_epochs(epochs, "AUROC by epoch", "AUROC against native", aurocs, 1.0, cell),
    ]
    return [panel for panel in panels if panel.curves]


def _tlm_by_epoch(epochs: Sequence[int], values: Sequence[float | None]) -> Curve:
    points = _points(epochs, values)
    return Curve(SET_LABELS["tlm"], points, COLOURS["tlm"], marked=True, symbol=SYMBOLS["tlm"])


def _over_epochs(
    epochs: Sequence[int], title: str, down: str, curves: Sequence[Curve], high: float, cell: str
) -> Curves:
    return Curves(
        title=title,
        subtitle=cell,
        across="epoch",
        down=down,
        curves=tuple(curves),
        x_range=(epochs[0], max(epochs[-1], epochs[0] + 1)),
        y_range=(0.0, high),
        x_ticks=tuple((x, text) for x, text in round_ticks(epochs[0], epochs[-1]) if x == round(x)),
        y_ticks=round_ticks(0, high),
    )


def _upper_end(curves: Sequence[Curve]) -> float:
    """Return the upper end of an axis from 0, with room above the highest point."""
    heights = np.concatenate([curve.points[:, 1] for curve in curves])
    heights = heights[np.isfinite(heights)]
    return float(heights.max()) * 1.05 if heights.size and heights.max() > 0 else 1.0


def _points(epochs: Sequence[int], values: Sequence[float | None]) -> Values:
    return np.array(
        [(epoch, np.nan if value is None else value) for epoch, value in zip(epochs, values, strict=True)],
        dtype=np.float64,
    )


def _steps(edges: Values, shares: Values) -> Values:
    """Return the points of a histogram's outline."""
    return np.stack([np.repeat(edges, 2)[1:-1], np.repeat(shares, 2)], 1)
