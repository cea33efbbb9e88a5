"""Linear probes as curves over layers: on a page, and as data for whatever draws them into a file.

Networks that have the same layers share an axis of names. Others share relative depth: 0 is the first of the layers
that are shown, 1 the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stitchlab.errors import StitchLabError
from stitchlab.figures.curves import Curve, Curves, round_ticks
from stitchlab.figures.layer_names import shorten
from stitchlab.figures.template import MUTED, template
from stitchlab.results.probes import Probes

ACROSS, DEPTH, DOWN = "layer", "relative depth", "accuracy on test images"
NAMED = 40  # layers up to which each is named on the axis of a page
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's, a network each
CHANCE = "#808690"  # 3.6:1 on white, 5:1 on dark
MOST = len(COLOURS)


def curves(shown: Sequence[Probes]) -> Curves:
    """Describe the curves of some networks. Raises StitchLabError where there are too many, or none."""
    places, together = _places(shown), _together(shown)
    lines = []
    for probes, colour, x in zip(shown, COLOURS, places, strict=False):
        y = [np.nan if row.accuracy is None else row.accuracy for row in probes.rows()]
        lines.append(Curve(probes.network.name, np.stack([x, np.array(y, dtype=np.float64)], 1), colour, marked=True))
        if probes.own_accuracy is not None:
            lines.append(_level(f"{probes.network.name} itself", probes.own_accuracy, places, colour))
    lines += [_level(name, chance, places, CHANCE) for name, chance in chances(shown).items()]
    labels = shorten(shown[0].layers).labels
    return Curves(
        title="Accuracy of linear probes", subtitle=" and ".join(dict.fromkeys(p.data.label for p in shown)),
        across=ACROSS if together else DEPTH, down=DOWN, curves=tuple(lines),
        x_range=_ends(places), y_range=(0.0, 1.02),
        x_ticks=tuple(enumerate(labels)) if together else round_ticks(0, 1), y_ticks=round_ticks(0, 1))


def figure(shown: Sequence[Probes], *, dark: bool = False) -> go.Figure:
    """Draw the curves of some networks for a page; hovering tells the layer and its numbers. Raises as `curves`."""
    places, together = _places(shown), _together(shown)
    made = go.Figure()
    for probes, colour, x in zip(shown, COLOURS, places, strict=False):
        rows, name = probes.rows(), probes.network.name
        made.add_scatter(
            x=x, y=[row.accuracy for row in rows], name=name, mode="lines+markers", line={"color": colour, "width": 2},
            customdata=[[row.layer, _percent(row.train_accuracy), _remark(row.reason)] for row in rows],
            hovertemplate="<b>%{customdata[0]}</b><br>%{y:.2%} on test images<br>%{customdata[1]} on its training "
                          "images%{customdata[2]}<extra>" + name + "</extra>")
        if probes.own_accuracy is not None:
            _add_level(made, f"{name} itself", probes.own_accuracy, places, colour, "dash")
    for label, chance in chances(shown).items():
        _add_level(made, label, chance, places, CHANCE, "dot")
    made.update_layout(
        template=template(dark), height=440, title="Accuracy of linear probes", margin_b=64, hovermode="closest",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left", "x": 0.0})
    named = together and len(shown[0].layers) <= NAMED
    made.update_xaxes(title_text="" if named else ACROSS if together else DEPTH, range=list(_ends(places)))
    if together:
        made.update_xaxes(tickangle=-45, tickvals=list(range(len(shown[0].layers))) if named else [],
                          ticktext=shorten(shown[0].layers).labels)
    made.update_yaxes(title_text=DOWN, range=[0, 1.02], tickformat=".0%", showgrid=True, gridcolor=MUTED[dark])
    return made


def chances(shown: Sequence[Probes]) -> dict[str, float]:
    """Give what always saying the largest class gets, by name: one number for each data set."""
    known = {probes.data.label: probes.chance for probes in shown if probes.chance is not None}
    return {"chance" if len(known) == 1 else f"chance on {label}": chance for label, chance in known.items()}


def _together(shown: Sequence[Probes]) -> bool:
    """Whether all networks have the same layers. Raises StitchLabError where there are too many, or none."""
    if not 1 <= len(shown) <= MOST:
        raise StitchLabError(f"a figure of probes: 1 to {MOST} networks were expected, got {len(shown)}; .csv and "
                             ".json take any number")
    return len({probes.layers for probes in shown}) == 1


def _places(shown: Sequence[Probes]) -> list[np.ndarray]:
    """Where the layers of each network stand on the axis."""
    together = _together(shown)
    return [np.arange(len(p.layers), dtype=np.float64) if together else np.linspace(0, 1, len(p.layers))
            for p in shown]


def _ends(places: Sequence[np.ndarray]) -> tuple[float, float]:
    """The ends of the axis, with room for the first and the last point."""
    high = max(float(x[-1]) for x in places)
    room = 0.03 * (high or 10)
    return -room, high + room


def _level(name: str, height: float, places: Sequence[np.ndarray], colour: str) -> Curve:
    return Curve(name, np.array([(end, height) for end in _ends(places)]), colour, dashed=True)


def _add_level(made: go.Figure, name: str, height: float, places: Sequence[np.ndarray], colour: str, dash: str) -> None:
    made.add_scatter(x=list(_ends(places)), y=[height] * 2, mode="lines", name=name,
                     line={"color": colour, "width": 1.5, "dash": dash},
                     hovertemplate=f"%{{y:.2%}}<extra>{name}</extra>")


def _percent(share: float | None) -> str:
    return "undefined" if share is None else f"{share:.2%}"


def _remark(reason: str) -> str:
    return f"<br>{reason}" if reason else ""
