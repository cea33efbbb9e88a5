"""Define how StitchLab looks: its colours by their purpose, its fonts, symbols and line styles.

Figures on pages and in files use them, and so do the parts of pages that are drawn without Streamlit. Streamlit's own
parts have theirs from .streamlit/config.toml. The report, which is one file, has its own at the top of report.css.

Nothing is shown by colour alone: a line has dashes or symbols too, a point its symbol, a verdict its sign and its word,
a cell its number, and the frame of the selected cell has a light edge.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from stitchlab.figures.colours import WHITE

# By dark: the first colour is for light pages, the second for dark ones.
INK = {False: "#1f2430", True: "#e6e8ee"}  # letters and lines
FADED = {False: "#5a6070", True: "#a9adb8"}  # notes; contrast of 6:1 with the page
MUTED = {False: "#c9ccd4", True: "#4a4f5c"}  # cells that are not computed yet or undefined; lines of a grid
GROUND = {False: WHITE, True: "#0e1117"}  # the page; Streamlit's own

REFERENCE = "#808690"  # lines that other lines are compared with; contrast of 3.6:1 on white, 5:1 on a dark page
ACCENT = {False: "#e4572e", True: "#00863a"}  # the selected cell, by diverging: such scales have red and blue ends
HALO = WHITE  # edge of the selected cell's frame, which is visible on any cell, in grey too
EDGE = "#333333"  # edge of a star
CLEAR = "rgba(0,0,0,0)"

# The colours of Okabe and Ito, which colour-blind readers can distinguish.
BLUE, VERMILLION, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY = "#e69f00", "#56b4e9", "#999999"
COLOURS = {"tlm": VERMILLION, "dm": BLUE, "outliers": GREY}  # of sets of activations; native has the ink of the page
OTHERS = (GREEN, PINK, ORANGE, SKY, BLUE, VERMILLION, GREY)  # of other lines: first the colours that no set has
VERDICTS = {"pass": (GREEN, 0.26), "fail": (VERMILLION, 0.32)}  # colour, and its share in the mixture with the page

DASHES = {"native": "solid", "tlm": "dash", "dm": "longdashdot", "outliers": "dot"}  # of sets of activations, as lines
SYMBOLS = {"native": "circle", "tlm": "diamond", "dm": "square", "outliers": "x"}  # of sets of activations, as points
MARKS = ("circle", "square", "diamond", "triangle-up", "x", "triangle-down", "cross")  # of lines in one figure, in turn

TEXT = 13  # font size in pixels, as the next two
TITLE = 16
NOTE = 12
BELOW = 84  # pixels below a figure, for the title of its axis and the legend
SEQUENTIAL = "Viridis"  # perceptually uniform, readable by the colour-blind and in grey
DIVERGING = "RdBu_r"  # red is high
REVERSED = "RdBu"  # red is low

FONT = "Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif"  # a name with a digit would need quotes in CSS


def template(dark: bool) -> go.layout.Template:
    """Return the project's Plotly template; its background is transparent, so that the page's is visible."""
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
    """Describe a legend below the figure."""
    return {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0, "xanchor": "left", "x": 0.0}


def mark(k: int) -> str:
    """Return the symbol for the points of line k, from 0; symbols repeat after the last one."""
    return MARKS[k % len(MARKS)]
