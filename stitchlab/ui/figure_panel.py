"""Draws the panel that saves the figure on the screen as a file for a paper, a slide or a mail, with a preview.

Files are made while the panel is open, and at once: one that is made on a click is gone before it is fetched. How a
figure looks is bound to the address, so that a link has it too.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st

from stitchlab import ui
from stitchlab.catalog.detectors import DETECTORS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.errors import StitchLabError
from stitchlab.export.captions import caption
from stitchlab.export.formats import FORMATS, file_name, make
from stitchlab.export.options import FONT_SIZES, LEAST_DPI, LEAST_FONT, MOST_DPI, MOST_FONT, Colours, Options, Size
from stitchlab.export.shown import names
from stitchlab.request import Cell
from stitchlab.results.run import Run
from stitchlab.ui import embedding

SIZE_LABELS: dict[Size, str] = {"one-column": "One column", "two-column": "Two columns", "slide": "Slide"}
COLOUR_LABELS: dict[Colours, str] = {"viridis": "viridis", "cividis": "cividis"}
VALUE_LABELS = {"auto": "Where legible", "on": "On", "off": "Off"}
VALUES = {"auto": None, "on": True, "off": False}  # as `Options` has them
SWITCHES = {"dark": "Dark", "letters": "(a), (b), …", "caption": "Caption"}
SCREEN_DPI = 150  # of the preview of a PDF, which a browser shows as it likes
PREVIEWS = {"svg": "svg", "pdf": "png", "png": "png"}  # what a preview of a figure is made as
WORDS = {
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

Choice = TypeVar("Choice", bound=str)  # a key of what is chosen from


def figure_panel(run: Run, show: Sequence[str], cell: Cell | None = None, others: Sequence[Run] = ()) -> None:
    """Draw the panel, closed until it is asked for.

    Args:
        run: what files are made of.
        show: what stands on the page, as `Options` names it; the visitor may choose other panels.
        cell: the one that is selected.
        others: runs that means and spreads are over, besides the first.
    """
    if run.draft or embedding.embedded():
        return
    panel = st.expander("Save or share this figure", icon=":material/download:", key="figure", on_change="rerun")
    if panel.open:
        with panel:
            _opened(run, show, cell, others)


def _opened(run: Run, show: Sequence[str], cell: Cell | None, others: Sequence[Run]) -> None:
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
            ui.say(error)
            return
    with right:
        _made(run, suffix, options)
    with left:
        st.segmented_control(
            "What the camera above a heatmap saves",
            ["png", "svg"],
            default="png",
            key="picture",
            required=True,
            format_func=str.upper,
        )


def _made(run: Run, suffix: str, options: Options) -> None:
    """Draw the preview, the download button, and the caption to copy."""
    kind = FORMATS[suffix]
    try:
        data = make(run, suffix, options)
        said = caption(run, options)
        preview = _preview(run, suffix, options, data)
    except StitchLabError as error:
        ui.say(error)
        return
    if preview:
        st.image(preview, alt=f"Preview: {said}", width="stretch")
    st.download_button(
        f"Download .{suffix}",
        data,
        file_name(run, suffix, options),
        kind.media_type,
        icon=":material/download:",
        on_click="ignore",
        key="take",
    )
    st.caption(f"`{file_name(run, suffix, options)}`, {len(data) / 1000:,.0f} kB")
    if kind.drawn:
        st.code(said, language=None, wrap_lines=True)


def _preview(run: Run, suffix: str, options: Options, data: bytes) -> str:
    """Write the file's preview as a picture that is its own address, a PDF as PNG; empty where it is no figure."""
    if suffix not in PREVIEWS:
        return ""
    if PREVIEWS[suffix] != suffix:
        data = make(run, PREVIEWS[suffix], replace(options, dpi=SCREEN_DPI))
    media = FORMATS[PREVIEWS[suffix]].media_type
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


def _options(run: Run, suffix: str, show: Sequence[str], cell: Cell | None, others: Sequence[Run]) -> Options:
    """Read how the visitor wants the figure to look. Raises StitchLabError."""
    if not FORMATS[suffix].drawn:
        return Options()
    chosen = _panels(run, show, more=bool(others))
    size = _one_of("Size", SIZE_LABELS, "size", "two-column")
    colours = _one_of("Colours", COLOUR_LABELS, "colours", "viridis")
    values = _one_of("Numbers in cells", VALUE_LABELS, "values", "auto")
    dark, letters, below = (
        place.toggle(label, key=key, **BOUND)
        for place, (key, label) in zip(st.columns(len(SWITCHES)), SWITCHES.items(), strict=True)
    )
    return Options(
        show=chosen,
        size=size,
        colours=colours,
        dark=dark,
        letters=letters,
        caption=below,
        values=VALUES[values],
        cell=cell,
        others=tuple(others),
        **_fine(run, size, suffix),
    )


def _panels(run: Run, show: Sequence[str], *, more: bool) -> tuple[str, ...]:
    """Choose the panels of a figure, at first those on the page; ``more`` are names that need several runs."""
    known = list(dict.fromkeys([*(show if more else ()), *names(run)]))
    chosen = st.multiselect(
        "Panels",
        known,
        default=[name for name in show if name in known],
        key=f"panels-{run.id}-{'-'.join(show)}",
        format_func=_word,
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


def _fine(run: Run, size: str, suffix: str) -> dict[str, Any]:
    """Draw the fields of the title, the font size, and the resolution of a bitmap."""
    titled = st.selectbox("Title", ["Networks and data", "None", "Your own"], key="titled")
    title = {"Networks and data": None, "None": ""}.get(titled, "")
    if titled == "Your own":
        title = st.text_input(
            "Your own title", key="own_title", max_chars=200, label_visibility="collapsed", placeholder=run.title
        )
    one, two = st.columns(2)
    font = one.number_input(
        "Font size (points)",
        float(LEAST_FONT),
        float(MOST_FONT),
        None,
        0.5,
        key="points",
        placeholder=f"{FONT_SIZES[size]:g}",
        **BOUND,
    )
    dpi = 300
    if suffix == "png":
        dpi = two.number_input("Dots per inch", LEAST_DPI, MOST_DPI, dpi, 50, key="dpi", **BOUND)
    return {"title": title, "font_size": font, "dpi": int(dpi)}


def _word(name: str) -> str:
    """Name a panel for people: ``TLM: accuracy``, ``TLM − DM: accuracy``, ``Fréchet ratio``."""
    before, _, rest = name.rpartition(":")
    if before:
        return f"{WORDS[before]}: {_word(rest)}"
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
        else WORDS.get(part, part)
        for part in parts
    ]
    return ": ".join(words)
