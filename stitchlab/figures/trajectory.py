"""Animate TLM's training: accuracy and a detector's number by epoch, and the images on native axes after each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures import alt
from stitchlab.figures.activations import MAX_SCATTERED_IMAGES
from stitchlab.figures.sets import SET_LABELS, colour, line
from stitchlab.figures.template import INK, MUTED, SYMBOLS, template

Array = npt.NDArray[Any]
Series = Sequence[float | None]

#: Plotly's options for playing all frames, from the current one on; durations are in milliseconds.
PLAYED = {"frame": {"duration": 250, "redraw": False}, "fromcurrent": True, "transition": {"duration": 150}}
#: Plotly's options for showing one frame at once.
AT_ONCE = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}


def animation(
    epochs: Sequence[int],
    accuracy: Series,
    detection: Series,
    label: str,
    native: Array,
    points: Array,
    dm: Array | None = None,
    *,
    own: float | None = None,
    dark: bool = False,
) -> go.Figure:
    """Animate a stitch over its epochs, with a slider and a button that plays it.

    Args:
        epochs: the epochs that are shown, from 0 (before training); each series has a number for each of them.
        accuracy: of the stitched network, 0..1; None where undefined.
        detection, label: a metric of a detector, and its name.
        native: (N, 2) places of native images.
        points: (epochs, n, 2) places of n of these images after each epoch.
        dm: (N, 2) places of the same images by direct matching; None: not drawn.
        own: the end network's own accuracy, drawn as a line; None: not drawn.
        dark: for a dark page.
    """
    # One above the other: side by side they do not fit on narrow screens, and the parts of an animation cannot wrap.
    figure = make_subplots(2, 1, row_heights=[0.36, 0.64], vertical_spacing=0.12, specs=[[{"secondary_y": True}], [{}]])
    _add_curve(figure, epochs, accuracy, "accuracy", "native", dark)
    _add_curve(figure, epochs, detection, label, "tlm", dark)
    if own is not None:
        _add_own(figure, epochs, own, dark)
    static = {"native": native} if dm is None else {"native": native, "dm": dm}
    _add_static(figure, static, dark)
    first = len(figure.data)
    for trace in _moving_traces(0, epochs, accuracy, detection, points, dark):
        if trace.name == SET_LABELS["tlm"]:
            figure.add_trace(trace, 2, 1)
        else:
            figure.add_trace(trace, 1, 1, secondary_y=trace.name == "detection")
    moving = list(range(first, first + 3))
    figure.frames = [
        go.Frame(name=str(epoch), data=_moving_traces(k, epochs, accuracy, detection, points, dark), traces=moving)
        for k, epoch in enumerate(epochs)
    ]
    _layout(figure, label, np.concatenate([native, points.reshape(-1, 2)]), dark)
    return alt.with_alt_text(figure, *_alt_sentences(epochs, accuracy, detection, label, static, points, own))


def _add_curve(figure: go.Figure, epochs: Sequence[int], series: Series, name: str, drawn_as: str, dark: bool) -> None:
    """Add numbers by epoch, in the style of native (left axis) or of TLM (right axis)."""
    right = drawn_as == "tlm"
    figure.add_scatter(
        x=epochs,
        y=series,
        mode="lines+markers",
        name=f"{name} ({'right' if right else 'left'} axis)",
        row=1,
        col=1,
        secondary_y=right,
        marker={"size": 5, "symbol": SYMBOLS[drawn_as]},
        line=line(drawn_as, dark),
        hovertemplate="epoch %{x}: %{y:.3f}<extra>" + name + "</extra>",
    )


def _add_own(figure: go.Figure, epochs: Sequence[int], own: float, dark: bool) -> None:
    figure.add_scatter(
        x=[epochs[0], epochs[-1]],
        y=[own, own],
        mode="lines",
        name="end network alone (left axis)",
        hoverinfo="skip",
        line={"color": MUTED[dark], "dash": "dot"},
        row=1,
        col=1,
    )


def _add_static(figure: go.Figure, places: Mapping[str, Array], dark: bool) -> None:
    """Add images that do not move, by set: native ones, and those of direct matching."""
    for name, points in places.items():
        figure.add_scatter(
            x=points[:MAX_SCATTERED_IMAGES, 0],
            y=points[:MAX_SCATTERED_IMAGES, 1],
            mode="markers",
            name=SET_LABELS[name],
            hoverinfo="skip",
            marker={"color": colour(name, dark), "symbol": SYMBOLS[name], "size": 5, "opacity": 0.5},
            row=2,
            col=1,
        )


def _alt_sentences(
    epochs: Sequence[int],
    accuracy: Series,
    detection: Series,
    label: str,
    static: dict[str, Array],
    points: Array,
    own: float | None,
) -> Iterator[str]:
    """Describe the animation to readers who do not see it."""
    groups = {
        **{SET_LABELS[name]: places[:MAX_SCATTERED_IMAGES].T for name, places in static.items()},
        **{f"{SET_LABELS['tlm']} after epoch {epochs[k]}": points[k].T for k in (0, -1)},
    }
    yield "Animation of a stitch over its epochs."
    yield alt.lines([("Accuracy", epochs, accuracy), (label, epochs, detection)], "epoch")
    yield "" if own is None else f"The end network alone: {alt.number(own)}."
    yield "Where images lie on native axes."
    yield alt.points(groups, "first axis", "second axis")


def _moving_traces(
    k: int, epochs: Sequence[int], accuracy: Series, detection: Series, points: Array, dark: bool
) -> list[go.Scatter]:
    """Draw the parts that move, as they are after ``epochs[k]``: a dot on each curve, and the images."""
    dots = [
        go.Scatter(
            x=[epochs[k]],
            y=[series[k]],
            mode="markers",
            name=name,
            showlegend=False,
            hoverinfo="skip",
            marker={"size": 12, "color": dot_colour},
        )
        for series, name, dot_colour in (
            (accuracy, "accuracy", INK[dark]),
            (detection, "detection", colour("tlm", dark)),
        )
    ]
    return [
        *dots,
        go.Scatter(
            x=points[k, :, 0],
            y=points[k, :, 1],
            mode="markers",
            name=SET_LABELS["tlm"],
            hoverinfo="skip",
            marker={"color": colour("tlm", dark), "symbol": SYMBOLS["tlm"], "size": 6, "opacity": 0.8},
        ),
    ]


def _layout(figure: go.Figure, label: str, points: Array, dark: bool) -> None:
    finite = points[np.isfinite(points).all(1)] if np.isfinite(points).all(1).any() else np.zeros((1, 2))
    low, high = np.quantile(finite, [0.002, 0.998], axis=0)
    room = 0.08 * (high - low + 1e-9)
    figure.update_xaxes(title_text="epoch", row=1, col=1)
    figure.update_yaxes(title_text="accuracy", range=[0, 1.03], row=1, col=1, secondary_y=False)
    figure.update_yaxes(
        title_text=label, row=1, col=1, secondary_y=True, rangemode="tozero", tickmode="auto", nticks=6, showgrid=False
    )
    figure.update_xaxes(title_text="first native axis", range=[low[0] - room[0], high[0] + room[0]], row=2, col=1)
    figure.update_yaxes(title_text="second native axis", range=[low[1] - room[1], high[1] + room[1]], row=2, col=1)
    figure.update_layout(
        template=template(dark),
        height=760,
        margin={"t": 64, "b": 160},
        dragmode=False,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        updatemenus=[_buttons()],
        sliders=[_slider([frame.name for frame in figure.frames])],
    )


def _buttons() -> dict[str, Any]:
    """Describe the buttons that play and stop the animation."""
    return {
        "type": "buttons",
        "direction": "left",
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 128},
        "showactive": False,
        "buttons": [
            {"label": "▶ Play", "method": "animate", "args": [None, PLAYED]},
            {"label": "❚❚ Stop", "method": "animate", "args": [[None], AT_ONCE]},
        ],
    }


def _slider(epochs: Sequence[str]) -> dict[str, Any]:
    """Describe the slider that goes to the frame of an epoch."""
    return {
        "x": 0,
        "len": 1,
        "y": 0,
        "pad": {"t": 44},
        "currentvalue": {"prefix": "after epoch "},
        "steps": [{"label": epoch, "method": "animate", "args": [[epoch], AT_ONCE]} for epoch in epochs],
    }
