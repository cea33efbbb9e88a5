"""Opens an uploaded .stitch file: checks it, keeps it apart from runs computed here, and selects its run."""

from __future__ import annotations

import streamlit as st

from stitchlab import ui
from stitchlab.errors import StitchLabError
from stitchlab.results import shelf
from stitchlab.store import Store
from stitchlab.ui import run_table

MAX_UPLOAD_MB = 50  # a file with the maps of a large grid has tens of them


def draw(store: Store) -> None:
    """Draw the menu with the upload of a file."""
    menu = st.popover("Open a file", icon=":material/file_open:", width="stretch")
    with menu:
        file = st.file_uploader(
            "A .stitch file: a run from somebody",
            ["stitch"],
            key="stitch_file",
            max_upload_size=MAX_UPLOAD_MB,
            help="Opening one needs no networks, and runs no code.",
        )
        if file is None or file.file_id == st.session_state.get("stitch_opened"):
            return
        try:
            run = shelf.open_file(store, file.getvalue(), file.name)
        except StitchLabError as error:
            ui.show_error(error)
            return
        st.session_state["stitch_opened"] = file.file_id
        run_table.choose([run])
        st.rerun()
