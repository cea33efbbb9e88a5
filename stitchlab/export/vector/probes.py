"""Draws linear probes into a file: one pair of axes on a page of the size in the options."""

from __future__ import annotations

from collections.abc import Sequence

from stitchlab.export.options import SLIDE_HEIGHT_IN, WIDTHS_IN, Options
from stitchlab.export.vector import curves
from stitchlab.export.vector.page import MARGIN
from stitchlab.export.vector.sheet import INCH, Sheet
from stitchlab.figures import probes as figures
from stitchlab.results.probes import Probes


def figure(shown: Sequence[Probes], options: Options) -> Sheet:
    """Draw a curve for each network. Raises StitchLabError if there are too many for a figure."""
    page_width, margin = WIDTHS_IN[options.size] * INCH, MARGIN * options.points
    height = SLIDE_HEIGHT_IN * INCH if options.size == "slide" else None
    (row,) = curves.arranged(
        [figures.curves(shown)], [""], options.points, page_width - 2 * margin, height and height - 2 * margin
    )
    sheet = Sheet(page_width, height or row.height + 2 * margin, options.dark)
    curves.draw(sheet, row, (page_width - row.width) / 2, (sheet.height - row.height) / 2, "row-0")
    return sheet
