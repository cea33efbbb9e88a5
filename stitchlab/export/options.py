"""How an exported figure looks: its size, what it shows, its colours and letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SIZES = {"one-column": 3.25, "two-column": 6.75, "slide": 13.33}  # inches wide

Size = Literal["one-column", "two-column", "slide"]
Colours = Literal["viridis", "cividis"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an exported figure looks.

    Attributes:
        show: what stands in it, each a panel, in this order. A metric (``accuracy``) stands for TLM and DM beside each
            other; ``tlm/accuracy`` and ``dm/distance`` for one method; ``difference/accuracy`` for TLM − DM; an index
            (``cka``) for itself; ``frechet/ratio`` for what a detector says of both methods, ``tlm/frechet/ratio`` of
            one.
        size: a key of `SIZES`.
        dpi: of a bitmap, dots an inch.
        values: whether numbers stand in the cells; None: where they are legible.
        font_size: points.
        dark: light letters on a dark ground.
        colours: of quantities that have no middle.
        title: above the figure; None: what the run is; empty: none.
        letters: whether panels are lettered (a), (b), (c).
        caption: whether the caption stands under the figure.
        cell: the (front layer, end layer) that is framed, or that a figure of one cell is of.
    """

    show: tuple[str, ...] = ("accuracy",)
    size: Size = "two-column"
    dpi: int = 300
    values: bool | None = None
    font_size: float = 7.0
    dark: bool = False
    colours: Colours = "viridis"
    title: str | None = None
    letters: bool = False
    caption: bool = False
    cell: tuple[str, str] | None = None
