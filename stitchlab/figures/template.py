"""How the project's figures look, on light and on dark pages; every figure carries it, wherever it is exported."""

from __future__ import annotations

import plotly.graph_objects as go

INK = {False: "#1f2430", True: "#e6e8ee"}  # by dark
MUTED = {False: "#c9ccd4", True: "#4a4f5c"}  # not computed yet, or undefined
ACCENT = {False: "#e4572e", True: "#00c853"}  # the selected cell; by diverging, whose own ends are red and blue
SEQUENTIAL = "Viridis"  # perceptually uniform, readable by the colour-blind and in grey
DIVERGING, REVERSED = "RdBu_r", "RdBu"  # red is high, red is low

FONT = "Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif"  # a name with a digit would need quotes in CSS


def template(dark: bool) -> go.layout.Template:
    """The project's Plotly template; backgrounds are left to the page."""
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True, "automargin": True,
            "title": {"standoff": 12, "font": {"size": 13}}, "ticklabelstandoff": 4}
    return go.layout.Template(layout={
        "font": {"family": FONT, "size": 13, "color": INK[dark]},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": axis, "yaxis": axis, "margin": {"l": 8, "r": 8, "t": 56, "b": 8},
        "title": {"font": {"size": 16}, "x": 0, "xref": "container", "xanchor": "left", "yanchor": "top", "y": 1,
                  "pad": {"t": 18}},
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
    })
