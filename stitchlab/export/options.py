"""Describes how an exported figure looks: its size, what it shows, its colours and letters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import Cell, Detection
from stitchlab.results.run import Run

WIDTHS_IN = {"one-column": 3.25, "two-column": 6.75, "slide": 13.33}  # inches wide
SLIDE_HEIGHT_IN = 7.5  # inches; the other sizes are as high as their content
DEFAULT_FONT_PT = {"one-column": 7.0, "two-column": 7.0, "slide": 15.0}  # points, unless the options name another

MIN_DPI, MAX_DPI = 30, 1200
MIN_FONT_PT, MAX_FONT_PT = 4, 40

Size = Literal["one-column", "two-column", "slide"]
Colours = Literal["viridis", "cividis"]
ImageSuffix = Literal["svg", "pdf", "png"]  #: of the files that are drawn, without the dot

IMAGE_SUFFIXES: tuple[ImageSuffix, ...] = get_args(ImageSuffix)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Describes how an exported figure looks.

    Attributes:
        show: the names of its panels, in this order. A metric (``accuracy``) stands for two panels, TLM and DM;
            ``tlm/accuracy`` and ``dm/distance`` for one method; ``difference/accuracy`` for TLM − DM; ``cka`` for an
            index, ``indices`` for all indices; ``frechet/ratio`` for what a detector says of both methods,
            ``tlm/frechet/ratio`` of one; ``scores/knn`` and ``trajectory`` for curves of ``cell``.
            ``reverse:accuracy`` stands for the run of the opposite direction, ``mean:accuracy`` and ``spread:accuracy``
            (the standard deviation) for this run together with ``others``. `stitchlab.export.shown.names` lists what
            a run has.
        size: a key of `WIDTHS_IN`.
        dpi: dots per inch of a PNG.
        values: whether cells contain their numbers; None: if they are legible.
        font_size: points; None: 7 on paper, 15 on a slide.
        dark: light letters on a dark ground.
        colours: the colour scale of quantities whose range has no middle.
        title: above the figure; None: the title of the run; empty: no title.
        letters: whether panels are lettered (a), (b), (c).
        caption: whether the caption is printed under the figure.
        others: further runs for ``mean:``, ``spread:`` and ``change:``, beside the one that is exported.
        detection: settings of the detectors; None: those that most cells of the run were judged with.
        cell: the (front layer, end layer) that is framed, or whose curves are drawn.
    """

    show: tuple[str, ...] = ("accuracy",)
    size: Size = "two-column"
    dpi: int = 300
    values: bool | None = None
    font_size: float | None = None
    dark: bool = False
    colours: Colours = "viridis"
    title: str | None = None
    letters: bool = False
    caption: bool = False
    others: tuple[Run, ...] = ()
    detection: Detection | None = None
    cell: Cell | None = None

    def __post_init__(self) -> None:
        check_names("size", [self.size], WIDTHS_IN)
        check_names("colours", [self.colours], get_args(Colours))
        if not self.show:
            raise StitchLabError("show: expected one or more metrics or indices, got none")
        if not MIN_DPI <= self.dpi <= MAX_DPI:
            raise StitchLabError(f"dpi: expected a number from {MIN_DPI} to {MAX_DPI}, got {self.dpi}")
        if not MIN_FONT_PT <= self.points <= MAX_FONT_PT:
            raise StitchLabError(f"font size: expected {MIN_FONT_PT} to {MAX_FONT_PT} points, got {self.font_size}")

    @classmethod
    def of(cls, **values: Any) -> Options:
        """Make options from keyword arguments; ``show`` and ``others`` may be a single value instead of a list.

        Raises UnknownName; StitchLabError.
        """
        check_names("option", values, [field.name for field in fields(cls)])
        lists = {
            name: (value,) if isinstance(value, str | Run) else tuple(value)
            for name in ("show", "others", "cell")
            if (value := values.get(name)) is not None
        }
        return cls(**values | lists)

    @property
    def points(self) -> float:
        """Return the size of letters in points."""
        return DEFAULT_FONT_PT[self.size] if self.font_size is None else self.font_size
