"""Offers files of checks: the table, and the figures of the evidence. A file is made while its panel is open."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.export import checks as files
from stitchlab.export.options import IMAGE_SUFFIXES, WIDTHS_IN, Options
from stitchlab.results.checks.answers import Answers
from stitchlab.ui import embedding
from stitchlab.ui.figure_panel import SIZE_LABELS


def table(answers: Answers) -> None:
    """Draw the panel that saves the table as a file."""
    _panel(answers, None, "Save this table", "checks_file")


def evidence(answers: Answers, name: str, subject: str) -> None:
    """Draw the panel that saves the evidence as a file; nothing if the evidence has no figures.

    Args:
        answers: results of a suite's checks.
        name: of the check.
        subject: the measure.
    """
    answer = answers.answer(name, subject)
    if answer is not None and answer.evidence.get("figures"):
        _panel(answers, (name, subject), "Save these figures", "evidence_file")


def _panel(answers: Answers, cell: files.CheckedMeasure | None, label: str, key: str) -> None:
    if embedding.embedded():
        return
    panel = st.expander(label, icon=":material/download:", key=f"{key}s", on_change="rerun")
    if not panel.open:
        return
    with panel:
        left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
        kinds = files.kinds(cell)
        suffix = str(left.selectbox("File", list(kinds), key=key, format_func=kinds.__getitem__))
        options = Options()
        if suffix in IMAGE_SUFFIXES:
            size = (
                middle.segmented_control(
                    "Size",
                    list(WIDTHS_IN),
                    default="two-column",
                    key=f"{key}_size",
                    required=True,
                    format_func=SIZE_LABELS.__getitem__,
                )
                or "two-column"
            )
            options = Options.of(size=size, dark=bool(middle.toggle("Dark", key=f"{key}_dark")))
        name = files.file_name(answers, suffix, cell)
        try:
            data = files.make(answers, suffix, options, cell)
        except StitchLabError as error:
            ui.show_error(error)
            return
        right.download_button(
            f"Download .{suffix}",
            data,
            name,
            files.MEDIA_TYPES[suffix],
            icon=":material/download:",
            on_click="ignore",
            key=f"{key}_take",
            width="stretch",
        )
        st.caption(f"`{name}`, {len(data) / 1000:,.0f} kB")
        if suffix in IMAGE_SUFFIXES or suffix == "tex":
            st.code(files.caption(answers, cell), language=None, wrap_lines=True)
