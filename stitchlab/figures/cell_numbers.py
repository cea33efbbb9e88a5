"""Write numbers on the cells of a heatmap: black or white, whichever is easier to read, as large as cells allow.

Plotly's own rule for the colour leaves a contrast of 3:1 on green. The letters of a trace have one colour, so there are
two traces. Plotly chooses the font size, because it knows how large cells are on the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures.colours import BLACK, WHITE, Values, white_reads_better
from stitchlab.figures.template import CLEAR

NOTHING = "\u200b"  # zero-width space: Plotly chooses the font size by the number of letters, and skips empty texts
ONE_ROW_FONT_PX = 10  # font size in a single row or column, where Plotly cannot tell how large cells are


def cell_numbers(texts: Sequence[Sequence[str]], backgrounds: Values) -> list[go.Heatmap]:
    """Return two transparent heatmaps that write texts on cells, one in black and one in white.

    Args:
        texts: (rows, columns) texts.
        backgrounds: (rows, columns, 3) colours of the cells.
    """
    white, longest = white_reads_better(backgrounds), max(1, *(len(text) for row in texts for text in row))
    size = {} if min(white.shape) > 1 else {"size": ONE_ROW_FONT_PX}
    return [
        go.Heatmap(
            z=np.zeros(white.shape),
            colorscale=[[0, CLEAR], [1, CLEAR]],
            hoverinfo="skip",
            showscale=False,
            texttemplate="%{text}",
            textfont={"color": colour, **size},
            name=f"numbers in {colour}",
            text=[
                [(text if has_colour else "").ljust(longest, NOTHING) for text, has_colour in zip(*row, strict=True)]
                for row in zip(texts, mask, strict=True)
            ],
        )
        for colour, mask in ((BLACK, ~white), (WHITE, white))
    ]
