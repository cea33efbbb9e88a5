"""Draws shapes and texts on a sheet, with coordinates in points from its upper left corner, and writes it as a file.

This is the only module that uses Matplotlib: a `Figure` of its own, never pyplot. Options that exist only as global
settings are changed under a lock, so that several threads can draw.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from stitchlab.export.options import ImageSuffix
from stitchlab.export.vector.letters import font, printable
from stitchlab.figures.template import GROUND, INK
from stitchlab.results.version import VERSION

INCH = 72.0
Values = npt.NDArray[np.float64]

# Text stays text, fonts are embedded in a format that editors can read, and the same figure gives the same bytes.
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "stitchlab",
    "text.usetex": False,
    "path.simplify": False,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
}
_LOCK = threading.RLock()


class Sheet:
    """Represents a page, its size in points, and what is drawn on it."""

    def __init__(self, width: float, height: float, dark: bool) -> None:
        self.width, self.height, self.dark = width, height, dark
        self._figure = Figure(figsize=(width / INCH, height / INCH), dpi=INCH, facecolor=GROUND[dark])
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)

    def __repr__(self) -> str:
        """Say how large the sheet is."""
        return f"Sheet({self.width:g} × {self.height:g} points)"

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        *,
        across: Literal["left", "center", "right"] = "left",
        down: Literal["baseline", "center", "top"] = "baseline",
        bold: bool = False,
        colour: str | None = None,
        angle: float = 0,
    ) -> None:
        """Write one line of text.

        Args:
            x, y: a point.
            words: the text; may be empty.
            size: font size, points.
            across, down: which part of the text is placed at the point.
            bold: whether the text is bold.
            colour: None: the colour of text on this sheet.
            angle: degrees, counterclockwise around the point.
        """
        if words:
            self._axes.text(
                x,
                y,
                printable(words),
                fontproperties=font(size, bold),
                ha=across,
                color=colour or INK[self.dark],
                va="center_baseline" if down == "center" else down,
                rotation=angle,
                rotation_mode="anchor",
                parse_math=False,
            )

    def polygons(
        self,
        corners: Sequence[Values],
        colours: Any,
        name: str,
        *,
        edge: str = "none",
        line: float = 0,
        opacity: float | None = None,
    ) -> None:
        """Fill polygons, one shape each.

        Args:
            corners: of each polygon, (corners, 2).
            colours: one for all, or one for each.
            name: id of their group in the file.
            edge, line: colour and width (points) of the outlines.
            opacity: 0 to 1; None: opaque.
        """
        if len(corners):
            collection = PolyCollection(
                corners, facecolors=colours, edgecolors=edge, linewidths=line, alpha=opacity, clip_on=False
            )
            collection.set_gid(name)
            self._axes.add_collection(collection, autolim=False)

    def rectangles(self, boxes: Values, colours: Any, name: str, opacity: float | None = None) -> None:
        """Fill rectangles, one shape each.

        Args:
            boxes: (N, 4): left, top, right, bottom.
            colours, name, opacity: as in `polygons`.
        """
        self.polygons(
            [np.array([(x, y), (right, y), (right, bottom), (x, bottom)]) for x, y, right, bottom in boxes],
            colours,
            name,
            opacity=opacity,
        )

    def frame(self, box: Sequence[float], colour: str, line: float, name: str) -> None:
        """Draw the outline of a rectangle.

        Args:
            box: left, top, right, bottom.
            colour, line: of the outline, and its width in points.
            name: id of the shape in the file.
        """
        x, y, right, bottom = box
        self._axes.add_patch(
            Rectangle(
                (x, y),
                right - x,
                bottom - y,
                fill=False,
                edgecolor=colour,
                linewidth=line,
                joinstyle="miter",
                gid=name,
                clip_on=False,
            )
        )

    def line(self, points: Values, colour: str, line: float, *, dashes: Sequence[float] = (), name: str = "") -> None:
        """Draw a line through points.

        Args:
            points: (N, 2); points that are not finite are left out.
            colour, line: of the line, and its width in points.
            dashes: lengths that are drawn and left out in turn, in line widths; empty: solid.
            name: id of the shape in the file; empty: none.
        """
        style: Any = (0, tuple(dashes)) if len(dashes) else "solid"
        self._axes.add_line(
            Line2D(
                points[:, 0],
                points[:, 1],
                color=colour,
                linewidth=line,
                linestyle=style,
                solid_joinstyle="miter",
                solid_capstyle="butt",
                gid=name or None,
                clip_on=False,
            )
        )

    def file(self, suffix: ImageSuffix, *, dpi: int, title: str, description: str) -> bytes:
        """Write the sheet as a file.

        Args:
            suffix: the kind of file.
            dpi: dots per inch, of a PNG.
            title, description: for the file's metadata.
        """
        out, creator = io.BytesIO(), f"StitchLab {VERSION}"
        title, description = (" ".join(text.split()) for text in (title, description))
        with _LOCK, matplotlib.rc_context(_SETTINGS):
            if suffix == "svg":
                self._canvas(FigureCanvasSVG).print_svg(
                    out, metadata={"Title": title, "Description": description, "Creator": creator, "Date": None}
                )
            elif suffix == "pdf":
                self._canvas(FigureCanvasPdf).print_pdf(
                    out,
                    metadata={
                        "Title": title,
                        "Subject": description,
                        "Creator": creator,
                        "Producer": creator,
                        "CreationDate": None,
                    },
                )
            else:
                self._figure.set_dpi(dpi)
                pixels = [round(length / INCH * dpi) + 1e-4 for length in (self.width, self.height)]
                self._figure.set_size_inches(pixels[0] / dpi, pixels[1] / dpi)
                self._canvas(FigureCanvasAgg).print_png(
                    out, metadata={"Title": title, "Description": description, "Software": creator}, pil_kwargs=None
                )
        return out.getvalue()

    def _canvas(self, kind: Any) -> Any:
        """Return the canvas that writes the figure; Matplotlib declares no types for it."""
        return kind(self._figure)
