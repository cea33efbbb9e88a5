"""Figures of one cell's activations: native ones beside what each method makes, and what detectors say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stitchlab.figures.cell_numbers import cell_numbers
from stitchlab.figures.colours import on_scale
from stitchlab.figures.template import INK, MUTED, SEQUENTIAL, template

Array = npt.NDArray[Any]

SETS = {"native": "Native", "tlm": "Task loss matching", "dm": "Direct matching", "outliers": "Known outliers"}
# Okabe and Ito's colours, which the colour-blind can tell apart; native is the ink of the page.
COLOURS = {"tlm": "#d55e00", "dm": "#0072b2", "outliers": "#999999"}
SYMBOLS = {"native": "circle", "tlm": "diamond", "dm": "square", "outliers": "x"}
BELOW = 84  # pixels for the axis title and the legend
BINS, SHOWN = 60, 400  # bins of a histogram; images of each set in a scatter plot
DECADES = (-1000, -100, -10, -3, -1, 0, 1, 3, 10, 100)


def colour(name: str, dark: bool) -> str:
    """Of a set of activations."""
    return COLOURS.get(name, INK[dark])


def scores(by_set: Mapping[str, Array], label: str, *, dark: bool = False) -> go.Figure:
    """Histograms of a detector's scores (N,) by set, as outlines.

    The axis counts native interquartile ranges from the native median. It is stretched (asinh), since stitched scores
    may be a thousand ranges away where native ones fill two.
    """
    figure = go.Figure()
    places, texts = stretched_ticks(_outlines(figure, stretched(by_set), dark))
    figure.update_layout(template=template(dark), height=340, legend=legend(), margin_b=BELOW + 20,
                         title=f"{label}: scores of test images")
    figure.update_xaxes(tickvals=places, ticktext=texts,
                        title_text="native interquartile ranges from the native median<br>(right is more native)")
    figure.update_yaxes(title_text="share of images", tickformat=".0%")
    return figure


def stretched(by_set: Mapping[str, Array]) -> dict[str, Array]:
    """Places scores (N,) of each set on an axis of native interquartile ranges from the native median, by asinh."""
    native = by_set["native"]
    low, middle, high = np.quantile(native, [0.25, 0.5, 0.75]) if np.isfinite(native).all() else (0.0, 0.0, 1.0)
    return {name: np.arcsinh((values[np.isfinite(values)] - middle) / max(high - low, 1e-12))
            for name, values in by_set.items()}


def stretched_ticks(edges: Array) -> tuple[Array, list[str]]:
    """Gives places and texts of ticks on that axis, which reaches from the first edge to the last."""
    shown = [d for d in DECADES if edges[0] <= np.arcsinh(d) <= edges[-1]]
    return np.arcsinh(shown), [f"{d:,}".replace("-", "−") for d in shown]


def channels(by_set: Mapping[str, Mapping[str, Array]], named: Sequence[int], *, dark: bool = False) -> go.Figure:
    """Mean and deviation (C,) of every channel, stitched over native; on the line nothing has moved.

    Args:
        by_set: statistics by set, native among them.
        named: channels that are labelled.
    """
    figure = make_subplots(1, 2, subplot_titles=("Mean", "Standard deviation"), horizontal_spacing=0.1)
    for column, what in enumerate(("mean", "deviation"), 1):
        native = by_set["native"][what]
        ends = _ends(native)
        figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": MUTED[dark]}, hoverinfo="skip",
                           showlegend=False, row=1, col=column)
        for name in (n for n in by_set if n in COLOURS and n != "outliers"):
            figure.add_scatter(
                x=native, y=by_set[name][what], mode="markers+text", name=SETS[name], legendgroup=name,
                showlegend=column == 1, marker={"color": colour(name, dark), "symbol": SYMBOLS[name], "size": 7},
                text=[str(c) if c in named else "" for c in range(len(native))], textposition="top center",
                customdata=np.arange(len(native)), hovertemplate="channel %{customdata}: native %{x:.3g}, "
                + SETS[name].lower() + " %{y:.3g}<extra></extra>", row=1, col=column,
            )
        figure.update_xaxes(title_text="native", row=1, col=column)
    figure.update_yaxes(title_text="stitched", row=1, col=1)
    figure.update_layout(template=template(dark), height=420, legend=legend(), margin_t=84, margin_b=BELOW,
                         title="Channels: on the line nothing has moved")
    return figure


def spectrum(by_set: Mapping[str, Mapping[str, Array]], *, dark: bool = False) -> go.Figure:
    """Eigenvalues (C,) of the rows' covariance, the largest first, over their sum."""
    figure = go.Figure()
    for name, found in by_set.items():
        share = found["spectrum"] / max(found["spectrum"].sum(), 1e-300)
        figure.add_scatter(x=np.arange(1, len(share) + 1), y=np.where(share > 1e-8, share, np.nan), mode="lines",
                           name=SETS[name], line=_line(name, dark),
                           hovertemplate="component %{x}: %{y:.2%}<extra>" + SETS[name] + "</extra>")
    figure.update_layout(template=template(dark), height=340, legend=legend(), margin_b=BELOW,
                         title="Spectrum: share of the variance by component")
    figure.update_xaxes(title_text="component")
    figure.update_yaxes(type="log", title_text="share of variance", exponentformat="power", dtick=1)
    return figure


def norms(by_set: Mapping[str, Mapping[str, Array]], *, dark: bool = False) -> go.Figure:
    """Histograms of the norm of an image's activations, all positions together, as outlines."""
    figure = go.Figure()
    _outlines(figure, {name: found["norms"] for name, found in by_set.items()}, dark)
    figure.update_layout(template=template(dark), height=340, legend=legend(), margin_b=BELOW,
                         title="Norm of an image's activations")
    figure.update_xaxes(title_text="‖activations‖₂")
    figure.update_yaxes(title_text="share of images", tickformat=".0%")
    return figure


def plane(
    by_set: Mapping[str, Array], texts: Mapping[str, Sequence[str]], *, selected: tuple[str, int] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Where images (N, 2) lie on the two principal axes of native features.

    Args:
        texts: what the hover says of each image, by set.
        selected: set and image that gets a ring.
    """
    figure = go.Figure()
    for name, points in by_set.items():
        few = points[:SHOWN]
        figure.add_scatter(
            x=few[:, 0], y=few[:, 1], mode="markers", name=SETS[name], text=texts[name][:SHOWN],
            marker={"color": colour(name, dark), "symbol": SYMBOLS[name], "size": 7, "opacity": 0.7},
            hovertemplate="%{text}<extra>" + SETS[name] + "</extra>", unselected={"marker": {"opacity": 0.7}},
        )
    if selected and selected[0] in by_set and selected[1] < len(by_set[selected[0]]):
        x, y = by_set[selected[0]][selected[1]]
        figure.add_scatter(x=[x], y=[y], mode="markers", showlegend=False, hoverinfo="skip",
                           marker={"symbol": "circle-open", "size": 18, "line_width": 3, "color": "#00a878"})
    _plane_layout(figure, dark)
    figure.update_layout(title="Native principal axes: click a point")
    return figure


def confusion(shares: Array, classes: Sequence[str], title: str, *, dark: bool = False) -> go.Figure:
    """Shares (classes, classes) of each label's images that get each prediction: rows are labels and sum to 1."""
    places = {"x": list(classes), "y": list(classes)}
    figure = go.Figure(go.Heatmap(
        z=shares, **places, zmin=0, zmax=1, colorscale=SEQUENTIAL, xgap=1, ygap=1,
        hovertemplate="%{y} called %{x}: %{z:.1%}<extra></extra>", showscale=False,
    ))
    if len(classes) <= 12:
        texts = [["" if np.isnan(share) else f"{share:.0%}" for share in row] for row in shares]
        figure.add_traces([trace.update(places) for trace in cell_numbers(texts, on_scale(shares, 0, 1, SEQUENTIAL))])
    figure.update_layout(template=template(dark), height=420, title=title)
    figure.update_xaxes(title_text="predicted", type="category")
    figure.update_yaxes(title_text="label", type="category", autorange="reversed")
    return figure


def feature_maps(
    maps: Mapping[str, Array], chosen: Sequence[int], *, dark: bool = False
) -> go.Figure:
    """One image's feature maps (C, H, W) by set, chosen channels beside each other, one colour range a channel."""
    sets = [name for name in SETS if name in maps]
    figure = make_subplots(
        len(sets), len(chosen), column_titles=[f"channel {c}" for c in chosen], row_titles=[SETS[s] for s in sets],
        horizontal_spacing=0.02, vertical_spacing=0.04,
    )
    for column, channel in enumerate(chosen, 1):
        every = np.concatenate([maps[name][channel].ravel() for name in sets])
        low, high = _ends(every)
        for row, name in enumerate(sets, 1):
            figure.add_trace(go.Heatmap(
                z=maps[name][channel], zmin=low, zmax=high if high > low else low + 1, colorscale=SEQUENTIAL,
                showscale=False, hovertemplate="%{z:.3g}<extra>" + SETS[name] + f", channel {channel}</extra>",
            ), row, column)
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False, autorange="reversed")
    height = 60 + len(sets) * min(190, max(70, 900 // max(1, len(chosen))))
    figure.update_layout(template=template(dark), height=height, margin={"t": 32, "r": 32})
    return figure


def vectors(values: Mapping[str, Array], *, dark: bool = False) -> go.Figure:
    """One image's activations where a layer has one position only: (C,) by set."""
    figure = go.Figure()
    for name in (n for n in SETS if n in values):
        figure.add_scatter(x=np.arange(len(values[name])), y=values[name], mode="lines+markers", name=SETS[name],
                           line=_line(name, dark), marker_size=4,
                           hovertemplate="channel %{x}: %{y:.3g}<extra>" + SETS[name] + "</extra>")
    figure.update_layout(template=template(dark), height=340, legend=legend(), margin_b=BELOW,
                         title="Activations of this image")
    figure.update_xaxes(title_text="channel")
    return figure


def _outlines(figure: go.Figure, by_set: Mapping[str, Array], dark: bool) -> Array:
    """Adds outlines of `histograms`, and gives the bins' edges.

    Outlines only: filled ones would make colours where they overlap that no legend has.
    """
    edges, shares = histograms(by_set)
    for name, share in shares.items():
        figure.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2, y=share, mode="lines", line_shape="hvh", name=SETS[name],
            line=_line(name, dark), cliponaxis=False,
            hovertemplate="%{y:.1%}<extra>" + SETS[name] + "</extra>",
        )
    return edges


def histograms(by_set: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Gives the edges of bins and each set's share in them, of all that is finite; 0 lies in one of them.

    An empty bin at either end brings each outline down to nothing.
    """
    low, high = _ends(np.concatenate([[0.0], *by_set.values()]))
    width = max(high - low, 1e-6) * (1 + 1e-6) / BINS  # so that rounding drops no largest value
    edges = low + width * np.arange(-1, BINS + 2)
    return edges, {name: np.histogram(values[np.isfinite(values)], edges)[0] / max(1, len(values))
                   for name, values in by_set.items()}


def _ends(values: Array) -> tuple[float, float]:
    """The smallest and the largest of those values that are finite; 0 and 0 where none is."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _plane_layout(figure: go.Figure, dark: bool) -> None:
    figure.update_layout(template=template(dark), height=460, legend=legend(), margin_b=BELOW, hovermode="closest",
                         dragmode=False)
    figure.update_xaxes(title_text="first native axis")
    figure.update_yaxes(title_text="second native axis")


def _line(name: str, dark: bool) -> dict[str, Any]:
    return {"color": colour(name, dark), "width": 2, "dash": "dot" if name == "outliers" else "solid"}


def legend() -> dict[str, Any]:
    """Below the figure, where no title is."""
    return {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left", "x": 0.0}
