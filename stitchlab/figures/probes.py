"""Draw the accuracy of linear probes as curves over layers, and describe the same curves as data for files.

If all networks have the same layers, the axis has the layers' names. Otherwise it has relative depth: 0 is the first
layer of each network, 1 its last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stitchlab.errors import StitchLabError
from stitchlab.figures import alt
from stitchlab.figures.curves import Curve, Curves
from stitchlab.figures.layer_names import shorten
from stitchlab.figures.ranges import round_ticks
from stitchlab.figures.template import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PINK,
    REFERENCE,
    SKY,
    VERMILLION,
    legend,
    mark,
    template,
)
from stitchlab.results.probes import Probes

LAYER_TITLE = "layer"
DEPTH_TITLE = "relative depth"
ACCURACY_TITLE = "accuracy on test images"
MAX_NAMED_LAYERS = 40  # if there are more, the axis of a page has no names
COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY)  # one for each network, as `mark` gives one symbol for each
MAX_NETWORKS = len(COLOURS)  # networks in a figure


def curves(shown: Sequence[Probes]) -> Curves:
    """Describe the curves of some networks. Raises StitchLabError if there are too many, or none."""
    places, same_layers = _places(shown), _same_layers(shown)
    lines = []
    for k, (probes, colour, x) in enumerate(zip(shown, COLOURS, places, strict=False)):
        y = [np.nan if row.accuracy is None else row.accuracy for row in probes.rows()]
        lines.append(
            Curve(
                probes.network.name,
                np.stack([x, np.array(y, dtype=np.float64)], 1),
                colour,
                marked=True,
                symbol=mark(k),
            )
        )
        if probes.own_accuracy is not None:
            lines.append(_level(f"{probes.network.name} itself", probes.own_accuracy, places, colour, mark(k)))
    lines += [_level(name, chance, places, REFERENCE) for name, chance in chances(shown).items()]
    labels = shorten(shown[0].layers).labels
    return Curves(
        title="Accuracy of linear probes",
        subtitle=" and ".join(dict.fromkeys(probes.data.label for probes in shown)),
        across=LAYER_TITLE if same_layers else DEPTH_TITLE,
        down=ACCURACY_TITLE,
        curves=tuple(lines),
        x_range=_ends(places),
        y_range=(0.0, 1.02),
        x_ticks=tuple(enumerate(labels)) if same_layers else round_ticks(0, 1),
        y_ticks=round_ticks(0, 1),
    )


def figure(shown: Sequence[Probes], *, dark: bool = False) -> go.Figure:
    """Draw the curves of some networks for a page; hovering shows the numbers. Raises as `curves`."""
    places, same_layers = _places(shown), _same_layers(shown)
    drawing = go.Figure()
    for k, (probes, colour, x) in enumerate(zip(shown, COLOURS, places, strict=False)):
        _add_curve(drawing, probes, x, colour, mark(k))
        if probes.own_accuracy is not None:
            _add_level(drawing, f"{probes.network.name} itself", probes.own_accuracy, places, colour, "dash", mark(k))
    for label, chance in chances(shown).items():
        _add_level(drawing, label, chance, places, REFERENCE, "dot")
    drawing.update_layout(
        template=template(dark),
        height=440,
        title="Accuracy of linear probes",
        margin_b=64,
        hovermode="closest",
        legend=legend(),
    )
    named = same_layers and len(shown[0].layers) <= MAX_NAMED_LAYERS
    axis_title = LAYER_TITLE if same_layers else DEPTH_TITLE
    drawing.update_xaxes(title_text="" if named else axis_title, range=list(_ends(places)))
    if same_layers:
        drawing.update_xaxes(
            tickangle=-45,
            tickvals=list(range(len(shown[0].layers))) if named else [],
            ticktext=shorten(shown[0].layers).labels,
        )
    drawing.update_yaxes(
        title_text=ACCURACY_TITLE, range=[0, 1.02], tickformat=".0%", showgrid=True, gridcolor=MUTED[dark]
    )
    return alt.with_alt_text(drawing, *_alt_sentences(shown))


def _alt_sentences(shown: Sequence[Probes]) -> list[str]:
    """Describe the curves and the level lines to readers who do not see them."""
    own = [f"{p.network.name} itself: {alt.number(p.own_accuracy)}." for p in shown if p.own_accuracy is not None]
    return [
        "Curves of the accuracy of linear probes by layer.",
        alt.lines([(p.network.name, p.layers, [row.accuracy for row in p.rows()]) for p in shown], "at"),
        *own,
        *(f"{label}: {alt.number(chance)}." for label, chance in chances(shown).items()),
    ]


def chances(shown: Sequence[Probes]) -> dict[str, float]:
    """Return the accuracy of always predicting the largest class, for each data set, by the label of its line."""
    by_data_set = {probes.data.label: probes.chance for probes in shown if probes.chance is not None}
    return {
        "chance" if len(by_data_set) == 1 else f"chance on {label}": chance for label, chance in by_data_set.items()
    }


def _same_layers(shown: Sequence[Probes]) -> bool:
    """Tell whether all networks have the same layers. Raises StitchLabError if there are too many, or none."""
    if not 1 <= len(shown) <= MAX_NETWORKS:
        raise StitchLabError(
            f"a figure of probes: expected 1 to {MAX_NETWORKS} networks, got {len(shown)}; "
            ".csv and .json take any number"
        )
    return len({probes.layers for probes in shown}) == 1


def _places(shown: Sequence[Probes]) -> list[np.ndarray]:
    """Return the places of each network's layers on the axis."""
    if _same_layers(shown):
        return [np.arange(len(probes.layers), dtype=np.float64) for probes in shown]
    return [np.linspace(0, 1, len(probes.layers)) for probes in shown]


def _ends(places: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the ends of the axis, with room for the first and the last point."""
    high = max(float(x[-1]) for x in places)
    room = 0.03 * (high or 10)
    return -room, high + room


def _level(name: str, height: float, places: Sequence[np.ndarray], colour: str, symbol: str = "") -> Curve:
    """Describe a level line; that of a network has its symbol at both ends."""
    ends = np.array([(end, height) for end in _ends(places)])
    return Curve(name, ends, colour, "dash" if symbol else "dot", marked=bool(symbol), symbol=symbol or "circle")


def _add_curve(drawing: go.Figure, probes: Probes, places: np.ndarray, colour: str, symbol: str) -> None:
    """Add the accuracy of a network's probes, at the places of its layers."""
    rows, name = probes.rows(), probes.network.name
    drawing.add_scatter(
        x=places,
        y=[row.accuracy for row in rows],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker_symbol=symbol,
        customdata=[[row.layer, _percent(row.train_accuracy), _remark(row.reason)] for row in rows],
        hovertemplate="<b>%{customdata[0]}</b><br>%{y:.2%} on test images<br>%{customdata[1]} on its training "
        "images%{customdata[2]}<extra>" + name + "</extra>",
    )


def _add_level(
    drawing: go.Figure,
    name: str,
    height: float,
    places: Sequence[np.ndarray],
    colour: str,
    dash: str,
    symbol: str = "",
) -> None:
    drawing.add_scatter(
        x=list(_ends(places)),
        y=[height] * 2,
        mode="lines+markers" if symbol else "lines",
        name=name,
        line={"color": colour, "width": 1.5, "dash": dash},
        marker_symbol=symbol or None,
        hovertemplate=f"%{{y:.2%}}<extra>{name}</extra>",
    )


def _percent(share: float | None) -> str:
    return "undefined" if share is None else f"{share:.2%}"


def _remark(reason: str) -> str:
    return f"<br>{reason}" if reason else ""
