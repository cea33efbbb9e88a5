"""Draws linear probes as curves over layers: on a page, and as data for whatever draws them into a file.

Networks that have the same layers share an axis of names. Others share relative depth: 0 is the first of the layers
that are shown, 1 the last.
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

ACROSS, DEPTH, DOWN = "layer", "relative depth", "accuracy on test images"
NAMED = 40  # layers up to which each is named on the axis of a page
COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY)  # a network each, as its mark is
MOST = len(COLOURS)


def curves(shown: Sequence[Probes]) -> Curves:
    """Describe the curves of some networks. Raises StitchLabError where there are too many, or none."""
    places, together = _places(shown), _together(shown)
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
        subtitle=" and ".join(dict.fromkeys(p.data.label for p in shown)),
        across=ACROSS if together else DEPTH,
        down=DOWN,
        curves=tuple(lines),
        x_range=_ends(places),
        y_range=(0.0, 1.02),
        x_ticks=tuple(enumerate(labels)) if together else round_ticks(0, 1),
        y_ticks=round_ticks(0, 1),
    )


def figure(shown: Sequence[Probes], *, dark: bool = False) -> go.Figure:
    """Draw the curves of some networks for a page; pointing at one shows its numbers. Raises as `curves`."""
    places, together = _places(shown), _together(shown)
    made = go.Figure()
    for k, (probes, colour, x) in enumerate(zip(shown, COLOURS, places, strict=False)):
        _add_curve(made, probes, x, colour, mark(k))
        if probes.own_accuracy is not None:
            _add_level(made, f"{probes.network.name} itself", probes.own_accuracy, places, colour, "dash", mark(k))
    for label, chance in chances(shown).items():
        _add_level(made, label, chance, places, REFERENCE, "dot")
    made.update_layout(
        template=template(dark),
        height=440,
        title="Accuracy of linear probes",
        margin_b=64,
        hovermode="closest",
        legend=legend(),
    )
    named = together and len(shown[0].layers) <= NAMED
    made.update_xaxes(title_text="" if named else ACROSS if together else DEPTH, range=list(_ends(places)))
    if together:
        made.update_xaxes(
            tickangle=-45,
            tickvals=list(range(len(shown[0].layers))) if named else [],
            ticktext=shorten(shown[0].layers).labels,
        )
    made.update_yaxes(title_text=DOWN, range=[0, 1.02], tickformat=".0%", showgrid=True, gridcolor=MUTED[dark])
    own = [f"{p.network.name} itself: {alt.number(p.own_accuracy)}." for p in shown if p.own_accuracy is not None]
    return alt.with_alt_text(
        made,
        "Curves of the accuracy of linear probes by layer.",
        alt.lines([(p.network.name, p.layers, [row.accuracy for row in p.rows()]) for p in shown], "at"),
        *own,
        *(f"{label}: {alt.number(chance)}." for label, chance in chances(shown).items()),
    )


def chances(shown: Sequence[Probes]) -> dict[str, float]:
    """Return the accuracy of always saying the largest class, by name: one number for each data set."""
    known = {probes.data.label: probes.chance for probes in shown if probes.chance is not None}
    return {"chance" if len(known) == 1 else f"chance on {label}": chance for label, chance in known.items()}


def _together(shown: Sequence[Probes]) -> bool:
    """Tell whether all networks have the same layers. Raises StitchLabError where there are too many, or none."""
    if not 1 <= len(shown) <= MOST:
        raise StitchLabError(
            f"a figure of probes: expected 1 to {MOST} networks, got {len(shown)}; .csv and .json take any number"
        )
    return len({probes.layers for probes in shown}) == 1


def _places(shown: Sequence[Probes]) -> list[np.ndarray]:
    """Return where the layers of each network stand on the axis."""
    together = _together(shown)
    return [np.arange(len(p.layers), dtype=np.float64) if together else np.linspace(0, 1, len(p.layers)) for p in shown]


def _ends(places: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the ends of the axis, with room for the first and the last point."""
    high = max(float(x[-1]) for x in places)
    room = 0.03 * (high or 10)
    return -room, high + room


def _level(name: str, height: float, places: Sequence[np.ndarray], colour: str, symbol: str = "") -> Curve:
    """Describe a level line, which has the mark of its network at both ends."""
    ends = np.array([(end, height) for end in _ends(places)])
    return Curve(name, ends, colour, "dash" if symbol else "dot", marked=bool(symbol), symbol=symbol or "circle")


def _add_curve(made: go.Figure, probes: Probes, places: np.ndarray, colour: str, symbol: str) -> None:
    """Add the accuracy of a network's probes, at the places of its layers."""
    rows, name = probes.rows(), probes.network.name
    made.add_scatter(
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
    made: go.Figure, name: str, height: float, places: Sequence[np.ndarray], colour: str, dash: str, symbol: str = ""
) -> None:
    made.add_scatter(
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
