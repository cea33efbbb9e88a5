"""Draws the panel that saves the figure on the screen as a file for a paper, a slide or a mail, with a preview.

A file is made as soon as the panel is open: a file that is made on a click is gone before the browser fetches it. The
options of a figure's look are bound to the address, so that a link keeps them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.errors import StitchLabError
from stitchlab.export.captions import caption
from stitchlab.export.formats import FORMATS, file_name, make
from stitchlab.export.options import DEFAULT_FONT_PT, MAX_DPI, MAX_FONT_PT, MIN_DPI, MIN_FONT_PT, Colours, Options, Size
from stitchlab.export.shown import names
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.ui import embedding

SIZE_LABELS: dict[Size, str] = {"one-column": "One column", "two-column": "Two columns", "slide": "Slide"}
COLOUR_LABELS: dict[Colours, str] = {"viridis": "viridis", "cividis": "cividis"}
CellNumbers = Literal["auto", "on", "off"]  #: whether the cells of an exported figure show their numbers
CELL_NUMBERS_LABELS: dict[CellNumbers, str] = {"auto": "Where legible", "on": "On", "off": "Off"}
CELL_NUMBERS: dict[CellNumbers, bool | None] = {"auto": None, "on": True, "off": False}  # by their value in `Options`
SWITCHES = {"dark": "Dark", "letters": "(a), (b), …", "caption": "Caption"}
SCREEN_DPI = 150  # of a PDF's preview, since browsers show PDFs in different ways
PREVIEW_FORMATS = {"svg": "svg", "pdf": "png", "png": "png"}  # the format of a preview, by the figure's format
PANEL_WORDS = {
    "difference": "TLM − DM",
    "indices": "All indices",
    "mean": "Mean",
    "spread": "Standard deviation",
    "change": "Difference of two runs",
    "reverse": "Opposite direction",
    "scores": "Scores",
    "trajectory": "Along TLM's epochs",
    "tlm": "TLM",
    "dm": "DM",
}
BOUND: Any = {"bind": "query-params"}

Choice = TypeVar("Choice", bound=str)  # a key of the labels in `_one_of`


def figure_panel(run: Run, show: Sequence[str], cell: Cell | None = None, others: Sequence[Run] = ()) -> None:
    """Draw the panel, which is closed at first.

    Args:
        run: the run that the files show.
        show: names of the figures on the page, as in `Options`; the visitor may choose other panels.
        cell: the selected cell.
        others: runs that means and spreads include besides the first.
    """
    if run.draft or embedding.embedded():
        return
    panel = st.expander("Save or share this figure", icon=":material/download:", key="figure", on_change="rerun")
    if panel.open:
        with panel:
            _draw_panel(run, show, cell, others)


def _draw_panel(run: Run, show: Sequence[str], cell: Cell | None, others: Sequence[Run]) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        suffix = str(
            st.selectbox(
                "File",
                list(FORMATS),
                key="kind",
                format_func=lambda key: (
                    f"{FORMATS[key].label}"
                    if f"({key.upper()})" in FORMATS[key].label
                    else f"{FORMATS[key].label} .{key}"
                ),
            )
        )
        try:
            options = _options(run, suffix, show, cell, others)
        except StitchLabError as error:
            ui.show_error(error)
            return
    with right:
        _draw_file(run, suffix, options)
    with left:
        st.segmented_control(
            "What the camera above a heatmap saves",
            ["png", "svg"],
            default="png",
            key="picture",
            required=True,
            format_func=str.upper,
        )


def _draw_file(run: Run, suffix: str, options: Options) -> None:
    """Draw the preview, the download button, and the caption to copy."""
    file_format = FORMATS[suffix]
    try:
        data = make(run, suffix, options)
        text = caption(run, options)
        preview = _preview(run, suffix, options, data)
    except StitchLabError as error:
        ui.show_error(error)
        return
    if preview:
        st.image(preview, alt=f"Preview: {text}", width="stretch")
    st.download_button(
        f"Download .{suffix}",
        data,
        file_name(run, suffix, options),
        file_format.media_type,
        icon=":material/download:",
        on_click="ignore",
        key="take",
    )
    st.caption(f"`{file_name(run, suffix, options)}`, {len(data) / 1000:,.0f} kB")
    if file_format.drawn:
        st.code(text, language=None, wrap_lines=True)


def _preview(run: Run, suffix: str, options: Options, data: bytes) -> str:
    """Write the file's preview as a data URL, a PDF as PNG; empty if the file is no figure."""
    if suffix not in PREVIEW_FORMATS:
        return ""
    if PREVIEW_FORMATS[suffix] != suffix:
        data = make(run, PREVIEW_FORMATS[suffix], replace(options, dpi=SCREEN_DPI))
    media = FORMATS[PREVIEW_FORMATS[suffix]].media_type
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


def _options(run: Run, suffix: str, show: Sequence[str], cell: Cell | None, others: Sequence[Run]) -> Options:
    """Draw the options of the figure's look and return them. Raises StitchLabError."""
    if not FORMATS[suffix].drawn:
        return Options()
    panels = _panels(run, show, with_others=bool(others))
    size = _one_of("Size", SIZE_LABELS, "size", "two-column")
    colours = _one_of("Colours", COLOUR_LABELS, "colours", "viridis")
    cell_numbers = _one_of("Numbers in cells", CELL_NUMBERS_LABELS, "values", "auto")
    dark, letters, captioned = (
        place.toggle(label, key=key, **BOUND)
        for place, (key, label) in zip(st.columns(len(SWITCHES)), SWITCHES.items(), strict=True)
    )
    title, font_size, dpi = _title_and_letters(run, size, suffix)
    return Options(
        show=panels,
        size=size,
        colours=colours,
        dark=dark,
        letters=letters,
        caption=captioned,
        values=CELL_NUMBERS[cell_numbers],
        cell=cell,
        others=tuple(others),
        title=title,
        font_size=font_size,
        dpi=dpi,
    )


def _panels(run: Run, show: Sequence[str], *, with_others: bool) -> tuple[str, ...]:
    """Choose the panels of a figure, at first those on the page; some are of several runs, so of ``with_others``."""
    available = list(dict.fromkeys([*(show if with_others else ()), *names(run)]))
    chosen = st.multiselect(
        "Panels",
        available,
        default=[name for name in show if name in available],
        key=f"panels-{run.id}-{'-'.join(show)}",
        format_func=_panel_label,
        wrap=True,
        placeholder="Metrics, indices, what detectors say",
    )
    if not chosen:
        raise StitchLabError("a figure needs at least one panel: choose one")
    return tuple(chosen)


def _one_of(label: str, labels: Mapping[Choice, str], key: str, default: Choice) -> Choice:
    """Draw a row of buttons, one of which is chosen."""
    chosen = st.segmented_control(
        label,
        list(labels),
        default=default,
        key=key,
        required=True,
        format_func=labels.__getitem__,
        **BOUND,
    )
    return chosen or default


def _title_and_letters(run: Run, size: str, suffix: str) -> tuple[str | None, float | None, int]:
    """Draw the fields of the title, the font size in points, and the resolution of a bitmap; return their values."""
    kind_of_title = st.selectbox("Title", ["Networks and data", "None", "Your own"], key="titled")
    title = {"Networks and data": None, "None": ""}.get(kind_of_title, "")
    if kind_of_title == "Your own":
        title = st.text_input(
            "Your own title", key="own_title", max_chars=200, label_visibility="collapsed", placeholder=run.title
        )
    left, right = st.columns(2)
    font_size = left.number_input(
        "Font size (points)",
        float(MIN_FONT_PT),
        float(MAX_FONT_PT),
        None,
        0.5,
        key="points",
        placeholder=f"{DEFAULT_FONT_PT[size]:g}",
        **BOUND,
    )
    dpi = 300
    if suffix == "png":
        dpi = right.number_input("Dots per inch", MIN_DPI, MAX_DPI, dpi, 50, key="dpi", **BOUND)
    return title, font_size, int(dpi)


def _panel_label(name: str) -> str:
    """Return the label of a panel: ``TLM: accuracy``, ``TLM − DM: accuracy``, ``Fréchet ratio``."""
    prefix, _, quantity = name.rpartition(":")
    if prefix:
        return f"{PANEL_WORDS[prefix]}: {_panel_label(quantity)}"
    parts = name.split("/")
    words = [
        METRICS[part].label
        if part in METRICS
        else INDICES[part].label
        if part in INDICES
        else DETECTORS[part].label
        if part in DETECTORS
        else OOD_METRICS[part].label
        if part in OOD_METRICS
        else PANEL_WORDS.get(part, part)
        for part in parts
    ]
    return ": ".join(words)
