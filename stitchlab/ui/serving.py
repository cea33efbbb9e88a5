"""Runs the server of the pages from a program, as the command `app` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from streamlit.web.cli import main

from stitchlab import ui
from stitchlab.store import places


def serve(options: Sequence[str] = ()) -> int:
    """Serve the pages until something such as Ctrl-C ends this process, and return an exit status.

    Workers are stopped before Python shuts down, so that threads that wait for them end without an error message.

    Args:
        options: options of `streamlit run`, such as ``--server.port=8501``.
    """
    try:
        main(["run", str(places.app() / "app.py"), *options], prog_name="streamlit")
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        ui.end_workers()
    return 0
