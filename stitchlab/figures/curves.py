"""Curves of one cell as data, before anything draws them: a detector's scores, and TLM's walk over its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.figures.activations import COLOURS, SETS, histograms, stretched, stretched_ticks

Values = npt.NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]

# Okabe and Ito's, those that no set of activations has; then their own again.
OTHERS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#0072b2", "#d55e00", "#999999")


@dataclass(frozen=True)
class Curve:
    """A line: its name, its points (N, 2), its colour (empty: the ink of the page), whether it is dashed.

    ``marked`` says whether points are dots too, so that one is seen whose neighbours are lacking.
    """

    name: str
    points: Values
    colour: str = ""
    dashed: bool = False
    marked: bool = False


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Lines in one pair of axes; ``across`` and ``down`` say what the axes are, their ranges and their ticks."""

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
    """Describe histograms of a detector's scores (N,) by set, as `stitchlab.figures.activations.scores` draws them."""
    edges, shares = histograms(stretched(by_set))
    top = max(1e-9, *(float(share.max()) for share in shares.values())) * 1.05
    places, texts = stretched_ticks(edges)
    return Curves(
        title=f"{label}: scores of test images", subtitle=cell,
        across="native interquartile ranges from the native median (right is more native)", down="share of images",
        curves=tuple(Curve(SETS[name], _steps(edges, share), COLOURS.get(name, ""), name == "outliers")
                     for name, share in shares.items()),
        x_range=(float(edges[0]), float(edges[-1])), y_range=(0.0, top),
        x_ticks=tuple(zip(places.tolist(), texts, strict=True)), y_ticks=round_ticks(0, top, percent=True),
    )


def walk(value: Mapping[str, Any], own: float | None, cell: str) -> list[Curves]:
    """Describe TLM's walk (`stitchlab.results.trajectory.kept`): its accuracy, its Fréchet ratio, detectors' AUROC.

    Args:
        own: the end network's own accuracy, a line.
        cell: what the cell is called.
    """
    epochs = value["epochs"]
    alone = [] if own is None else [Curve("end network alone", np.array([(epochs[0], own), (epochs[-1], own)]), "",
                                          True)]
    tlm = Curve(SETS["tlm"], _line(epochs, value["accuracy"]), COLOURS["tlm"], marked=True)
    told = value["detectors"]
    ratio = Curve(SETS["tlm"], _line(epochs, told["frechet"]["ratio"]), COLOURS["tlm"], marked=True)
    aurocs = [(name, told[name]["auroc"]) for name in DETECTORS if "auroc" in told.get(name, {})]
    lines = [Curve(DETECTORS[name].label, _line(epochs, series), colour, marked=True)
             for (name, series), colour in zip(aurocs, OTHERS, strict=False)]
    drawn = [("Accuracy by epoch", "accuracy", [tlm, *alone], 1.0),
             ("Fréchet ratio by epoch", OOD_METRICS["ratio"].label, [ratio], _highest([ratio])),
             ("AUROC by epoch", "AUROC against native", lines, 1.0)]
    return [_over_epochs(epochs, *each, cell) for each in drawn if each[2]]


def _over_epochs(epochs: Sequence[int], title: str, down: str, curves: Sequence[Curve], high: float, cell: str
                 ) -> Curves:
    return Curves(title=title, subtitle=cell, across="epoch", down=down, curves=tuple(curves),
                  x_range=(epochs[0], max(epochs[-1], epochs[0] + 1)), y_range=(0.0, high),
                  x_ticks=tuple((x, text) for x, text in round_ticks(epochs[0], epochs[-1]) if x == round(x)),
                  y_ticks=round_ticks(0, high))


def _highest(curves: Sequence[Curve]) -> float:
    known = np.concatenate([curve.points[:, 1] for curve in curves])
    known = known[np.isfinite(known)]
    return float(known.max()) * 1.05 if known.size and known.max() > 0 else 1.0


def _line(epochs: Sequence[int], series: Sequence[float | None]) -> Values:
    return np.array([(epoch, np.nan if value is None else value)
                     for epoch, value in zip(epochs, series, strict=True)], dtype=np.float64)


def _steps(edges: Values, share: Values) -> Values:
    return np.stack([np.repeat(edges, 2)[1:-1], np.repeat(share, 2)], 1)


def round_ticks(low: float, high: float, most: int = 5, *, percent: bool = False) -> Ticks:
    """Give round numbers from low to high, at most one more than ``most``, with their texts.

    >>> round_ticks(-0.5, 0.5, 2), round_ticks(0, 0.4, 2, percent=True)
    (((-0.5, '−0.5'), (0.0, '0.0'), (0.5, '0.5')), ((0.0, '0%'), (0.2, '20%'), (0.4, '40%')))
    """
    wide = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(wide / most))
    step = next(step * power for step in (1, 2, 5, 10) if wide / (step * power) <= most + 1e-3)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) - 2 * percent)
    places = [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return tuple((round(place, 12), f"{place:z.{digits}{'%' if percent else 'f'}}".replace("-", "−"))
                 for place in places)
