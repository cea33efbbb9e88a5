"""Writes numbers on the cells of a heatmap: black or white, whichever is easier to read, as large as cells allow.

Plotly's own are dark or light by a rule that leaves 3:1 on green. A trace has letters of one colour, so there are two;
their size is Plotly's, which knows how large cells are where the figure is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stitchlab.figures.colours import BLACK, WHITE, Values, white_reads_better
from stitchlab.figures.template import CLEAR

NOTHING = "\u200b"  # a letter without width: Plotly measures texts by their letters, and leaves out empty ones
ONE_ROW = 10  # font size where Plotly cannot tell how wide cells are, since none is under another


def cell_numbers(texts: Sequence[Sequence[str]], behind: Values) -> list[go.Heatmap]:
    """Return two transparent heatmaps with texts (rows, columns), black and white, on colours (rows, columns, 3)."""
    white, longest = white_reads_better(behind), max(1, *(len(text) for row in texts for text in row))
    size = {} if min(white.shape) > 1 else {"size": ONE_ROW}
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
                [(text if here else "").ljust(longest, NOTHING) for text, here in zip(*row, strict=True)]
                for row in zip(texts, where, strict=True)
            ],
        )
        for colour, where in ((BLACK, ~white), (WHITE, white))
    ]
