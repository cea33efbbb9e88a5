"""Describes curves of one cell as data, before anything draws them: a detector's scores, TLM's training by epoch."""

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
    """Describes a line: its name, points (N, 2), colour (empty: the page's ink), and dashes as Plotly names them.

    ``marked`` says whether points have a symbol too, so that one without neighbours is seen.
    """

    name: str
    points: Values
    colour: str = ""
    dash: str = "solid"
    marked: bool = False
    symbol: str = "circle"


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Describes lines in one pair of axes; ``across`` and ``down`` are the axes' titles."""

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
        by_set: scores (N,) by set, native among them.
        label: the detector's name for people.
        cell: name of the cell, the subtitle.
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
    """Describe TLM's training by epoch: its accuracy, its Fréchet ratio, detectors' AUROC, each in axes of its own.

    Args:
        value: what `stitchlab.results.trajectory.kept` returns.
        own: the end network's own accuracy, drawn as a line; None: no line.
        cell: name of the cell, the subtitle.
    """
    epochs = value["epochs"]
    alone = (
        [] if own is None else [Curve("end network alone", np.array([(epochs[0], own), (epochs[-1], own)]), "", "dash")]
    )
    tlm = Curve(SET_LABELS["tlm"], _line(epochs, value["accuracy"]), COLOURS["tlm"], marked=True, symbol=SYMBOLS["tlm"])
    told = value["detectors"]
    ratio = Curve(
        SET_LABELS["tlm"], _line(epochs, told["frechet"]["ratio"]), COLOURS["tlm"], marked=True, symbol=SYMBOLS["tlm"]
    )
    aurocs = [(name, told[name]["auroc"]) for name in DETECTORS if "auroc" in told.get(name, {})]
    lines = [
        Curve(DETECTORS[name].label, _line(epochs, series), colour, marked=True, symbol=mark(k))
        for k, ((name, series), colour) in enumerate(zip(aurocs, OTHERS, strict=False))
    ]
    drawn = [
        ("Accuracy by epoch", "accuracy", [tlm, *alone], 1.0),
        ("Fréchet ratio by epoch", OOD_METRICS["ratio"].label, [ratio], _highest([ratio])),
        ("AUROC by epoch", "AUROC against native", lines, 1.0),
    ]
    return [_over_epochs(epochs, *each, cell) for each in drawn if each[2]]


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


def _highest(curves: Sequence[Curve]) -> float:
    known = np.concatenate([curve.points[:, 1] for curve in curves])
    known = known[np.isfinite(known)]
    return float(known.max()) * 1.05 if known.size and known.max() > 0 else 1.0


def _line(epochs: Sequence[int], series: Sequence[float | None]) -> Values:
    return np.array(
        [(epoch, np.nan if value is None else value) for epoch, value in zip(epochs, series, strict=True)],
        dtype=np.float64,
    )


def _steps(edges: Values, share: Values) -> Values:
    return np.stack([np.repeat(edges, 2)[1:-1], np.repeat(share, 2)], 1)
