"""Defines how StitchLab looks: its colours by what they are for, its letters, marks and line styles.

Figures on pages, in files and the parts of pages that are drawn by hand take them from here; Streamlit's own parts have
theirs from .streamlit/config.toml, and the report, a file that stands alone, its own at the top of report.css.

Nothing is said by colour alone: a line has its dashes or its marks, a point its symbol, a verdict its sign and its
word, a cell its number, and the selected cell a frame that is light around its colour.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from stitchlab.figures.colours import WHITE

INK = {False: "#1f2430", True: "#e6e8ee"}  # by dark: letters and lines
FADED = {False: "#5a6070", True: "#a9adb8"}  # by dark: notes, 6:1 on their ground
MUTED = {False: "#c9ccd4", True: "#4a4f5c"}  # by dark: not computed yet, or undefined; lines of a grid
GROUND = {False: WHITE, True: "#0e1117"}  # by dark: paper; Streamlit's own
REFERENCE = "#808690"  # what is held against: 3.6:1 on white, 5:1 on dark
ACCENT = {False: "#e4572e", True: "#00863a"}  # the selected cell; by diverging, whose own ends are red and blue
HALO = WHITE  # around it, so that it is seen on any cell, in grey too
EDGE = "#333333"  # around a star
CLEAR = "rgba(0,0,0,0)"

# Okabe and Ito's, which the colour-blind can tell apart.
BLUE, VERMILLION, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY = "#e69f00", "#56b4e9", "#999999"
COLOURS = {"tlm": VERMILLION, "dm": BLUE, "outliers": GREY}  # of sets of activations; native is the ink of the page
OTHERS = (GREEN, PINK, ORANGE, SKY, BLUE, VERMILLION, GREY)  # those that no set has; then their own again
VERDICTS = {"pass": (GREEN, 0.26), "fail": (VERMILLION, 0.32)}  # and how much of it is over the ground

DASHES = {"native": "solid", "tlm": "dash", "dm": "longdashdot", "outliers": "dot"}  # of sets of activations, as lines
SYMBOLS = {"native": "circle", "tlm": "diamond", "dm": "square", "outliers": "x"}  # and as points
MARKS = ("circle", "square", "diamond", "triangle-up", "x", "triangle-down", "cross")  # of lines beside each other

TEXT, TITLE, NOTE = 13, 16, 12  # pixels
BELOW = 84  # pixels below a figure, for the title of its axis and the legend
SEQUENTIAL = "Viridis"  # perceptually uniform, readable by the colour-blind and in grey
DIVERGING, REVERSED = "RdBu_r", "RdBu"  # red is high, red is low

FONT = "Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif"  # a name with a digit would need quotes in CSS


def template(dark: bool) -> go.layout.Template:
    """Return the project's Plotly template; backgrounds are left to the page."""
    axis = {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
        "title": {"standoff": 12, "font": {"size": TEXT}},
        "ticklabelstandoff": 4,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": TEXT, "color": INK[dark]},
            "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR,
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 56, "b": 8},
            "title": {
                "font": {"size": TITLE},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "yanchor": "top",
                "y": 1,
                "pad": {"t": 18},
            },
            "hoverlabel": {"font": {"family": FONT, "size": TEXT}},
        }
    )


def titled(title: str, note: str) -> dict[str, str]:
    """Describe a figure's title, with a note in smaller letters below it."""
    return {"text": f"{title}<br><span style='font-size:{NOTE}px'>{note}</span>"}


def legend() -> dict[str, Any]:
    """Describe a legend below the figure, where no title is."""
    return {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left", "x": 0.0}


def mark(k: int) -> str:
    """Return the symbol of the k-th line's points."""
    return MARKS[k % len(MARKS)]
