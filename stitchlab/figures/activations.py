"""Draw the activations of one cell: native ones beside those of each method, and the scores of detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures import alt
from stitchlab.figures.cell_numbers import cell_numbers
from stitchlab.figures.colours import on_scale
from stitchlab.figures.histograms import histograms, stretched, stretched_ticks
from stitchlab.figures.ranges import ends
from stitchlab.figures.sets import SET_LABELS, colour, line
from stitchlab.figures.template import BELOW, COLOURS, GREEN, MUTED, SEQUENTIAL, SYMBOLS, legend, template

Array = npt.NDArray[Any]

MAX_SCATTERED_IMAGES = 400  # images of each set that a scatter plot shows at most
MAX_CLASSES_WITH_NUMBERS = 12  # in a confusion matrix


def scores(by_set: Mapping[str, Array], label: str, *, dark: bool = False) -> go.Figure:
    """Draw histograms of a detector's scores by set, as outlines over the stretched axis (`histograms.stretched`).

    Args:
        by_set: scores (N,) by set; native and known outliers are two of the sets.
        label: the detector's label.
        dark: for a dark page.
    """
    figure = go.Figure()
    places, texts = stretched_ticks(_outlines(figure, stretched(by_set), dark))
    figure.update_layout(
        template=template(dark),
        height=340,
        legend=legend(),
        margin_b=BELOW + 20,
        title=f"{label}: scores of test images",
    )
    figure.update_xaxes(
        tickvals=places,
        ticktext=texts,
        title_text="native interquartile ranges from the native median<br>(right is more native)",
    )
    figure.update_yaxes(title_text="share of images", tickformat=".0%")
    return alt.with_alt_text(
        figure,
        f"Histograms of the {label} scores of test images, in native interquartile ranges from the native median.",
        alt.spreads({SET_LABELS[k]: np.sinh(v) for k, v in stretched(by_set).items()}),
    )


def channels(by_set: Mapping[str, Mapping[str, Array]], named: Sequence[int], *, dark: bool = False) -> go.Figure:
    """Draw each channel's mean and standard deviation, stitched against native; on the line both are equal.

    Args:
        by_set: ``mean`` and ``deviation`` (C,) by set; native is one of the sets.
        named: channels that are labelled.
        dark: for a dark page.
    """
    native, stitched = by_set["native"], [name for name in by_set if name in COLOURS and name != "outliers"]
    figure = make_subplots(1, 2, subplot_titles=("Mean", "Standard deviation"), horizontal_spacing=0.1)
    for column, statistic in enumerate(("mean", "deviation"), 1):
        _add_identity(figure, ends(native[statistic]), column, dark)
        for name in stitched:
            dots = _channel_dots(name, native[statistic], by_set[name][statistic], named, dark)
            figure.add_scatter(**dots, showlegend=column == 1, row=1, col=column)
        figure.update_xaxes(title_text="native", row=1, col=column)
    figure.update_yaxes(title_text="stitched", row=1, col=1)
    figure.update_layout(
        template=template(dark),
        height=420,
        legend=legend(),
        margin_t=84,
        margin_b=BELOW,
        title="Channels: on the line, stitched and native are equal",
    )
    channel_names = [f"channel {k}" for k in range(len(native["mean"]))]
    return alt.with_alt_text(
        figure,
        "Scatter plots of each channel's mean and standard deviation, stitched against native.",
        *(
            f"{SET_LABELS[name]}, {statistic} minus native's: "
            f"{alt.extremes(by_set[name][statistic] - native[statistic], channel_names)}."
            for name in stitched
            for statistic in ("mean", "deviation")
        ),
    )


def _add_identity(figure: go.Figure, axis_ends: tuple[float, float], column: int, dark: bool) -> None:
    """Add the line on which stitched and native are equal."""
    figure.add_scatter(
        x=axis_ends,
        y=axis_ends,
        mode="lines",
        line={"color": MUTED[dark]},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )


def _channel_dots(name: str, native: Array, stitched: Array, named: Sequence[int], dark: bool) -> dict[str, Any]:
    """Describe a dot for each channel (C,) of a set; those in ``named`` show their number."""
    channels = range(len(native))
    return {
        "x": native,
        "y": stitched,
        "mode": "markers+text",
        "name": SET_LABELS[name],
        "legendgroup": name,
        "marker": {"color": colour(name, dark), "symbol": SYMBOLS[name], "size": 7},
        "text": [str(c) if c in named else "" for c in channels],
        "textposition": "top center",
        "customdata": np.array(channels),
        "hovertemplate": f"channel %{{customdata}}: native %{{x:.3g}}, {SET_LABELS[name].lower()} %{{y:.3g}}"
        "<extra></extra>",
    }


def spectrum(by_set: Mapping[str, Mapping[str, Array]], *, dark: bool = False) -> go.Figure:
    """Draw the eigenvalues (C,) of the rows' covariance by set, the largest first, as shares of their sum."""
    figure = go.Figure()
    for name, statistics in by_set.items():
        shares = statistics["spectrum"] / max(statistics["spectrum"].sum(), 1e-300)
        figure.add_scatter(
            x=np.arange(1, len(shares) + 1),
            y=np.where(shares > 1e-8, shares, np.nan),
            mode="lines",
            name=SET_LABELS[name],
            line=line(name, dark),
            hovertemplate="component %{x}: %{y:.2%}<extra>" + SET_LABELS[name] + "</extra>",
        )
    figure.update_layout(
        template=template(dark),
        height=340,
        legend=legend(),
        margin_b=BELOW,
        title="Spectrum: share of the variance by component",
    )
    figure.update_xaxes(title_text="component")
    figure.update_yaxes(type="log", title_text="share of variance", exponentformat="power", dtick=1)
    return alt.with_alt_text(
        figure,
        "Curves of the share of the variance by component, the largest first.",
        alt.lines([(trace.name, trace.x, trace.y) for trace in figure.data], "component"),
    )


def norms(by_set: Mapping[str, Mapping[str, Array]], *, dark: bool = False) -> go.Figure:
    """Draw histograms of the norm of an image's activations over all positions, as outlines."""
    figure = go.Figure()
    _outlines(figure, {name: statistics["norms"] for name, statistics in by_set.items()}, dark)
    figure.update_layout(
        template=template(dark), height=340, legend=legend(), margin_b=BELOW, title="Norm of an image's activations"
    )
    figure.update_xaxes(title_text="‖activations‖₂")
    figure.update_yaxes(title_text="share of images", tickformat=".0%")
    return alt.with_alt_text(
        figure,
        "Histograms of the norm of an image's activations.",
        alt.spreads({SET_LABELS[name]: statistics["norms"] for name, statistics in by_set.items()}),
    )


def plane(
    by_set: Mapping[str, Array],
    texts: Mapping[str, Sequence[str]],
    *,
    selected: tuple[str, int] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Draw images on the two principal axes of native features.

    Args:
        by_set: coordinates (N, 2) of the images, by set.
        texts: the hover text of each image, by set.
        selected: set and number of the image with a ring.
        dark: for a dark page.
    """
    figure = go.Figure()
    for name, points in by_set.items():
        _add_images(figure, name, points[:MAX_SCATTERED_IMAGES], texts[name][:MAX_SCATTERED_IMAGES], dark)
    if selected and selected[0] in by_set and selected[1] < len(by_set[selected[0]]):
        _add_ring(figure, by_set[selected[0]][selected[1]])
    figure.update_layout(
        template=template(dark),
        height=460,
        legend=legend(),
        margin_b=BELOW,
        hovermode="closest",
        dragmode=False,
        title="Native principal axes: click a point",
    )
    figure.update_xaxes(title_text="first native axis")
    figure.update_yaxes(title_text="second native axis")
    return alt.with_alt_text(
        figure,
        "Scatter plot of images on the two principal axes of native features.",
        alt.points(
            {SET_LABELS[name]: points[:MAX_SCATTERED_IMAGES].T for name, points in by_set.items()},
            "first axis",
            "second axis",
        ),
    )


def _add_images(figure: go.Figure, name: str, points: Array, texts: Sequence[str], dark: bool) -> None:
    """Add a point for each image of a set (N, 2), with its hover text."""
    figure.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        name=SET_LABELS[name],
        text=texts,
        marker={"color": colour(name, dark), "symbol": SYMBOLS[name], "size": 7, "opacity": 0.7},
        hovertemplate="%{text}<extra>" + SET_LABELS[name] + "</extra>",
        unselected={"marker": {"opacity": 0.7}},
    )


def _add_ring(figure: go.Figure, point: Array) -> None:
    """Add a ring around the selected point (2,)."""
    x, y = point
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 18, "line_width": 3, "color": GREEN},
    )


def confusion(shares: Array, classes: Sequence[str], title: str, *, dark: bool = False) -> go.Figure:
    """Draw a confusion matrix.

    Args:
        shares: (classes, classes): the share of a label's images (row) that has a prediction (column); rows sum to 1 or
            are NaN.
        classes: names of the classes.
        title: of the figure.
        dark: for a dark page.
    """
    axes = {"x": list(classes), "y": list(classes)}
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            **axes,
            zmin=0,
            zmax=1,
            colorscale=SEQUENTIAL,
            xgap=1,
            ygap=1,
            hovertemplate="%{y} predicted as %{x}: %{z:.1%}<extra></extra>",
            showscale=False,
        )
    )
    if len(classes) <= MAX_CLASSES_WITH_NUMBERS:
        texts = [["" if np.isnan(share) else f"{share:.0%}" for share in row] for row in shares]
        figure.add_traces([trace.update(axes) for trace in cell_numbers(texts, on_scale(shares, 0, 1, SEQUENTIAL))])
    figure.update_layout(template=template(dark), height=420, title=title)
    figure.update_xaxes(title_text="predicted", type="category")
    figure.update_yaxes(title_text="label", type="category", autorange="reversed")
    wrong = np.where(np.eye(len(classes), dtype=bool), np.nan, shares).ravel()
    pairs = [f"{label} predicted as {prediction}" for label in classes for prediction in classes]
    return alt.with_alt_text(
        figure,
        f"Heatmap of {title}: {len(classes)} labels by predictions.",
        f"Right: {alt.extremes(np.diagonal(shares), classes)}. Wrong: {alt.extremes(wrong, pairs)}.",
    )


def _outlines(figure: go.Figure, by_set: Mapping[str, Array], dark: bool) -> Array:
    """Add outlines of `histograms`, and return the bins' edges.

    Filled histograms would overlap in colours that the legend does not explain.
    """
    edges, shares = histograms(by_set)
    for name, share in shares.items():
        figure.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2,
            y=share,
            mode="lines",
            line_shape="hvh",
            name=SET_LABELS[name],
            line=line(name, dark),
            cliponaxis=False,
            hovertemplate="%{y:.1%}<extra>" + SET_LABELS[name] + "</extra>",
        )
    return edges
